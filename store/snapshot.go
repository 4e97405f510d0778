package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"meridian/store/storepb"
)

// A snapshot is
//
//	"MERISNP1" || u64(bytes of the database) || database || u32(bytes of the trailer) || trailer || SHA-256 of all before
//
// where the database is a bbolt file and the trailer a storepb.SnapshotTrailer.
const (
	snapshotMagic   = "MERISNP1"
	maxTrailerBytes = 4096
)

// Snapshot is the state at one index, kept until Release.
type Snapshot struct {
	v *View
}

// Snapshot keeps the state as it is now. It returns at once; writes go on
// meanwhile. Pages that are replaced until Release are not used again, so the
// file grows by them.
func (s *Store) Snapshot() (*Snapshot, error) {
	v, err := s.privateView()
	if err != nil {
		return nil, err
	}
	return &Snapshot{v}, nil
}

// Index returns the index of the last entry whose effect the snapshot holds.
func (sn *Snapshot) Index() uint64 { return sn.v.Index() }

// Term returns the term of that entry.
func (sn *Snapshot) Term() uint64 { return sn.v.state.AppliedTerm }

// Configuration returns the newest Raft configuration that was applied, and the
// index of its entry.
func (sn *Snapshot) Configuration() (index uint64, data []byte, err error) {
	return sn.v.Configuration()
}

// Release ends the snapshot. It is called once, whether Persist was or not.
func (sn *Snapshot) Release() { sn.v.Close() }

// Persist writes the snapshot to w.
func (sn *Snapshot) Persist(w io.Writer) error {
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	size := sn.v.tx.Size()
	if _, err := out.Write(binary.BigEndian.AppendUint64([]byte(snapshotMagic), uint64(size))); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	n, err := sn.v.tx.WriteTo(out)
	if err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	if n != size {
		return fmt.Errorf("store: snapshot: wrote %d bytes of %d", n, size)
	}
	trailer, err := encode(sn.trailer(size))
	if err != nil {
		return err
	}
	if _, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(trailer))), trailer...)); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	return nil
}

// trailer says what the database holds.
func (sn *Snapshot) trailer(size int64) *storepb.SnapshotTrailer {
	t := &storepb.SnapshotTrailer{
		AppliedIndex:  sn.v.state.AppliedIndex,
		AppliedTerm:   sn.v.state.AppliedTerm,
		StateHash:     sn.v.state.StateHash,
		DatabaseBytes: uint64(size),
	}
	if r, ok := sn.v.Region(); ok {
		t.ClusterId, t.DataEpoch, t.FeatureLevel = r.ClusterID, r.DataEpoch, r.FeatureLevel
	}
	return t
}

// readSnapshot copies the database of a snapshot to w and returns the trailer,
// once everything has proved to be what Persist wrote. Errors of r and w come
// back as they are; what is no complete snapshot is ErrSnapshot.
func readSnapshot(r io.Reader, w io.Writer) (*storepb.SnapshotTrailer, error) {
	sum := sha256.New()
	in := io.TeeReader(r, sum)
	size, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	if n, err := io.CopyN(w, in, int64(size)); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: ends after %d of %d bytes", ErrSnapshot, n, size)
	} else if err != nil {
		return nil, fmt.Errorf("store: snapshot: %w", err)
	}
	trailer, err := readTrailer(in)
	if err != nil {
		return nil, err
	}
	var want [sha256.Size]byte
	if err := readFull(r, want[:], "checksum"); err != nil {
		return nil, err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return nil, fmt.Errorf("%w: checksum differs", ErrSnapshot)
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return nil, fmt.Errorf("%w: goes on after its end", ErrSnapshot)
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("store: snapshot: %w", err)
	}
	if trailer.DatabaseBytes != size {
		return nil, fmt.Errorf("%w: trailer of another database", ErrSnapshot)
	}
	return trailer, nil
}

// snapshotHeaderBytes is the length of what comes before the database.
const snapshotHeaderBytes = len(snapshotMagic) + 8

// readHeader returns the bytes of the database.
func readHeader(r io.Reader) (size uint64, err error) {
	header := make([]byte, snapshotHeaderBytes)
	if err := readFull(r, header, "header"); err != nil {
		return 0, err
	}
	if string(header[:len(snapshotMagic)]) != snapshotMagic {
		return 0, fmt.Errorf("%w: unknown format %q", ErrSnapshot, header[:len(snapshotMagic)])
	}
	size = binary.BigEndian.Uint64(header[len(snapshotMagic):])
	if size > 1<<62 {
		return 0, fmt.Errorf("%w: database of %d bytes", ErrSnapshot, size)
	}
	return size, nil
}

func readTrailer(r io.Reader) (*storepb.SnapshotTrailer, error) {
	var length [4]byte
	if err := readFull(r, length[:], "trailer"); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxTrailerBytes {
		return nil, fmt.Errorf("%w: trailer of %d bytes", ErrSnapshot, n)
	}
	encoded := make([]byte, n)
	if err := readFull(r, encoded, "trailer"); err != nil {
		return nil, err
	}
	trailer := new(storepb.SnapshotTrailer)
	if err := proto.Unmarshal(encoded, trailer); err != nil {
		return nil, fmt.Errorf("%w: trailer: %v", ErrSnapshot, err)
	}
	return trailer, nil
}

// readFull fills b. A stream that ends before is no complete snapshot.
func readFull(r io.Reader, b []byte, what string) error {
	switch _, err := io.ReadFull(r, b); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: ends in its %s", ErrSnapshot, what)
	case err != nil:
		return fmt.Errorf("store: snapshot: %w", err)
	}
	return nil
}
