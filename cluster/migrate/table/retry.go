package table

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// lostTime is how long a server that cannot be reached is waited for.
	lostTime = 2 * time.Minute
	// How often what other writers make fail is tried: a batch, after which each of its rows is tried alone, so that one that
	// is locked all the time holds up no other; a row; and reading.
	batchTries, rowTries, lookTries = 2, 4, 10
	// statementTime bounds one statement that finds its rows by key.
	statementTime = time.Minute
)

// again does what the database may do a little later, and gives up after a while. What is done has to be of a kind that may
// be done twice.
func again[T any](ctx context.Context, db database, tries int, do func() (T, error)) (T, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 20*time.Millisecond, 5*time.Second
	busy := 0
	return backoff.Retry(ctx, func() (T, error) {
		v, err := do()
		if err == nil {
			return v, nil
		}
		switch db.judge(err) {
		case troubleLost:
			return v, err
		case troubleBusy:
			if busy++; busy < tries {
				return v, err
			}
		}
		return v, backoff.Permanent(err)
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(lostTime))
}
