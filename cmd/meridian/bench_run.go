package main

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"meridian/cmd/meridian/bench"
)

const (
	// warmUp is loaded, unmeasured, to fill caches and to learn the rate.
	warmUp = 400 * time.Millisecond
	// maxAhead bounds the requests that are signed ahead, at 100 bytes and 2 µs
	// each. The others are signed when they are sent.
	maxAhead = 200_000
)

// runOnce loads the mix of all cases.
func (b *benchRun) runOnce(ctx context.Context, report *benchReport) error {
	cfg := bench.Config{
		Endpoints: b.endpoints, Connections: b.connections, Duration: b.duration, Count: b.count, Rate: b.rate, Timeout: b.target.timeout,
	}
	for i := range b.cases {
		cfg.Cases = append(cfg.Cases, bench.Case{Signers: b.signers(&b.cases[i]), Weight: b.cases[i].weight})
	}
	if err := signAhead(ctx, cfg); err != nil && ctx.Err() == nil {
		return b.loadError(err)
	}
	var done atomic.Int64
	cfg.Done = &done
	bar := b.startBar("load", cfg.Duration, cfg.Count, &done)
	result, err := bench.Run(ctx, cfg)
	bar.stop()
	if ctx.Err() != nil && (err != nil || result.Calls() == 0) {
		return &exitError{exitInterrupted, errors.New("interrupted before any call")}
	}
	if err != nil {
		return b.loadError(err)
	}
	report.add(result)
	report.finish()
	return nil
}

func (b *benchRun) loadError(err error) error {
	return callError(err, "", b.target.keySource, time.Now())
}

// signAhead warms the server up and signs as many requests ahead as the rate
// seen promises to need.
func signAhead(ctx context.Context, cfg bench.Config) error {
	total := 0
	for _, c := range cfg.Cases {
		total += c.Weight
	}
	warm := cfg
	warm.Duration, warm.Count, warm.Rate, warm.Done = warmUp, 0, 0, nil
	result, err := bench.Run(ctx, warm)
	if err != nil {
		return err
	}
	expected := float64(result.Calls()) / warmUp.Seconds() * cfg.Duration.Seconds() * 1.2
	switch {
	case cfg.Count > 0:
		expected = float64(cfg.Count)
	case cfg.Rate > 0:
		expected = cfg.Rate * cfg.Duration.Seconds()
	}
	expected = min(expected, maxAhead)
	for _, c := range cfg.Cases {
		share := expected * float64(c.Weight) / float64(total) / float64(len(c.Signers))
		for _, s := range c.Signers {
			s.Prepare(int(share))
		}
	}
	runtime.GC() // now, rather than in the measured time
	return nil
}
