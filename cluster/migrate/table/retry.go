package table

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// lostTime is how long a server that cannot be reached is waited for, and a table that is locked as a whole; openTime is
	// the same as long as nothing was done.
	lostTime, openTime = 2 * time.Minute, 10 * time.Second
	// How often what other writers make fail is tried: a batch, after which each of its rows is tried alone, so that one that
	// is locked all the time holds up no other; a row; and reading.
	batchTries, rowTries, lookTries = 2, 4, 10
	// statementTime bounds one statement that finds its rows by key.
	statementTime = time.Minute
)

// patience bounds how long the database is waited for.
type patience struct {
	tries int // while others make it fail; 0: any number
	time  time.Duration
	// until, if not nil, ends the waiting, but nothing that is under way.
	until context.Context
}

// tries is patience that lasts as long as the run does.
func (t *Table) tries(n int) patience { return patience{n, lostTime, t.run} }

// again does what the database may do a little later, and gives up after a while. What is done has to be of a kind that may
// be done twice.
func again[T any](ctx context.Context, db database, p patience, do func() (T, error)) (T, error) {
	if p.until == nil {
		p.until = ctx
	}
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 20*time.Millisecond, 5*time.Second
	busy := 0
	return backoff.Retry(p.until, func() (T, error) {
		v, err := do()
		if err == nil {
			return v, nil
		}
		switch db.judge(err) {
		case troubleLost:
			return v, err
		case troubleBusy, troubleCut:
			if busy++; p.tries == 0 || busy < p.tries {
				return v, err
			}
		}
		return v, backoff.Permanent(err)
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(p.time))
}
