package devregion

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"meridian/cmd/meridian/config"
)

func TestPrepareWritesWhatServersRead(t *testing.T) {
	l, err := Prepare(Options{Dir: filepath.Join(t.TempDir(), "new", "dir"), Regions: 2, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	if l.Reused || len(l.Nodes()) != 6 {
		t.Fatalf("reused %v, %d nodes; want a new layout of 6", l.Reused, len(l.Nodes()))
	}
	addresses := map[string]bool{}
	for _, r := range l.Regions {
		for _, n := range r.Nodes {
			c, err := config.Load(config.Options{File: n.ConfigFile})
			if err != nil {
				t.Fatalf("configuration of %s: %v", n.ID, err)
			}
			if c.Config.Node.Data != n.DataDir || c.Config.Region.ID != r.ID || len(c.Config.Bootstrap.Voters) != 3 {
				t.Errorf("%s: data %s, region %s, %d voters", n.ID, c.Config.Node.Data, c.Config.Region.ID, len(c.Config.Bootstrap.Voters))
			}
			if len(c.Config.Peers) != 1 || c.Config.Peers[0].Region == r.ID {
				t.Errorf("%s: peers %+v", n.ID, c.Config.Peers)
			}
			for _, a := range []string{n.API, n.Cluster, n.Ops, n.HTTP} {
				if addresses[a] {
					t.Errorf("address %s is used twice", a)
				}
				addresses[a] = true
			}
			for _, outside := range []string{n.ConfigFile, n.LogFile, r.CAFile, c.Config.Seal.Path, c.Config.Listen.API.TLS.Key} {
				if strings.HasPrefix(outside, n.DataDir+string(filepath.Separator)) {
					t.Errorf("%s lies inside the data folder", outside)
				}
			}
		}
	}
}

func TestEverythingIsPrivate(t *testing.T) {
	l, err := Prepare(Options{Dir: filepath.Join(t.TempDir(), "d"), Regions: 1, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(l.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if perm := info.Mode().Perm(); perm&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, perm)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPrepareTakesUpWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	first, err := Prepare(Options{Dir: dir, Regions: 1, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for _, name := range []string{"root.key", "ca.pem", "cn-local-1-n2.cluster.crt", "cn-local-1-n2.yaml"} {
		kept[name] = readFile(t, filepath.Join(first.Regions[0].Dir, name))
	}
	second, err := Prepare(Options{Dir: dir, Regions: 1, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !second.Reused {
		t.Error("the folder was laid out anew")
	}
	if diff := cmp.Diff(first.Regions, second.Regions); diff != "" {
		t.Errorf("regions (-first +second):\n%s", diff)
	}
	for name, text := range kept {
		if readFile(t, filepath.Join(first.Regions[0].Dir, name)) != text {
			t.Errorf("%s has changed", name)
		}
	}
	for _, other := range []Options{{Regions: 2, Nodes: 3}, {Regions: 1, Nodes: 1}, {Regions: 1, Nodes: 3, Port: 9410}} {
		other.Dir = dir
		if _, err := Prepare(other); err == nil {
			t.Errorf("%+v was laid out over 1 region of 3 nodes", other)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPortRowNamesTheTakenPort(t *testing.T) {
	named := func(err error, port int) bool {
		return err != nil && strings.Contains(err.Error(), fmt.Sprintf("port %d is taken", port))
	}
	for tries := 1; ; tries++ {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := taken.Addr().(*net.TCPAddr).Port
		_, err = choosePorts(port-1, 4)
		if named(err, port) {
			break
		}
		if !named(err, port-1) || tries == 100 { // else that one is somebody else's
			t.Fatalf("error is %v, want one that names port %d", err, port)
		}
	}
	if _, err := choosePorts(65534, 4); err == nil {
		t.Error("ports beyond 65535 were chosen")
	}
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := choosePorts(0, 24)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] || p < lowestFreePort || p >= highestFreePort {
			t.Errorf("port %d", p)
		}
		seen[p] = true
	}
}
