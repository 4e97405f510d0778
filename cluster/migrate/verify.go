package migrate

import (
	"context"
	"io"
	"sync"
)

// Verification is what came of comparing data keys before and after a move.
type Verification struct {
	Rows     int64     `json:"rows"`
	Moved    int64     `json:"moved"`              // rows with another blob than before
	Checked  int64     `json:"checked"`            // of these, whose data keys were compared
	Equal    int64     `json:"equal"`              // of these, that are the same data key
	Failures []Failure `json:"failures,omitempty"` // the first of those that are not known to be equal; at most MaxPlanned
	// Cut is how many more there are.
	Cut int64 `json:"failures_cut,omitempty"`
}

// Faults of a verification.
const (
	FaultDiffers = "Differs" // the new blob holds another data key
	FaultRows    = "Rows"    // input and output are not the same rows
)

// Verifier compares data keys before and after a move.
type Verifier interface {
	// Verify compares those of each row that was moved and that choose chooses, workers calls at once.
	Verify(ctx context.Context, pairs Pairs, choose func() bool, workers int) (*Verification, error)
}

// verification collects what many workers find.
type verification struct {
	mu     sync.Mutex
	result Verification
}

// read goes through the pairs and hands those on that are to be compared. It returns an error of hand as well.
func (v *verification) read(ctx context.Context, pairs Pairs, choose func() bool, hand func(before, after *Row) error) error {
	for {
		before, after, err := pairs.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		differs := before.Fault == nil && (after.Fault != nil || string(before.Blob) != string(after.Blob))
		v.mu.Lock()
		v.result.Rows++
		if differs {
			v.result.Moved++
		}
		v.mu.Unlock()
		switch {
		case !differs:
			continue
		case after.Fault != nil: // a row that could be read and cannot any more is no row that was moved
			v.compared(before, after.Fault)
			continue
		case !choose():
			continue
		}
		before.carried, after.carried = nil, nil // what else stands in the rows need not wait for an answer
		if err := hand(before, after); err != nil {
			return err
		}
	}
}

// compared counts a row that was looked at; refused says why it is not known to be equal.
func (v *verification) compared(before *Row, refused *RowError) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Checked++
	switch {
	case refused == nil:
		v.result.Equal++
	case len(v.result.Failures) < MaxPlanned:
		v.result.Failures = append(v.result.Failures, Failure{Row: before.Number, Line: before.Line, ID: before.ID, Code: refused.Code, Reason: refused.Reason})
	default:
		v.result.Cut++
	}
}

// errDiffers is what is wrong with a row whose data key is another one than before.
func errDiffers() *RowError { return fault(FaultDiffers, "the new blob holds another data key") }
