package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/api/client"
)

// isolate gives a test its own home, runtime folder and environment.
func isolate(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(home, "run"))
	for _, name := range []string{
		"MERIDIAN_ENDPOINT", "MERIDIAN_CA_FILE", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_PROFILE",
		"ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_SECRET",
	} {
		t.Setenv(name, "")
	}
	return home
}

func newClientFlags() *clientFlags {
	return &clientFlags{signature: "v3", timeout: client.DefaultTimeout}
}

// writeProfiles writes the profile file of the official command line.
func writeProfiles(t *testing.T, home string) {
	t.Helper()
	dir := filepath.Join(home, ".aliyun")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"current":"main","profiles":[{"name":"main","mode":"AK","access_key_id":"profileid","access_key_secret":"profilesecret"}]}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeDev announces a dev instance with two regions.
func writeDev(t *testing.T, home string) {
	t.Helper()
	ca := filepath.Join(home, "ca.pem")
	if err := os.WriteFile(ca, []byte("PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &readyFile{}
	for _, id := range []string{"one", "two"} {
		f.Regions = append(f.Regions, readyRegion{ID: id, Endpoints: []string{"https://" + id + ":1"}, HTTPEndpoints: []string{"http://" + id + ":2"},
			CAFile: ca, AccessKeyID: "devid", AccessKeySecret: "devsecret"})
	}
	if err := f.writeDevFile(devFilePath()); err != nil {
		t.Fatal(err)
	}
}

func TestWhomToCall(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		setUp                 func(t *testing.T, home string, f *clientFlags)
		endpoint, key, source string
		known                 string // id of the region, where it is known
		ca                    string
	}{
		{"the dev instance", func(t *testing.T, home string, _ *clientFlags) { writeDev(t, home) },
			"https://one:1", "devid devsecret", "the dev instance", "one", "PEM"},
		{"its other region", func(t *testing.T, home string, f *clientFlags) { writeDev(t, home); f.region = "two" },
			"https://two:1", "devid devsecret", "the dev instance", "two", "PEM"},
		{"the dev instance goes before a profile, which is for elsewhere", func(t *testing.T, home string, _ *clientFlags) {
			writeDev(t, home)
			writeProfiles(t, home)
		}, "https://one:1", "devid devsecret", "the dev instance", "one", "PEM"},
		{"a flag goes before the environment", func(t *testing.T, home string, f *clientFlags) {
			t.Setenv("MERIDIAN_ENDPOINT", "https://env:1")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "envid")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "envsecret")
			f.endpoints = []string{"flag:9410"}
		}, "https://flag:9410", "envid envsecret", "the environment", "", ""},
		{"the environment goes before the dev instance and the profile", func(t *testing.T, home string, _ *clientFlags) {
			writeDev(t, home)
			writeProfiles(t, home)
			t.Setenv("MERIDIAN_ENDPOINT", "https://env:1/,http://env:2")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "envid")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "envsecret")
		}, "https://env:1,http://env:2", "envid envsecret", "the environment", "", ""},
		{"the profile is the last", func(t *testing.T, home string, f *clientFlags) {
			writeProfiles(t, home)
			f.endpoints = []string{"https://flag:1"}
		}, "https://flag:1", "profileid profilesecret", "profile main", "", ""},
		{"a named profile goes before the environment", func(t *testing.T, home string, f *clientFlags) {
			writeProfiles(t, home)
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "envid")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "envsecret")
			f.endpoints, f.profile = []string{"https://flag:1"}, "main"
		}, "https://flag:1", "profileid profilesecret", "profile main", "", ""},
		{"endpoints of the dev instance are known, with key and CA", func(t *testing.T, home string, f *clientFlags) {
			writeDev(t, home)
			f.endpoints = []string{"http://two:2"}
		}, "http://two:2", "devid devsecret", "the dev instance", "two", "PEM"},
		{"another region of the dev instance than its environment names", func(t *testing.T, home string, f *clientFlags) {
			writeDev(t, home)
			t.Setenv("MERIDIAN_ENDPOINT", "https://one:1")
			t.Setenv("MERIDIAN_CA_FILE", filepath.Join(home, "ca-of-one.pem"))
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "devid")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "devsecret")
			f.region = "two"
		}, "https://two:1", "devid devsecret", "the dev instance", "two", "PEM"},
		{"a key by flags, its secret in a file", func(t *testing.T, home string, f *clientFlags) {
			writeDev(t, home)
			f.secretFile = filepath.Join(home, "secret")
			if err := os.WriteFile(f.secretFile, []byte("filesecret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			f.accessKeyID = "flagid"
		}, "https://one:1", "flagid filesecret", "the flags", "one", "PEM"},
		{"a secret from stdin", func(t *testing.T, home string, f *clientFlags) {
			f.endpoints, f.accessKeyID, f.secretFile = []string{"https://flag:1"}, "flagid", "-"
		}, "https://flag:1", "flagid stdinsecret", "the flags", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := isolate(t)
			f := newClientFlags()
			tc.setUp(t, home, f)
			got, err := f.resolve(strings.NewReader("stdinsecret\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			known := ""
			if got.known != nil {
				known = got.known.ID
			}
			if endpoint := strings.Join(got.endpoints, ","); endpoint != tc.endpoint {
				t.Errorf("endpoint %s, want %s", endpoint, tc.endpoint)
			}
			if key := got.accessKeyID + " " + string(got.secret); key != tc.key || got.keySource != tc.source {
				t.Errorf("access key %s from %s, want %s from %s", key, got.keySource, tc.key, tc.source)
			}
			if known != tc.known || string(got.ca) != tc.ca {
				t.Errorf("region %q and CA %q, want %q and %q", known, got.ca, tc.known, tc.ca)
			}
		})
	}
}

// A region cannot be chosen where only an endpoint is known.
func TestRegionOfAnEndpoint(t *testing.T) {
	home := isolate(t)
	writeDev(t, home)
	f := newClientFlags()
	f.endpoints, f.region = []string{"https://elsewhere:1"}, "two"
	if _, err := f.resolve(strings.NewReader("")); exitOf(err) != exitUsage || !strings.Contains(err.Error(), "--region chooses among") {
		t.Errorf("%v", err)
	}
}

// A profile file that cannot be used says why, without what is in it.
func TestBadProfiles(t *testing.T) {
	for _, tc := range []struct{ text, name, want string }{
		{`{"profiles":[{"name":"a","access_key_secret":"geheim"`, "", "bad JSON at byte"},
		{`{"profiles":[{"name":1,"access_key_secret":"geheim"}]}`, "", "is not a string"},
		{`{"current":"b","profiles":[{"name":"a"}]}`, "", `there is no profile "b"; it has a`},
		{`{"current":"a","profiles":[{"name":"a","mode":"EcsRamRole","access_key_secret":"geheim"}]}`, "", "has mode EcsRamRole"},
		{`{"current":"a","profiles":[{"name":"a","mode":"AK","access_key_secret":"geheim"}]}`, "", "has no access key"},
	} {
		_, err := parseProfiles([]byte(tc.text), "config.json", tc.name)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "geheim") || exitOf(err) != exitUsage {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestRegionsFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("REGION_SECRET", "envsecret")
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("filesecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "regions.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`
regions:
  - { id: a, endpoints: ["https://a:1"], ca_file: a.pem, access_key_id: i, access_key_secret: "file://secret" }
  - { id: b, http_endpoints: ["http://b:1"], ca_file: /b.pem, access_key_id: i, access_key_secret: "env://REGION_SECRET" }
  - { id: c, endpoints: ["https://c:1"] }
`)
	f, err := readRegionsFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Regions[0].AccessKeySecret != "filesecret" || f.Regions[1].AccessKeySecret != "envsecret" ||
		f.Regions[0].CAFile != filepath.Join(dir, "a.pem") || f.Regions[1].CAFile != "/b.pem" || f.Regions[2].AccessKeyID != "" {
		t.Errorf("%+v", f.Regions)
	}
	for _, tc := range []struct{ text, want string }{
		{"regions: [", "not YAML or JSON"},
		{"{}", "names no region"},
		{"regions: [{endpoints: [x]}]", "id is missing"},
		{"regions: [{id: a}, {id: b, endpoints: [x], access_key_id: i}]", "endpoints are missing"},
		{"regions: [{id: a}, {id: b, endpoints: [x], access_key_id: i}]", "go together"},
		{`regions: [{id: b, endpoints: [x], access_key_id: i, access_key_secret: "env://NOT_SET"}]`, "has no NOT_SET"},
		{`regions: [{id: b, endpoints: [x], access_key_id: i, access_key_secret: "file://none"}]`, "none"},
	} {
		write(tc.text)
		if _, err := readRegionsFile(path); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}
