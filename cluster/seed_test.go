package cluster

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"meridian/store"
)

// A node whose snapshots cannot be listed says so to the one that asks for its
// state.
func TestSnapshotFolderThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Config{Path: filepath.Join(dir, "state.db"), InitialMmapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a:1"}}})
	if _, err := s.Apply([]store.Entry{{Index: 1, Term: 1, Kind: store.Configuration, Data: configuration}}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	files, err := openSnapshots(dir, Disk{Free: func(string) (uint64, error) { return 1 << 40, nil }}, newRaftLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{log: log, ctx: t.Context(), store: s, snapshots: files, machine: &machine{}}
	n.futures.close(time.Second) // Raft makes none
	meta, err := n.snapshotCovering(t.Context(), 1)
	if err != nil || meta.Index != 1 {
		t.Fatalf("snapshot %+v, %v", meta, err)
	}
	folder := filepath.Join(dir, snapshotsDir)
	if err := os.Rename(folder, folder+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	meta, err = n.snapshotCovering(t.Context(), 1)
	if meta != nil || err == nil || !strings.Contains(err.Error(), "no snapshot to give") || !strings.Contains(err.Error(), folder+": not a directory") {
		t.Fatalf("snapshot %+v, error %v; want why none can be listed", meta, err)
	}
}
