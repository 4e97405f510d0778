package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"meridian/cmd/meridian/devregion"
)

// demoStartLimit is how long the demo's servers may take until they can decrypt.
const demoStartLimit = 60 * time.Second

func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the main job: a data key moves between two regions, and a leader is killed",
		Long: `Runs two regions of three servers each on this machine and does with them what
the service is for: a data key is made in the first region, data is encrypted
with it, the data key is encrypted again in the second region, that region's
leader is killed with kill -9, the data key is decrypted on another of its
nodes, and the data is read back. At last a thousand data keys move there in
bulk, as meridian migrate moves them: it never sees one in clear, and both
regions prove that they are the same.

Every step is checked and printed with region, node, request id and time. The
exit code is 0 only if all are right. Nothing is left behind.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			err := runDemo(ctx, c.OutOrStdout())
			if err != nil && ctx.Err() != nil {
				return &exitError{exitInterrupted, errors.New("the demo was interrupted")}
			}
			return err
		},
	}
}

// runDemo starts the regions, plays the story and puts everything away.
func runDemo(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "meridian-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	layout, err := devregion.Prepare(devregion.Options{Dir: dir, Regions: 2, Nodes: 3})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	launcher := &devregion.Launcher{Binary: self}
	defer launcher.Close()

	d := &demo{out: out, layout: layout, running: map[*devregion.Node]*devregion.Process{}}
	defer d.stop()
	fmt.Fprintf(out, "meridian %s demo: two regions of three servers each, every server a process of its own on 127.0.0.1.\n\n", versionText())
	began := time.Now()
	for _, n := range layout.Nodes() {
		p, err := launcher.Start(n)
		if err != nil {
			return err
		}
		d.running[n] = p
	}
	started, cancel := context.WithTimeout(ctx, demoStartLimit)
	defer cancel()
	if err := devregion.WaitReady(started, d.processes()); err != nil {
		return err
	}
	fmt.Fprintf(out, "     %-58s %35.1f s\n", "six servers are started, each can decrypt", time.Since(began).Seconds())
	if err := d.story(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nAll %d steps are right, in %.1f s.\n", d.steps, time.Since(began).Seconds())
	return nil
}
