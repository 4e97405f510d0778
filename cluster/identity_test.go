package cluster

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func openIdentity(t *testing.T, dir string) *identity {
	t.Helper()
	db, err := openRaftFile(dir, "a", "r1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	id, err := loadIdentity(checkedLog{db}, "a", "r1")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestVoterIsKnownByItsFirstDataOnceFormed(t *testing.T) {
	id := openIdentity(t, t.TempDir())
	first, second := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16)
	admit := func(incarnation []byte, want bool) {
		t.Helper()
		if got, err := id.admitPeer("b", incarnation); err != nil || got != want {
			t.Errorf("admitted: %v, %v; want %v", got, err, want)
		}
	}
	admit(first, true)
	admit(second, true) // this node has not taken part: no vote of b can have counted
	if err := id.setFormed(); err != nil {
		t.Fatal(err)
	}
	admit(second, true)
	admit(first, false)
	if got, err := id.admitPeer("c", first); err != nil || got {
		t.Errorf("a voter that was never met is admitted after the region was formed: %v", err)
	}
	if _, err := id.admitPeer("b", first[:15]); err == nil {
		t.Error("short incarnation accepted")
	}
}

func TestIdentitySurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	db, err := openRaftFile(dir, "a", "r1")
	if err != nil {
		t.Fatal(err)
	}
	id, err := loadIdentity(checkedLog{db}, "a", "r1")
	if err != nil {
		t.Fatal(err)
	}
	cluster, epoch := bytes.Repeat([]byte{7}, 16), bytes.Repeat([]byte{8}, 16)
	if err := errors.Join(id.setFormed(), id.bindCluster(cluster, epoch), db.Close()); err != nil {
		t.Fatal(err)
	}
	again := openIdentity(t, dir)
	if first, later := (&Node{identity: id}).FirstStart(), (&Node{identity: again}).FirstStart(); !first || later {
		t.Errorf("first start: %v, and after a restart %v", first, later)
	}
	if !again.isFormed() || !bytes.Equal(again.incarnation, id.incarnation) {
		t.Errorf("formed %v, incarnation %x; was %x", again.isFormed(), again.incarnation, id.incarnation)
	}
	if bound, err := again.cluster(); err != nil || !bytes.Equal(bound, append(cluster, epoch...)) {
		t.Errorf("bound to %x, %v", bound, err)
	}
	if err := again.bindCluster(bytes.Repeat([]byte{9}, 16), epoch); !errors.Is(err, ErrForeignData) {
		t.Errorf("bound to another cluster: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, raftFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", raftFile, info.Mode(), err)
	}
}

// A crash while the log file is made leaves a temporary name, never half a file
// under the real one.
func TestHalfMadeLogFileIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, raftFile+".new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openIdentity(t, dir)
}
