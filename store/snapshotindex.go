package store

import (
	"encoding/binary"
	"fmt"
	"io"
)

// SnapshotIndex returns the index of the last entry whose effect a snapshot
// holds, from its trailer and without reading the database. It checks the form
// of the snapshot, not its content: Restore does that.
func SnapshotIndex(r io.ReaderAt) (uint64, error) {
	header := make([]byte, len(snapshotMagic)+8)
	if err := readFull(io.NewSectionReader(r, 0, int64(len(header))), header, "header"); err != nil {
		return 0, err
	}
	if string(header[:len(snapshotMagic)]) != snapshotMagic {
		return 0, fmt.Errorf("%w: unknown format %q", ErrSnapshot, header[:len(snapshotMagic)])
	}
	size := binary.BigEndian.Uint64(header[len(snapshotMagic):])
	if size > 1<<62 {
		return 0, fmt.Errorf("%w: database of %d bytes", ErrSnapshot, size)
	}
	trailer, err := readTrailer(io.NewSectionReader(r, int64(len(header))+int64(size), 4+maxTrailerBytes))
	if err != nil {
		return 0, err
	}
	return trailer.AppliedIndex, nil
}
