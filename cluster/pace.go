package cluster

import (
	"context"
	"io"
	"time"
)

const (
	// A snapshot rests after so many bytes, for a multiple of the time that they
	// took: the calls that are served meanwhile have most of the time of a core and
	// of the disk for themselves.
	paceBytes = 1 << 20
	restRatio = 4
	// maxRest bounds a rest, so that a disk that is slow for another reason does
	// not make a snapshot endless.
	maxRest = 200 * time.Millisecond
)

// pacedWriter writes with rests, until ctx ends.
type pacedWriter struct {
	ctx   context.Context
	w     io.Writer
	hurry func() bool // nobody is served: no rests

	written int // since the last rest
	began   time.Time
}

func newPacedWriter(ctx context.Context, w io.Writer, hurry func() bool) *pacedWriter {
	return &pacedWriter{ctx: ctx, w: w, hurry: hurry, began: time.Now()}
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if p.written += n; err != nil || p.written < paceBytes {
		return n, err
	}
	p.written = 0
	if !p.hurry() {
		timer := time.NewTimer(min(restRatio*time.Since(p.began), maxRest))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ctx.Done():
		}
	}
	p.began = time.Now()
	return n, p.ctx.Err()
}
