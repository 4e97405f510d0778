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
