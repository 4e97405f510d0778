package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible is ctx until Ctrl-C or SIGTERM, which end it. A second one does
// not wait for the verb: it ends the process. stop gives the signals back.
func interruptible(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// interruptibleTwice is interruptible for a verb that has something to do before a second signal ends the process.
func interruptibleTwice(ctx context.Context, last func()) (_ context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		defer stop()
		if context.Cause(ctx) == context.Canceled { // the verb has ended, by no signal
			return
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		go func() {
			second := (<-again).(syscall.Signal)
			last()
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			_ = syscall.Kill(os.Getpid(), second) // this process may
		}()
	})
	return ctx, stop
}
