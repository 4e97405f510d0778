package migrate

// Status is what came of a row.
type Status string

const (
	// Moved: the row has a new blob.
	Moved Status = "moved"
	// Kept: by its header the row was sealed under the destination's key already. It was not opened, and is as it was.
	Kept Status = "kept"
	// Skipped: the row is of a key whose rows are not to be moved, or one of a table that does not meet its condition any
	// more, and is as it was.
	Skipped Status = "skipped"
	// Failed: the row could not be moved, and is as it was.
	Failed Status = "failed"
)

// Outcome is what came of a row.
type Outcome struct {
	Status Status
	Blob   []byte    // the new one, of Moved
	From   string    // REGION/KEYID/VERSION of the blob that was there; empty if it was none
	To     string    // the same of the new one if only the region that made it can tell; empty: its header says it
	Fault  *RowError // of Failed
}
