package devregion

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"go.yaml.in/yaml/v3"

	"meridian/cluster/transport"
	"meridian/crypto/seal"
)

// renewBefore is how long a kept certificate must still be good.
const renewBefore = 30 * 24 * time.Hour

// write puts the region's files in place. Root key, secret and certificates
// that are there already stay.
func (r *Region) write(l *Layout) error {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	rootKey := filepath.Join(r.Dir, "root.key")
	if _, err := os.Stat(rootKey); errors.Is(err, fs.ErrNotExist) {
		if err := seal.GenerateFile(rootKey); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(r.Dir, "root.secret"), []byte(AccessKeySecret+"\n")); err != nil {
		return err
	}
	if !r.certificatesGood() {
		if err := r.issue(); err != nil {
			return err
		}
	}
	for _, n := range r.Nodes {
		if err := os.MkdirAll(n.DataDir, 0o700); err != nil {
			return err
		}
		text, err := n.config(r, l)
		if err != nil {
			return err
		}
		if err := writeFile(n.ConfigFile, text); err != nil {
			return err
		}
	}
	return nil
}

// Pin writes the configurations anew, in which each region pins the transport keys of the others as the layout has them
// now. Nodes that run read them on SIGHUP.
func (l *Layout) Pin() error {
	for _, r := range l.Regions {
		for _, n := range r.Nodes {
			text, err := n.config(r, l)
			if err != nil {
				return err
			}
			if err := writeFile(n.ConfigFile, text); err != nil {
				return err
			}
		}
	}
	return l.save()
}

// certificatesGood says whether every node has certificates that last a while.
func (r *Region) certificatesGood() bool {
	for _, n := range r.Nodes {
		for _, name := range []string{n.ID + ".api.crt", n.ID + ".cluster.crt"} {
			text, err := os.ReadFile(filepath.Join(r.Dir, name))
			if err != nil {
				return false
			}
			block, _ := pem.Decode(text)
			if block == nil {
				return false
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil || time.Until(cert.NotAfter) < renewBefore {
				return false
			}
		}
	}
	return true
}

// issue makes two CAs, one for what clients see and one for the nodes among
// themselves, and certificates by them. The CAs' keys are not kept.
func (r *Region) issue() error {
	for _, kind := range []struct{ name, ca string }{{"api", "ca.pem"}, {"cluster", "cluster-ca.pem"}} {
		ca, err := transport.NewCA(r.ID)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.Dir, kind.ca), ca.CertPEM()); err != nil {
			return err
		}
		if kind.name == "api" {
			if err := writeFile(TrustFile(r.CAFile), trustBundle(ca.CertPEM())); err != nil {
				return err
			}
		}
		for _, n := range r.Nodes {
			cert, key, err := ca.Issue(n.ID, []string{"127.0.0.1", "::1", "localhost"})
			if err != nil {
				return err
			}
			base := filepath.Join(r.Dir, n.ID+"."+kind.name)
			if err := writeFile(base+".crt", cert); err != nil {
				return err
			}
			if err := writeFile(base+".key", key); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(path string, text []byte) error {
	return renameio.WriteFile(path, text, 0o600)
}

// object is a mapping of the configuration file.
type object = map[string]any

// config is the node's configuration file.
func (n *Node) config(r *Region, l *Layout) ([]byte, error) {
	var voters []object
	for _, v := range r.Nodes {
		voters = append(voters, object{"id": v.ID, "address": v.Cluster})
	}
	peers := []object{}
	for _, other := range l.Regions {
		if other != r {
			peer := object{"region": other.ID}
			if other.TransportKey != "" {
				peer["transport_key"] = other.TransportKey
			}
			peers = append(peers, peer)
		}
	}
	raft := object{}
	if len(r.Nodes) == 1 {
		// Nobody else can lead: there is nothing to wait for.
		raft["heartbeat_timeout"] = "100ms"
	}
	text, err := yaml.Marshal(object{
		"node":   object{"id": n.ID, "data": filepath.Join("data", n.ID)},
		"region": object{"id": r.ID, "account": Account},
		"listen": object{
			"api":  object{"address": n.API, "tls": object{"cert": n.ID + ".api.crt", "key": n.ID + ".api.key"}},
			"http": object{"address": n.HTTP},
			"cluster": object{"address": n.Cluster, "tls": object{
				"cert": n.ID + ".cluster.crt", "key": n.ID + ".cluster.key", "ca": "cluster-ca.pem",
			}},
			"ops": object{"address": n.Ops},
		},
		"bootstrap": object{"voters": voters},
		"access":    object{"root": object{"id": AccessKeyID, "secret": "file://root.secret"}},
		"seal":      object{"type": "file", "path": "root.key"},
		"peers":     peers,
		// What a developer tries out must not wait for a week, nor for the pins of another region.
		"limits":   object{"version_interval": "0s"},
		"export":   object{"allow": "any"},
		"raft":     raft,
		"shutdown": object{"grace": "2s"},
	})
	if err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", n.ID, err)
	}
	return append([]byte("# Written by meridian dev, again at each start.\n"), text...), nil
}
