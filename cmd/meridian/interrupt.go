package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// interruptible is ctx until Ctrl-C or SIGTERM, which end it. A second one does
// not wait for the verb: it ends the process. stop gives the signals back.
func interruptible(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// interruptibleTwice is interruptible for a verb that has something to do before a second signal ends the process. A verb
// that ends meanwhile, because of that, waits in stop: the process ends by the signal, with no word about it.
func interruptibleTwice(ctx context.Context, last func()) (_ context.Context, stop context.CancelFunc) {
	ctx, giveBack := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	var dying atomic.Bool
	context.AfterFunc(ctx, func() {
		defer giveBack()
		if context.Cause(ctx) == context.Canceled { // the verb has ended, by no signal
			return
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		go func() {
			second := (<-again).(syscall.Signal)
			dying.Store(true)
			last()
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			_ = syscall.Kill(os.Getpid(), second) // this process may
		}()
	})
	return ctx, func() {
		giveBack()
		if dying.Load() {
			select {} // for the signal, which comes in a moment
		}
	}
}
