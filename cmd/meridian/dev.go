package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// devOptions are the flags of `meridian dev`.
type devOptions struct {
	regions, nodes int
	port           int
	persist        string        // folder to keep; empty: a temporary one
	readyFile      string        // empty: none
	set            []string      // PATH=VALUE for every node
	restart        time.Duration // a dead node comes back after this; 0: never
	command        []string      // run this and end with it
}

func newDevCommand() *cobra.Command {
	var o devOptions
	c := &cobra.Command{
		Use:   "dev [flags] [-- COMMAND [ARGUMENT...]]",
		Short: "Run whole regions on this machine, for development",
		Long: `Runs real servers as processes of their own on 127.0.0.1, with a fixed access key
and a key called alias/demo. Ctrl-C stops them all. With -- COMMAND it runs that
with endpoint and access key in its environment, and ends with its exit code.

Data is in a temporary folder and gone at exit, unless --persist names a folder.
Never for production: the access key is public.`,
		Example: `  meridian dev
  meridian dev -- aliyun kms Encrypt --KeyId alias/demo --Plaintext aGVsbG8=
  meridian dev --nodes 3 --regions 2 --persist ./state`,
		Args: func(c *cobra.Command, args []string) error {
			before := c.ArgsLenAtDash()
			if before < 0 {
				before = len(args)
			}
			if before > 0 {
				if len(suggestions(c, args[0])) > 0 {
					return unknownCommand(c, args[0])
				}
				return fmt.Errorf("unknown command %q for %q; a program to run stands behind --", args[0], c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if o.command = args; c.ArgsLenAtDash() == 0 && len(args) == 0 {
				return usageError("no command behind --")
			}
			if err := o.check(); err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			return runDev(ctx, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntVar(&o.nodes, "nodes", 1, "servers in each region")
	f.IntVar(&o.regions, "regions", 1, "regions")
	f.IntVar(&o.port, "port", 0, "first of a row of ports, four for each server (default 9410; free ones with --ready-file or a command)")
	f.StringVar(&o.persist, "persist", "", "keep the data in this `DIR`, and go on with what is there")
	f.StringVar(&o.readyFile, "ready-file", "", "write `FILE` (JSON: endpoints, CA, access key, processes) once every server can decrypt")
	f.StringArrayVar(&o.set, "set", nil, "one configuration value of every server, as `PATH=VALUE`; may be repeated")
	f.DurationVar(&o.restart, "restart", 0, "start a server that died again after this time (default: it stays dead)")
	c.AddCommand(newDevEnvCommand(), newDevSnippetsCommand())
	return c
}

// check refuses what cannot work before anything is started.
func (o *devOptions) check() error {
	if o.nodes < 1 || o.nodes > 9 {
		return usageError("--nodes is %d; take 1 to 9", o.nodes)
	}
	if o.regions < 1 || o.regions > 9 {
		return usageError("--regions is %d; take 1 to 9", o.regions)
	}
	if o.port < 0 || o.port > 65535 {
		return usageError("--port is %d; a port is a number up to 65535", o.port)
	}
	if o.restart < 0 {
		return usageError("--restart cannot be negative")
	}
	return nil
}
