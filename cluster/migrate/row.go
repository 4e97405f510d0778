package migrate

import (
	"fmt"
	"strconv"

	"meridian/crypto"
)

// Row is one data key of the input.
type Row struct {
	Number  int64          // of the row, from 1; headers do not count
	Line    int64          // of the input where it begins, from 1; 0 where there are no lines
	ID      string         // what names it, or empty
	Blob    []byte         // its ciphertext blob, decoded
	Context crypto.Context // that it was sealed in
	// Target is the context that the new blob is to be sealed in; nil: that of the old one.
	Target *crypto.Context
	To     string    // the key that it is to be sealed under, or empty
	Skip   bool      // it is left as it is
	Fault  *RowError // if the row cannot be read; it is not moved then
	// InputRow is what an output says that the number of this row was; 0 if it says nothing.
	InputRow int64

	size    int // bytes that the row holds, about
	carried any // what its format needs to write it again
}

// sealing is the context that the new blob is sealed in.
func (r *Row) sealing() crypto.Context {
	if r.Target != nil {
		return *r.Target
	}
	return r.Context
}

// newContext says whether a row that was moved has another context than before.
func (r *Row) newContext() bool { return !r.sealing().Equal(r.Context) }

// setInputRow reads the number that a row had before the move.
func (r *Row) setInputRow(text []byte) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && n > 0 {
		r.InputRow = n
	}
}

// RowError says why a row was not moved. It repeats nothing of a blob or a context.
type RowError struct {
	Code   string // of the API where a region refused it, else one of the Fault constants
	Reason string // for people
}

// Faults that no region has to be asked for.
const (
	FaultSyntax    = "Syntax"      // the row is not of its format
	FaultNoBlob    = "NotABlob"    // what should be a ciphertext blob is none
	FaultContext   = "Context"     // the encryption context cannot be read
	FaultDuplicate = "DuplicateID" // an earlier row has the same id
	FaultRegion    = "OtherRegion" // the blob is of neither region
	FaultNoTarget  = "NoTarget"    // neither the row nor the mapping names a key to seal it under
	FaultChanged   = "Changed"     // another writer was there meanwhile, and what it wrote stays
	FaultTooLarge  = "TooLarge"    // the way cannot carry a plaintext of this size
)

func (e *RowError) Error() string { return e.Code + ": " + e.Reason }

// fault makes a RowError.
func fault(code, format string, args ...any) *RowError {
	return &RowError{Code: code, Reason: fmt.Sprintf(format, args...)}
}
