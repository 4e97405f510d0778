package main

import (
	"fmt"
	"time"

	"meridian/cluster/migrate"
)

// rateSpan is how far back the rate of a run looks: a run that goes on, or is throttled, soon shows what it does now.
const rateSpan = 20 * time.Second

// migrateRate is how fast a run has come forward of late.
type migrateRate struct {
	points []ratePoint // the oldest first
}

// ratePoint is where a run was at a checkpoint.
type ratePoint struct {
	at    time.Time
	rows  int64
	input int64 // bytes
}

// add notes a checkpoint, and where in the input it is.
func (r *migrateRate) add(at time.Time, c migrate.Checkpoint, input int64) {
	r.points = append(r.points, ratePoint{at, c.Rows, input})
	for len(r.points) > 2 && at.Sub(r.points[1].at) >= rateSpan {
		r.points = r.points[1:]
	}
}

// rows is how many are moved a second; ok says that it is known.
func (r *migrateRate) rows() (perSecond float64, ok bool) {
	first, last, ok := r.span()
	if !ok {
		return 0, false
	}
	return float64(last.rows-first.rows) / last.at.Sub(first.at).Seconds(), true
}

// left is how long an input of so many bytes will still take; ok says that it is known.
func (r *migrateRate) left(size int64) (left time.Duration, ok bool) {
	first, last, ok := r.span()
	if !ok || size == 0 || last.input == first.input {
		return 0, false
	}
	perByte := float64(last.at.Sub(first.at)) / float64(last.input-first.input)
	return time.Duration(perByte * float64(max(size-last.input, 0))).Round(time.Second), true
}

func (r *migrateRate) span() (first, last ratePoint, ok bool) {
	if len(r.points) < 2 {
		return first, last, false
	}
	first, last = r.points[0], r.points[len(r.points)-1]
	return first, last, last.at.After(first.at)
}

// text is the rate, and the time left where the size of the input is known; empty at the beginning.
func (r *migrateRate) text(size int64) string {
	perSecond, ok := r.rows()
	if !ok {
		return ""
	}
	text := grouped(uint64(perSecond)) + "/s"
	if left, ok := r.left(size); ok {
		text += fmt.Sprintf(", %s left", left)
	}
	return text
}
