package config

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meridian/cluster/api"
)

// loadText loads a configuration from text, as a file called meridian.yaml in
// the working folder.
func loadText(t *testing.T, text string, o Options) (*Loaded, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("meridian.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.File = "meridian.yaml"
	return Load(o)
}

func environ(vars ...string) func() []string { return func() []string { return vars } }

func readGood(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLoadGood(t *testing.T) {
	l, err := loadText(t, readGood(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Node = Node{ID: "hz-1", Data: filepath.Join(dir, "data")}
	want.Region = Region{ID: "cn-hangzhou-self", Account: "1234567890"}
	want.Listen.API.TLS = TLS{Cert: filepath.Join(dir, "tls/api.crt"), Key: filepath.Join(dir, "tls/api.key")}
	want.Listen.HTTP.Address = "127.0.0.1:9413"
	want.Listen.Cluster = ClusterListener{Address: ":9411", Advertise: "hz-1.internal:9411", TLS: ClusterTLS{
		Cert: filepath.Join(dir, "tls/node.crt"), Key: filepath.Join(dir, "tls/node.key"), CA: filepath.Join(dir, "tls/ca.crt"),
	}}
	want.Listen.Names = []string{"kms.internal"}
	want.Bootstrap.Voters = []Voter{
		{"hz-1", "hz-1.internal:9411"}, {"hz-2", "hz-2.internal:9411"}, {"hz-3", "hz-3.internal:9411"},
	}
	want.Cluster.Dial = map[string]string{"hz-2": "127.0.0.1:7411"}
	want.Access.Root = RootKey{ID: "LTAIroot", Secret: SecretRef("file://" + filepath.Join(dir, "root.secret")), MinSignature: "v1"}
	want.Seal.Path = filepath.Join(dir, "root.key")
	want.Limits.Keys, want.Limits.Plaintext = 500, 6144
	want.Peers = []Peer{{Region: "cn-shanghai-self"}}
	want.Log.Level = "warn"
	want.Shutdown.Grace = 90 * time.Second
	want.Disk.MinFree = GiB
	if diff := cmp.Diff(want, l.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestLayersInOrder(t *testing.T) {
	o := Options{
		Environ: environ("MERIDIAN_LOG__LEVEL=error", "MERIDIAN_LIMITS__KEYS=700", "MERIDIAN_LISTEN__NAMES=a.example, b.example",
			"MERIDIAN_ENDPOINT=https://x", "OTHER=1"),
		Ignore: []string{"MERIDIAN_ENDPOINT"},
		Set:    []string{"limits.keys=900", `peers=[{region: cn-x}]`, "raft.hold=3s"},
	}
	l, err := loadText(t, readGood(t), o)
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Value, Origin any }
	c := l.Config
	got := map[string]row{
		"log.level":        {c.Log.Level, l.Origin("log.level")},
		"limits.keys":      {c.Limits.Keys, l.Origin("limits.keys")},
		"limits.plaintext": {c.Limits.Plaintext, l.Origin("limits.plaintext")},
		"limits.aliases":   {c.Limits.Aliases, l.Origin("limits.aliases")},
		"listen.names":     {strings.Join(c.Listen.Names, " "), l.Origin("listen.names")},
		"peers":            {c.Peers[0].Region, l.Origin("peers")},
		"raft.hold":        {c.Raft.Hold, l.Origin("raft.hold")},
	}
	want := map[string]row{
		"log.level":        {"error", "MERIDIAN_LOG__LEVEL"},
		"limits.keys":      {900, "--set limits.keys"},
		"limits.plaintext": {6144, "meridian.yaml:15"},
		"limits.aliases":   {300, "default"},
		"listen.names":     {"a.example b.example", "MERIDIAN_LISTEN__NAMES"},
		"peers":            {"cn-x", "--set peers"},
		"raft.hold":        {3 * time.Second, "--set raft.hold"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values and origins (-want +got):\n%s", diff)
	}
}

// TestMistakes changes one thing in a good configuration and wants exactly the
// lines given.
func TestMistakes(t *testing.T) {
	good := readGood(t)
	tests := []struct {
		name     string
		old, new string // replacement in the file
		env, set []string
		want     string
	}{
		{name: "unknown key", old: "seal:   { path: root.key }", new: "seal:\n  tpye: file\n  path: root.key",
			want: `meridian.yaml:15: unknown key "seal.tpye", did you mean "seal.type"?`},
		{name: "unknown section", old: "log: { level: warn }", new: "logs: { level: warn }",
			want: `meridian.yaml:18: unknown key "logs", did you mean "log"?`},
		{name: "key in another section", old: "log: { level: warn }", new: "log: { grace: 1s }",
			want: `meridian.yaml:18: unknown key "log.grace", did you mean "shutdown.grace"?`},
		{name: "unknown key far from any", old: "log: { level: warn }", new: "log: { colours_of_the_rainbow: 7 }",
			want: `meridian.yaml:18: unknown key "log.colours_of_the_rainbow"; here stand level, format`},
		{name: "unknown key in a list", old: "region: cn-shanghai-self", new: "region: cn-shanghai-self, regoin: x",
			want: `meridian.yaml:17: unknown key "peers[0].regoin", did you mean "peers.region"?`},
		{name: "key twice", old: "log: { level: warn }", new: "log: { level: warn }\nlog: { level: info }",
			want: `meridian.yaml:19: "log" is given twice, first in line 18`},
		{name: "value for a section", old: "log: { level: warn }", new: "log: warn",
			want: `meridian.yaml:18: "log" takes keys of its own, such as "level"`},
		{name: "section for a value", old: "level: warn", new: "level: {a: b}",
			want: `meridian.yaml:18: "log.level" takes one value`},
		{name: "value for a list", old: "names: [kms.internal]", new: "names: kms.internal",
			want: `meridian.yaml:7: "listen.names" is a list`},
		{name: "no YAML", old: "log: { level: warn }", new: "log: { level: warn",
			want: `meridian.yaml:17: not YAML: did not find expected ',' or '}'`},
		{name: "secret for an anchor", old: "secret: file://root.secret", new: "secret: *hunter2-is-not-repeated",
			want: `meridian.yaml:1: not YAML: unknown anchor … referenced`},
		{name: "held too long", set: []string{"raft.hold=31s"},
			want: `--set raft.hold: raft.hold is 31s; at most 30s`},
		{name: "value for names", old: "dial: { hz-2: 127.0.0.1:7411 }", new: "dial: 127.0.0.1:7411",
			want: `meridian.yaml:21: "cluster.dial" is a list of names with a text each`},
		{name: "name twice", old: "dial: { hz-2: 127.0.0.1:7411 }", new: "dial: { hz-2: a:1, hz-2: b:1 }",
			want: `meridian.yaml:21: "cluster.dial" names "hz-2" twice`},
		{name: "list for a name", old: "hz-2: 127.0.0.1:7411", new: "hz-2: [a]",
			want: `meridian.yaml:21: "cluster.dial" takes one text for "hz-2"`},
		{name: "dialled node", old: "hz-2: 127.0.0.1:7411", new: "hz-1: a:1, hz-2: b, hz/9: a:1",
			want: `meridian.yaml:21: cluster.dial names this node itself, "hz-1"
meridian.yaml:21: cluster.dial has "b" for hz-2; write host:port
meridian.yaml:21: cluster.dial names "hz/9", which is not a node id`},
		{name: "names in a setting", set: []string{"cluster.dial="},
			want: `--set cluster.dial: "cluster.dial" is a list, written as in YAML: {NAME: TEXT}`},
		{name: "number", old: "keys: 500", new: "keys: many",
			want: `meridian.yaml:15: limits.keys: "many" is not a whole number`},
		{name: "duration without unit", old: "grace: 1m30s", new: "grace: 90",
			want: `meridian.yaml:19: shutdown.grace: 90 needs a unit, such as 90s`},
		{name: "no duration", old: "grace: 1m30s", new: "grace: soon",
			want: `meridian.yaml:19: shutdown.grace: "soon" is not a duration such as 500ms, 2s or 15m`},
		{name: "size without unit", old: "1GiB", new: "1024",
			want: `meridian.yaml:20: disk.min_free: 1024 needs a unit, such as 1024MiB`},
		{name: "no size", old: "1GiB", new: "big",
			want: `meridian.yaml:20: disk.min_free: "big" is not a size such as 64MiB`},
		{name: "inline secret", old: "secret: file://root.secret", new: "secret: hunter2-is-not-repeated",
			want: `meridian.yaml:13: access.root.secret: a secret is never written here; point to it with file://PATH or env://NAME`},
		{name: "missing", old: "node:   { id: hz-1, data: data }", new: "node: { id: hz-1 }",
			want: `meridian.yaml: node.data is missing: a folder for the node's state`},
		{name: "plaintext too large", old: "plaintext: 6144", new: "plaintext: 6145",
			want: `meridian.yaml:15: limits.plaintext is 6145; it is 1 to 6144`},
		{name: "no voter is this node", old: "node:   { id: hz-1,", new: "node: { id: hz-9,",
			want: `meridian.yaml:9: bootstrap.voters cannot form a region: this node, "hz-9", is not among the voters`},
		{name: "voter twice", old: "{ id: hz-3,", new: "{ id: hz-2,",
			want: `meridian.yaml:9: bootstrap.voters cannot form a region: voter "hz-2" is listed twice`},
		{name: "advertises nothing", old: `advertise: "hz-1.internal:9411", `, new: "",
			want: `meridian.yaml: listen.cluster.advertise is missing: other nodes cannot reach ":9411"; give the host:port under which they do`},
		{name: "no listener", old: `http:    { address: "127.0.0.1:9413" }`, new: `http: {address: ""}`, set: []string{"listen.api.address="},
			want: `--set listen.api.address: listen.api.address is empty and so is listen.http.address: nothing would serve the API`},
		{name: "bad address", old: `":9410"`, new: `"9410"`,
			want: `meridian.yaml:4: listen.api.address is "9410"; write host:port, or :port for all addresses`},
		{name: "no certificate", old: "tls: { cert: tls/api.crt, key: tls/api.key }", new: "tls: { key: tls/api.key }",
			want: `meridian.yaml: listen.api.tls.cert is missing: a certificate for listen.api`},
		{name: "signature", set: []string{"access.root.min_signature=V2"},
			want: `--set access.root.min_signature: access.root.min_signature is "V2"; it is v1 or v3`},
		{name: "root key inside the data", old: "path: root.key", new: "path: data/root.key",
			want: `meridian.yaml:14: seal.path lies inside node.data: whoever copies the data would have its key too`},
		{name: "unknown seal", old: "seal:   { path: root.key }", new: "seal: { type: hope, path: root.key }",
			want: `meridian.yaml:14: seal.type is "hope"; it is file`},
		{name: "peer is this region", old: "region: cn-shanghai-self", new: "region: cn-hangzhou-self",
			want: `meridian.yaml:16: peers [0].region is this region itself`},
		{name: "transport key", old: "region: cn-shanghai-self", new: "region: cn-shanghai-self, transport_key: sha256:ab12",
			want: `meridian.yaml:16: peers [0].transport_key is "sha256:ab12"; write sha256: and the 64 hex digits of the public key's hash`},
		{name: "export", set: []string{"export.allow=all"},
			want: `--set export.allow: export.allow is "all"; it is pinned-peers or any`},
		{name: "version interval", set: []string{"limits.version_interval=8785h"},
			want: `--set limits.version_interval: limits.version_interval is 8785h0m0s; from 0s to 8784h`},
		{name: "log level", old: "level: warn", new: "level: loud",
			want: `meridian.yaml:18: log.level is "loud"; it is one of debug, info, warn, error`},
		{name: "variable", env: []string{"MERIDIAN_SEAL__PAHT=x"},
			want: `MERIDIAN_SEAL__PAHT: unknown key, did you mean "MERIDIAN_SEAL__PATH"?`},
		{name: "variable of the wrong kind", env: []string{"MERIDIAN_LIMITS__KEYS=ten"},
			want: `MERIDIAN_LIMITS__KEYS: limits.keys: "ten" is not a whole number`},
		{name: "setting", set: []string{"log.lvel=debug"},
			want: `--set log.lvel: unknown key, did you mean "log.level"?`},
		{name: "setting without value", set: []string{"log.level"},
			want: `--set log.level: write PATH=VALUE, such as log.level=debug`},
		{name: "setting of a section", set: []string{"log=debug"},
			want: `--set log: "log" takes keys of its own, such as "log.level"`},
		{name: "two mistakes in one file, one in a setting",
			old: "log: { level: warn }\nshutdown: { grace: 1m30s }", new: "log: { level: loud }\nshutdown: { grace: 5 }",
			set: []string{"limits.keys=-1"},
			want: `meridian.yaml:19: shutdown.grace: 5 needs a unit, such as 5s
meridian.yaml:18: log.level is "loud"; it is one of debug, info, warn, error
--set limits.keys: limits.keys is -1; it is 1 to 100000000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("the good file has no %q", tt.old)
			}
			text := strings.Replace(good, tt.old, tt.new, 1)
			_, err := loadText(t, text, Options{Environ: environ(tt.env...), Set: tt.set})
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error is %v, want Problems", err)
			}
			gotLines := strings.Split(err.Error(), "\n")
			wantLines := strings.Split(tt.want, "\n")
			if diff := cmp.Diff(sorted(wantLines), sorted(gotLines)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRootKeyInsideTheDataByLinks names the root key's place so that only the
// links on the way tell where it is.
func TestRootKeyInsideTheDataByLinks(t *testing.T) {
	tests := []struct {
		name       string
		links      map[string]string // name in the configuration's folder: where it leads
		data, path string
		refused    bool
	}{
		{"the key's folder leads into the data", map[string]string{"keys": "data/keys"}, "data", "keys/root.key", true},
		{"the key leads into the data", map[string]string{"root.key": "data/keys/root.key"}, "data", "root.key", true},
		{"the data lead to the key's folder", map[string]string{"node": "data"}, "node", "data/root.key", true},
		{"both lead to one place", map[string]string{"node": "data", "keys": "data/keys"}, "node", "keys/root.key", true},
		{"the data are not there yet", map[string]string{"all": "."}, "all/later", "later/root.key", true},
		{"another place", map[string]string{"node": "data", "keys": "elsewhere"}, "node", "keys/root.key", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, folder := range []string{"data/keys", "elsewhere"} {
				if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "data/keys/root.key"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for name, to := range tt.links {
				if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "meridian.yaml")
			if err := os.WriteFile(file, []byte(readGood(t)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(Options{File: file, Set: []string{
				"node.data=" + filepath.Join(dir, tt.data), "seal.path=" + filepath.Join(dir, tt.path),
			}})
			if refused := err != nil && strings.Contains(err.Error(), "lies inside node.data"); refused != tt.refused {
				t.Errorf("error is %v; refused should be %v", err, tt.refused)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(Options{File: filepath.Join(t.TempDir(), "none.yaml")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v, want os.ErrNotExist", err)
	}
}

// TestDefaultsReadBack writes the defaults as a file and reads that: it says
// the same, so what is printed can be kept and edited.
func TestDefaultsReadBack(t *testing.T) {
	var text bytes.Buffer
	if err := WriteDefaults(&text); err != nil {
		t.Fatal(err)
	}
	r := newReader("", func(int) string { return "defaults" })
	r.document(text.Bytes())
	for _, p := range r.problems {
		if !strings.Contains(p.Text, "a secret is never written here") { // it has no default
			t.Errorf("%s\n%s", p, text.String())
		}
	}
	leaves(schema(), func(f *field) {
		if !strings.Contains(text.String(), f.name+": ") {
			t.Errorf("%s is not among the defaults", f.path)
		}
		if f.help == "" {
			t.Errorf("%s has no word on what it is for", f.path)
		}
	})
}

// TestShownConfigurationReadsBack loads what was shown of a loaded one.
func TestShownConfigurationReadsBack(t *testing.T) {
	l, err := loadText(t, readGood(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := l.Write(&text, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "# meridian.yaml:18") || !strings.Contains(text.String(), "# default") {
		t.Errorf("no origins in:\n%s", text.String())
	}
	again, err := loadText(t, text.String(), Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if diff := cmp.Diff(l.Config, again.Config); diff != "" {
		t.Errorf("after a round (-want +got):\n%s", diff)
	}
}

// TestQuotedTextIsCut: an error of the parser must not repeat what stands in the
// file, which may be a secret.
func TestQuotedTextIsCut(t *testing.T) {
	for text, want := range map[string]string{
		"did not find expected ',' or '}'":             "did not find expected ',' or '}'",
		"unknown anchor 'hunter2' referenced":          "unknown anchor … referenced",
		"unknown anchor 'it's it' referenced":          "unknown anchor … referenced",
		"cannot decode !!str `hunter2` as a !!float":   "cannot decode !!str … as a !!float",
		`found "hunter2`:                               "found …",
		"expected ':' after 'hunter2' and 'x' as well": "expected ':' after … as well",
		"": "",
	} {
		if got := withoutQuotes(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestSocketSparesFiles: a path that holds something else than a socket is refused.
func TestSocketSparesFiles(t *testing.T) {
	dir := t.TempDir()
	file, link, socket := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "s")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, good := range map[string]bool{file: false, link: false, dir: false, socket: true, filepath.Join(dir, "none"): true, "": true} {
		c := &checker{l: &Loaded{}, file: "meridian.yaml"}
		c.socket("listen.pprof.socket", path)
		if (len(c.problems) == 0) != good {
			t.Errorf("%q: %v", path, c.problems)
		}
	}
}

// TestPlaintextInHelp: a struct tag cannot name a constant.
func TestPlaintextInHelp(t *testing.T) {
	if help := fieldAt(schema(), "limits.plaintext").help; !strings.HasSuffix(help, "at most "+strconv.Itoa(api.MaxPlaintext)) {
		t.Errorf("help says %q", help)
	}
}
