package main

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

const (
	defaultBenchTime   = 10 * time.Second
	defaultRoundTime   = 2 * time.Second
	defaultBenchRounds = 5
	maxConnections     = 4096
)

// benchFlags are the flags of `meridian bench`.
type benchFlags struct {
	actions     []string
	sizes       []int
	connections int
	duration    time.Duration
	count       int64
	rate        float64
	key         string
	ceiling     bool
	rounds      int
	pids        []int
	tls         bool
}

func newBenchCommand() *cobra.Command {
	v := &clientVerb{}
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Load an endpoint and measure it",
		Long: `Sends signed requests on kept-alive connections and prints rate and latency.

Without --rate it is a closed loop: each connection sends when its last call was
answered. With --rate calls start at that rate whether or not earlier ones were
answered, and latency counts from when a call was to start, so a stall shows in
every call that it delays.

--ceiling finds what a call costs the server: rounds against it alternate with
rounds against a server that only parses, checks one HMAC-SHA1, seals and
answers, in a process of its own. CPU time of the server for each call, as a
ratio to that, hardly depends on the machine; the median of all rounds counts.

The dev instance is loaded over plain HTTP, unless --tls is given, and signature
v1 is the default here (v3 where FIPS 140 mode allows no SHA-1). Without --key a key is made, and its deletion scheduled
at the end; on the dev instance it is alias/demo.`,
		Example: `  meridian bench --actions Encrypt=3,Decrypt --connections 64 --duration 30s
  meridian bench --rate 2000 --size 4096
  meridian dev -- meridian bench --ceiling --size 32 --size 4096 --output json`,
		Args: noArgs,
	}
	v.addTo(c)
	if !fips140.Enforced() { // V1 is HMAC-SHA1
		v.flags.signature = "v1"
		c.PersistentFlags().Lookup("signature").DefValue = "v1"
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.actions, "actions", []string{"Encrypt", "Decrypt", "GenerateDataKey"}, "what to call, each as `ACTION` or ACTION=WEIGHT")
	fl.IntSliceVar(&f.sizes, "size", []int{32}, "`BYTES` of plaintext; several make several cases of each action")
	fl.IntVarP(&f.connections, "connections", "c", 16, "connections, each with one call at a time")
	fl.DurationVarP(&f.duration, "duration", "d", 0, "how long to load; of each round with --ceiling (default 10s, 2s)")
	fl.Int64VarP(&f.count, "count", "n", 0, "how many calls to make, instead of a duration")
	fl.Float64Var(&f.rate, "rate", 0, "calls a second to start, all connections together (default: closed loop)")
	fl.StringVar(&f.key, "key", "", "`KEY` to use: alias, id or ARN")
	fl.BoolVar(&f.ceiling, "ceiling", false, "alternate with a server that does the least possible, and compare CPU time")
	fl.IntVar(&f.rounds, "rounds", defaultBenchRounds, "rounds of each with --ceiling")
	fl.IntSliceVar(&f.pids, "pid", nil, "process of the server, all of them where there are several (default: the dev instance's)")
	fl.BoolVar(&f.tls, "tls", false, "load the dev instance over TLS")
	_ = c.RegisterFlagCompletionFunc("actions", cobra.FixedCompletions(benchActionNames(), cobra.ShellCompDirectiveNoFileComp)) // the flags are there
	_ = c.RegisterFlagCompletionFunc("key", func(c *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return v.completeKeys(c, nil, toComplete)
	})
	c.AddCommand(newBenchCeilingCommand(), newBenchCeilingRSACommand())
	c.RunE = v.run(func(ctx context.Context, s *session, _ []string) error { return f.run(ctx, v, s) })
	return c
}

// check refuses what cannot work, and fills in the times.
func (f *benchFlags) check() error {
	switch {
	case f.connections < 1 || f.connections > maxConnections:
		return usageError("--connections is %d; take 1 to %d", f.connections, maxConnections)
	case f.count < 0 || f.duration < 0 || f.rate < 0:
		return usageError("--count, --duration and --rate cannot be negative")
	case f.count > 0 && f.duration > 0:
		return usageError("--count and --duration exclude each other")
	case f.ceiling && fips140.Enforced():
		return usageError("--ceiling compares with a server that checks one HMAC-SHA1, which GODEBUG=fips140=only forbids; run meridian bench without it, the server may keep it")
	case f.ceiling && f.rate > 0:
		return usageError("--ceiling loads as hard as it can; leave --rate out")
	case f.ceiling && f.rounds < 1:
		return usageError("--rounds must be 1 at least")
	case len(f.sizes) == 0:
		return usageError("--size is empty")
	}
	if f.count == 0 && f.duration == 0 {
		f.duration = defaultBenchTime
		if f.ceiling {
			f.duration = defaultRoundTime
		}
	}
	return nil
}

// run sets up, loads, reports and cleans up.
func (f *benchFlags) run(ctx context.Context, v *clientVerb, s *session) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	cases, err := benchCases(f.actions, f.sizes, func(text string) { s.hint("%s", text) })
	if err != nil {
		return err
	}
	b := &benchRun{benchFlags: f, session: s, cases: cases}
	if err := b.aim(v); err != nil {
		return err
	}
	if f.ceiling {
		if err := b.findProcesses(); err != nil {
			return err
		}
	}
	cleanUp, err := b.prepare(ctx)
	if cleanUp != nil {
		defer func() { err = errors.Join(err, cleanUp(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return err
	}
	if s.explain {
		return b.explainCases()
	}
	report := b.newReport()
	if f.ceiling {
		err = b.runRounds(ctx, report)
	} else {
		err = b.runOnce(ctx, report)
	}
	if err != nil {
		return err
	}
	if err := s.value(report, report.write(s)); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return &exitError{exitInterrupted, errors.New("interrupted; the figures are of what was done until then")}
	case report.Failed > 0:
		return &exitError{exitFailedRows, fmt.Errorf("%d of %d calls failed", report.Failed, report.Calls)}
	case report.Unsent > 0:
		return &exitError{exitFailedRows, fmt.Errorf("%d calls were due and could not be started: the rate is more than the connections carry", report.Unsent)}
	}
	return nil
}
