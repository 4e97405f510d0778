package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster"
	"meridian/cluster/access"
	clustertransport "meridian/cluster/transport"
	"meridian/cmd/meridian/config"
	"meridian/crypto"
)

// TestConfigCheckRefusesWhatTheServerDoes gives mistakes to `meridian config
// check` and to the package that would refuse them at the start.
func TestConfigCheckRefusesWhatTheServerDoes(t *testing.T) {
	const root = "LTAIroot"
	enough := strings.Repeat("x", access.MinSecretBytes)
	tooMany := voterList(cluster.MaxVoters + 1)
	nine := voterList(cluster.MaxVoters)
	for _, tt := range []struct {
		name              string
		node, voters      string // the latter as ID=ADDRESS, separated by blanks
		accessKey, secret string
		path, want        string // what config check names, empty: it takes all
	}{
		{name: "all right", node: "n1", voters: nine, accessKey: root, secret: enough},
		{name: "node id", node: ".n1", voters: ".n1=n1:9411", accessKey: root, secret: enough, path: "node.id", want: "a letter or digit first"},
		{name: "voter's id", node: "n1", voters: "n1=n1:9411 n/2=n2:9411", accessKey: root, secret: enough, path: "bootstrap.voters", want: `"n/2" is not a node id`},
		{name: "voter without id", node: "n1", voters: "n1=n1:9411 =n2:9411", accessKey: root, secret: enough, path: "bootstrap.voters", want: `"" is not a node id`},
		{name: "voter without address", node: "n1", voters: "n1=n1:9411 n2=", accessKey: root, secret: enough, path: "bootstrap.voters", want: "not host:port"},
		{name: "voter's port", node: "n1", voters: "n1=n1:9411 n2=n2:0", accessKey: root, secret: enough, path: "bootstrap.voters", want: `"n2:0" is not host:port`},
		{name: "too many voters", node: "n1", voters: tooMany, accessKey: root, secret: enough, path: "bootstrap.voters", want: "10 voters, at most 9"},
		{name: "voter twice", node: "n1", voters: "n1=n1:9411 n2=n2:9411 n2=n3:9411", accessKey: root, secret: enough, path: "bootstrap.voters", want: `"n2" is listed twice`},
		{name: "address twice", node: "n1", voters: "n1=n1:9411 n2=n2:9411 n3=n2:9411", accessKey: root, secret: enough, path: "bootstrap.voters", want: `"n2:9411" is listed twice`},
		{name: "not a voter", node: "n1", voters: "n2=n2:9411", accessKey: root, secret: enough, path: "bootstrap.voters", want: "not among the voters"},
		{name: "access key id", node: "n1", voters: nine, accessKey: "a b", secret: enough, path: "access.root.id", want: "not an access key id"},
		{name: "short secret", node: "n1", voters: nine, accessKey: root, secret: enough[1:], path: "access.root.secret", want: "shorter than 16 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var items []string
			node := cluster.Config{NodeID: tt.node, Region: "cn-hangzhou", Account: "1", DataDir: t.TempDir(), Transport: clustertransport.Config{
				Address: ":9411", Advertise: "n1:9411", CertFile: "c", KeyFile: "k", CAFile: "a",
			}}
			for _, voter := range strings.Fields(tt.voters) {
				id, address, _ := strings.Cut(voter, "=")
				items = append(items, fmt.Sprintf("{id: %q, address: %q}", id, address))
				node.Voters = append(node.Voters, cluster.Voter{ID: id, Address: address})
			}
			secretFile := filepath.Join(t.TempDir(), "root.secret")
			if err := os.WriteFile(secretFile, []byte(tt.secret), 0o600); err != nil {
				t.Fatal(err)
			}
			found := checkOf(t, "node.id="+tt.node, "bootstrap.voters=["+strings.Join(items, ", ")+"]",
				"access.root.id="+tt.accessKey, "access.root.secret=file://"+secretFile)
			_, keys := access.NewRoot("1", access.Key{ID: tt.accessKey, Secret: crypto.Secret(tt.secret)})
			if refusal := errors.Join(node.Validate(), keys); (refusal != nil) != (tt.want != "") {
				t.Errorf("the server would answer: %v", refusal)
			}
			var lines []string
			for _, p := range found {
				if strings.HasPrefix(p.Text, "node.id") || strings.HasPrefix(p.Text, "bootstrap.voters") || strings.HasPrefix(p.Text, "access.") {
					lines = append(lines, p.Text)
				}
			}
			if tt.want == "" && len(lines) > 0 {
				t.Errorf("config check refuses %q", lines)
			}
			if all := strings.Join(lines, "\n"); !strings.Contains(all, tt.path) || !strings.Contains(all, tt.want) {
				t.Errorf("config check says %q, want %s with %q", all, tt.path, tt.want)
			}
		})
	}
}

// voterList is n1 to nN.
func voterList(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("n%d=n%d:9411", i+1, i+1))
	}
	return strings.Join(all, " ")
}

// checkOf is what `meridian config check` finds in a configuration that is right
// but for its files and the given settings.
func checkOf(t *testing.T, settings ...string) config.Problems {
	t.Helper()
	dir := t.TempDir()
	var problems config.Problems
	l, err := config.Load(config.Options{Set: append([]string{
		"node.data=" + filepath.Join(dir, "data"), "region.id=cn-hangzhou", "region.account=1", "seal.path=" + filepath.Join(dir, "root.key"),
		"listen.api.address=", "listen.http.address=127.0.0.1:9413", "listen.cluster.advertise=n1:9411",
		"listen.cluster.tls.cert=c", "listen.cluster.tls.key=k", "listen.cluster.tls.ca=a",
	}, settings...)})
	if err == nil {
		err = checkFiles(l)
	}
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	return problems
}
