//go:build faults

package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"meridian/cluster/transport"
	"meridian/crypto/seal"
)

const (
	regionID  = "cn-faults-1"
	account   = "100000000000001"
	accessKey = "LTAIfaults"
	secret    = "faults-suite-only"
)

// node is one server of a region. Addresses are host:port.
type node struct {
	id                string
	api, cluster, ops string
	config, data, log string
	proc              *process // nil: never started
}

// region is three servers with a proxy between every ordered pair of them.
type region struct {
	t        testing.TB
	dir      string
	nodes    []*node
	links    *links
	launcher *launcher
	prefix   func(n *node) []string // program and arguments that servers run below
}

// layOut writes the files of a region of count nodes whose data lies below
// dataDir, with further configuration as PATH=VALUE settings.
func layOut(t testing.TB, dir, dataDir string, count int, set ...string) *region {
	t.Helper()
	r := &region{t: t, dir: dir}
	var err error
	if r.launcher, err = newLauncher(); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3*count)
	take := func() string { p := ports[0]; ports = ports[1:]; return p }
	for i := range count {
		id := fmt.Sprintf("n%d", i+1)
		r.nodes = append(r.nodes, &node{
			id: id, api: take(), cluster: take(), ops: take(),
			config: filepath.Join(dir, id+".yaml"), data: filepath.Join(dataDir, id), log: filepath.Join(dir, id+".log"),
		})
	}
	if r.links, err = newLinks(r.nodes); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	if err := r.write(set); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *region) write(set []string) error {
	ca, err := transport.NewCA(regionID)
	if err != nil {
		return err
	}
	file := func(name string, text []byte) error { return os.WriteFile(filepath.Join(r.dir, name), text, 0o600) }
	errs := []error{
		file("ca.pem", ca.CertPEM()),
		file("root.secret", []byte(secret+"\n")),
		seal.GenerateFile(filepath.Join(r.dir, "root.key")),
	}
	for _, n := range r.nodes {
		cert, key, issued := ca.Issue(n.id, []string{"127.0.0.1"})
		text, written := r.configuration(n, set)
		errs = append(errs, issued, written, file(n.id+".crt", cert), file(n.id+".key", key), os.MkdirAll(n.data, 0o700),
			file(n.id+".yaml", text))
	}
	return errors.Join(errs...)
}

// configuration is a server's file.
func (r *region) configuration(n *node, set []string) ([]byte, error) {
	voters, dial := []any{}, map[string]any{}
	for _, other := range r.nodes {
		voters = append(voters, map[string]any{"id": other.id, "address": other.cluster})
		if other != n {
			dial[other.id] = r.links.address(n, other)
		}
	}
	values := map[string]any{}
	for path, value := range map[string]any{
		"node.id": n.id, "node.data": n.data, "region.id": regionID, "region.account": account,
		"listen.api.address": "", "listen.http.address": n.api, "listen.ops.address": n.ops,
		"listen.cluster.address": n.cluster,
		"listen.cluster.tls":     map[string]any{"cert": n.id + ".crt", "key": n.id + ".key", "ca": "ca.pem"},
		"bootstrap.voters":       voters, "cluster.dial": dial,
		"access.root.id": accessKey, "access.root.secret": "file://root.secret", "seal.path": "root.key",
		"limits.aliases": 1_000_000, "limits.keys": 1_000_000, "limits.key_versions": 1_000_000,
		"disk.min_free": "16MiB", "disk.reserve": "1MiB", "shutdown.grace": "5s",
	} {
		place(values, path, value)
	}
	for _, s := range set {
		path, text, _ := strings.Cut(s, "=")
		place(values, path, text)
	}
	return yaml.Marshal(values)
}

// place puts a value at a dotted path.
func place(values map[string]any, path string, value any) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		values[name] = value
		return
	}
	inner, ok := values[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		values[name] = inner
	}
	place(inner, rest, value)
}

// freePorts returns addresses on loopback that nobody listens on, below the
// range from which the system takes the ports of outgoing connections.
func freePorts(t testing.TB, count int) []string {
	t.Helper()
	var addresses []string
	for range 1000 * count {
		address := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(17_000))
		if slices.Contains(addresses, address) {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		if addresses = append(addresses, address); len(addresses) == count {
			return addresses
		}
	}
	t.Fatal("no free ports")
	return nil
}
