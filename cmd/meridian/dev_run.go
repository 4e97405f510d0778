package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"meridian/cmd/meridian/devregion"
)

const (
	// defaultDevPort starts the row of ports of `meridian dev`.
	defaultDevPort = 9410
	// devReadyLimit is how long the servers may take until they can decrypt.
	devReadyLimit = 60 * time.Second
	// devStopLimit is how long the servers may take to stop before they are
	// killed.
	devStopLimit = 6 * time.Second
)

// devRun is one run of `meridian dev`. Its loop owns everything in it.
type devRun struct {
	o        devOptions
	layout   *devregion.Layout
	launcher *devregion.Launcher
	running  map[*devregion.Node]*devregion.Process
	out, err io.Writer
	started  time.Time
	written  *readyFile // as announced; nil before
	devFile  string     // where; empty before
}

func runDev(ctx context.Context, o devOptions, out, errOut io.Writer) (err error) {
	d := &devRun{o: o, out: out, err: errOut, started: time.Now(), running: map[*devregion.Node]*devregion.Process{}}
	if o.readyFile != "" {
		// One of an earlier run would send a waiting script to dead servers.
		if err := os.Remove(o.readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	dir := o.persist
	if dir == "" {
		if dir, err = os.MkdirTemp("", "meridian-dev-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := d.prepare(dir); err != nil {
		return err
	}
	defer d.launcher.Close()
	defer d.stop()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			return &exitError{exitInterrupted, errors.New("stopped before the servers were ready")}
		}
		return err
	}
	defer d.withdraw()
	return d.loop(ctx)
}

// prepare lays out the folder and checks what --set changes.
func (d *devRun) prepare(dir string) error {
	port := d.o.port
	_, keptErr := os.Stat(filepath.Join(dir, "layout.json"))
	if port == 0 && d.o.readyFile == "" && len(d.o.command) == 0 && keptErr != nil {
		port = defaultDevPort
	}
	layout, err := devregion.Prepare(devregion.Options{Dir: dir, Regions: d.o.regions, Nodes: d.o.nodes, Port: port})
	if err != nil {
		return err
	}
	d.layout = layout
	for _, n := range layout.Nodes() {
		flags := configFlags{file: n.ConfigFile, set: d.o.set}
		if _, err := flags.load(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d.launcher = &devregion.Launcher{Binary: self}
	for _, s := range d.o.set {
		d.launcher.Args = append(d.launcher.Args, "--set", s)
	}
	return nil
}

// start starts every server, waits until all can decrypt, makes the demo key
// and announces the regions.
func (d *devRun) start(ctx context.Context) error {
	var all []*devregion.Process
	for _, n := range d.layout.Nodes() {
		p, err := d.launcher.Start(n)
		if err != nil {
			return err
		}
		d.running[n] = p
		all = append(all, p)
	}
	ctx, cancel := context.WithTimeout(ctx, devReadyLimit)
	defer cancel()
	if err := devregion.WaitReady(ctx, all); err != nil {
		return err
	}
	keys := make([]demoKey, len(d.layout.Regions))
	for i, r := range d.layout.Regions {
		var err error
		if keys[i], err = ensureDemoKey(ctx, r); err != nil {
			return fmt.Errorf("region %s: alias/demo: %w", r.ID, err)
		}
	}
	if err := d.pinTransportKeys(ctx); err != nil {
		return err
	}
	if err := d.announce(); err != nil {
		return err
	}
	if len(d.o.command) == 0 {
		writeBanner(d.out, d.layout, keys, d.o.persist != "", time.Since(d.started))
	}
	return nil
}

// announce writes the ready files, again after a process changed.
func (d *devRun) announce() error {
	f := &readyFile{PID: os.Getpid()}
	for _, r := range d.layout.Regions {
		region := readyRegion{
			ID: r.ID, Account: devregion.Account, CAFile: r.CAFile,
			AccessKeyID: devregion.AccessKeyID, AccessKeySecret: devregion.AccessKeySecret,
		}
		for _, n := range r.Nodes {
			region.Endpoints = append(region.Endpoints, n.Endpoint())
			region.HTTPEndpoints = append(region.HTTPEndpoints, n.HTTPEndpoint())
			region.Nodes = append(region.Nodes, readyNode{
				ID: n.ID, Endpoint: n.Endpoint(), Ops: n.OpsURL(), PID: d.running[n].PID(), Data: n.DataDir,
			})
		}
		f.Regions = append(f.Regions, region)
	}
	d.written = f
	if d.devFile == "" {
		d.devFile = d.chooseDevFile()
	}
	if err := f.writeDevFile(d.devFile); err != nil || d.o.readyFile == "" {
		return err
	}
	return f.write(d.o.readyFile) // last: who waits for it may use a verb at once
}

// chooseDevFile is where the client verbs of this user look by themselves, or a
// file beside the data when that place is another running instance's, or when
// only a command is to find this one.
func (d *devRun) chooseDevFile() string {
	own := filepath.Join(d.layout.Dir, "dev.json")
	if len(d.o.command) > 0 {
		return own
	}
	shared := sharedDevFilePath()
	if other, err := readPrivateFile(shared); err != nil || !other.alive() || other.PID == 0 || d.written.sameProcesses(other) {
		return shared
	}
	fmt.Fprintf(d.err, "Another dev instance runs and stays the one that meridian's verbs find. For this one:\n  export %s=%s\n", devFileVariable, shellQuote(own))
	return own
}

// withdraw takes back what the client verbs of this user would find.
func (d *devRun) withdraw() {
	if d.devFile == "" {
		return
	}
	if err := d.written.removeDevFile(d.devFile); err != nil {
		fmt.Fprintln(d.err, "meridian: "+err.Error())
	}
}

// loop waits for the end: a signal, or that of the command. Servers that die
// are named, and started again if that is asked for.
func (d *devRun) loop(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()

	deaths := make(chan *devregion.Process)
	watch := func(p *devregion.Process) {
		watchers.Go(func() {
			select {
			case <-p.Done():
			case <-ctx.Done():
				return
			}
			select {
			case deaths <- p:
			case <-ctx.Done():
			}
		})
	}
	for _, p := range d.running {
		watch(p)
	}
	returns := make(chan *devregion.Node)
	commandEnded := make(chan error, 1)
	if len(d.o.command) > 0 {
		environ := append(commandEnviron(d.written.Regions[0]), devFileVariable+"="+d.devFile)
		watchers.Go(func() { commandEnded <- runWith(ctx, d.o.command, environ) })
	}
	for {
		select {
		case <-ctx.Done():
			if len(d.o.command) > 0 {
				return <-commandEnded
			}
			return nil
		case err := <-commandEnded:
			return err
		case p := <-deaths:
			d.report(p)
			if d.o.restart > 0 {
				watchers.Go(func() { sendAfter(ctx, d.o.restart, returns, p.Node) })
			}
		case n := <-returns:
			p, err := d.launcher.Start(n)
			if err != nil {
				fmt.Fprintln(d.err, "meridian: "+err.Error())
				watchers.Go(func() { sendAfter(ctx, d.o.restart, returns, n) })
				continue
			}
			d.running[n] = p
			watch(p)
			fmt.Fprintf(d.err, "meridian: node %s is started again (pid %d)\n", n.ID, p.PID())
			if err := d.announce(); err != nil {
				fmt.Fprintln(d.err, "meridian: "+err.Error())
			}
		}
	}
}

func sendAfter(ctx context.Context, wait time.Duration, to chan<- *devregion.Node, n *devregion.Node) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	select {
	case to <- n:
	case <-ctx.Done():
	}
}

// stop ends all servers.
func (d *devRun) stop() {
	var all []*devregion.Process
	for _, p := range d.running {
		all = append(all, p)
	}
	for _, n := range devregion.StopAll(all, devStopLimit) {
		fmt.Fprintf(d.err, "meridian: node %s did not stop in %s and was killed\n", n.ID, devStopLimit)
	}
}

// runWith runs a program with further environment variables, on this process's
// input and output, and answers its exit code as an error. When ctx ends, the
// program gets SIGTERM, and SIGKILL a second later.
func runWith(ctx context.Context, command, environ []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), environ...)
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &exitError{exitCode(exit), nil}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return &exitError{127, fmt.Errorf("%s: there is no such program", command[0])}
	}
	return err
}
