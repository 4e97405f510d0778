// Package devregion lays out and runs regions of real server processes on
// loopback, for development, the demo and tests.
//
// A folder holds one sub-folder for each region. In it lie the configuration,
// certificates, root key and log of each node, and beside them, below data/,
// the nodes' state:
//
//	DIR/layout.json
//	DIR/cn-local-1/ca.pem root.key root.secret
//	DIR/cn-local-1/cn-local-1-n1.yaml .log .api.crt .api.key .cluster.crt ...
//	DIR/cn-local-1/data/cn-local-1-n1/
//
// Everything is for the user alone (0600, folders 0700). Nodes are processes of
// their own: they can be killed, stopped and started again, by this package or
// by hand with their own command line.
package devregion

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"
)

// The access key of every development region. It is fixed, so that examples
// and fixtures can hold it, and worth nothing elsewhere.
const (
	AccessKeyID     = "LTAImeridiandev"
	AccessKeySecret = "meridian-development-only"
)

// Account owns every key of a development region.
const Account = "100000000000001"

// Options says what to lay out.
type Options struct {
	Dir     string // existing or not; a folder that was laid out before is taken as it is
	Regions int
	Nodes   int    // in each region
	Port    int    // first of a row of ports, four for each node; 0: free ones
	Prefix  string // of region ids; empty: cn-local
}

// Layout is what lies in a folder.
type Layout struct {
	Dir     string    `json:"-"`
	Port    int       `json:"port"` // as asked for; 0: free ones were taken
	Regions []*Region `json:"regions"`
	Reused  bool      `json:"-"` // the folder was laid out before, by an earlier run
}

// Region is one region of a Layout.
type Region struct {
	ID    string  `json:"id"`
	Nodes []*Node `json:"nodes"`
	// TransportKey is the fingerprint of the region's transport key, which the others pin; empty before it is known.
	TransportKey string `json:"transport_key,omitempty"`

	Dir    string `json:"-"`
	CAFile string `json:"-"` // PEM, what clients trust
}

// Node is one server of a Region. Addresses are host:port.
type Node struct {
	ID      string `json:"id"`
	API     string `json:"api"`
	Cluster string `json:"cluster"`
	Ops     string `json:"ops"`
	HTTP    string `json:"http"`

	Region     string `json:"-"` // its region's id
	ConfigFile string `json:"-"`
	DataDir    string `json:"-"`
	LogFile    string `json:"-"`
}

// Endpoint is the node's API over TLS.
func (n *Node) Endpoint() string { return "https://" + n.API }

// HTTPEndpoint is the node's API without TLS.
func (n *Node) HTTPEndpoint() string { return "http://" + n.HTTP }

// OpsURL is the root of the node's health and metrics.
func (n *Node) OpsURL() string { return "http://" + n.Ops }

// Nodes are all nodes of all regions.
func (l *Layout) Nodes() []*Node {
	var all []*Node
	for _, r := range l.Regions {
		all = append(all, r.Nodes...)
	}
	return all
}

const layoutFile = "layout.json"

// Prepare makes a folder ready to run, or takes up one that an earlier run
// left. A folder that holds another number of regions or nodes, or other
// ports than those asked for, is an error.
func Prepare(o Options) (*Layout, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := reopen(dir)
	switch {
	case err == nil:
		if err := l.fits(o); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrNotExist):
		if l, err = plan(o); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	l.Dir = dir
	l.place()
	for _, r := range l.Regions {
		if err := r.write(l); err != nil {
			return nil, fmt.Errorf("region %s: %w", r.ID, err)
		}
	}
	// Last, so that a folder with a layout has all its files.
	return l, l.save()
}

func reopen(dir string) (*Layout, error) {
	text, err := os.ReadFile(filepath.Join(dir, layoutFile))
	if err != nil {
		return nil, err
	}
	l := &Layout{Reused: true}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, layoutFile), err)
	}
	return l, nil
}

func (l *Layout) save() error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(l.Dir, layoutFile), append(text, '\n'), 0o600)
}

// fits says whether a folder of an earlier run is what is asked for now.
func (l *Layout) fits(o Options) error {
	nodes := 0
	if len(l.Regions) > 0 {
		nodes = len(l.Regions[0].Nodes)
	}
	if len(l.Regions) != o.Regions || nodes != o.Nodes {
		return fmt.Errorf("%s holds %d regions of %d nodes, not %d of %d; ask for the same or take another folder",
			o.Dir, len(l.Regions), nodes, o.Regions, o.Nodes)
	}
	if o.Port != 0 && o.Port != l.Port {
		return fmt.Errorf("%s holds nodes with ports of their own, which they know each other by; leave the port out or take another folder", o.Dir)
	}
	return nil
}

// plan chooses names and ports.
func plan(o Options) (*Layout, error) {
	prefix := o.Prefix
	if prefix == "" {
		prefix = "cn-local"
	}
	ports, err := choosePorts(o.Port, 4*o.Regions*o.Nodes)
	if err != nil {
		return nil, err
	}
	take := func() string {
		address := "127.0.0.1:" + strconv.Itoa(ports[0])
		ports = ports[1:]
		return address
	}
	l := &Layout{Port: o.Port}
	for i := range o.Regions {
		r := &Region{ID: fmt.Sprintf("%s-%d", prefix, i+1)}
		for j := range o.Nodes {
			r.Nodes = append(r.Nodes, &Node{
				ID: fmt.Sprintf("%s-n%d", r.ID, j+1), API: take(), Cluster: take(), Ops: take(), HTTP: take(),
			})
		}
		l.Regions = append(l.Regions, r)
	}
	return l, nil
}

// place fills in the paths, which follow from the folder.
func (l *Layout) place() {
	for _, r := range l.Regions {
		r.Dir = filepath.Join(l.Dir, r.ID)
		r.CAFile = filepath.Join(r.Dir, "ca.pem")
		for _, n := range r.Nodes {
			n.Region = r.ID
			n.ConfigFile = filepath.Join(r.Dir, n.ID+".yaml")
			n.LogFile = filepath.Join(r.Dir, n.ID+".log")
			n.DataDir = filepath.Join(r.Dir, "data", n.ID)
		}
	}
}
