package main

import (
	"context"
	"sync"
)

// describeWorkers bounds the DescribeKey calls that a list makes at once: the
// API's list of keys has ids only.
const describeWorkers = 8

// describeAll fills in what the list of keys does not tell. A key that went away
// meanwhile is left empty.
func (s *session) describeAll(ctx context.Context, keys []keyView, aliases map[string][]string) ([]keyView, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(describeWorkers, len(keys)) {
		workers.Go(func() {
			for i := range next {
				k, err := s.describe(ctx, keys[i].ID)
				switch {
				case err == nil:
					k.Aliases = append(k.Aliases, aliases[k.ID]...)
					keys[i] = k
				case exitOf(err) == exitNotFound:
					keys[i] = keyView{}
				default:
					cancel(err) // the first one counts
				}
			}
		})
	}
feed:
	for i := range keys {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return keys, context.Cause(ctx)
}
