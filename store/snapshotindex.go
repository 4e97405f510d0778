package store

import "io"

// SnapshotIndex returns the index of the last entry whose effect a snapshot
// holds, from its trailer and without reading the database. It checks the form
// of the snapshot, not its content: Restore does that.
func SnapshotIndex(r io.ReaderAt) (uint64, error) {
	size, err := readHeader(io.NewSectionReader(r, 0, int64(snapshotHeaderBytes)))
	if err != nil {
		return 0, err
	}
	trailer, err := readTrailer(io.NewSectionReader(r, int64(snapshotHeaderBytes)+int64(size), 4+maxTrailerBytes))
	if err != nil {
		return 0, err
	}
	return trailer.AppliedIndex, nil
}
