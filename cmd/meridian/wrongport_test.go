package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"meridian/cmd/meridian/devregion"
)

// Every listener of a node is taken for the API, with TLS and without, by a write:
// the message says which it is and what to write instead, and never that the
// write may have been done.
func TestWrongPorts(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1)
	region := r.layout.Regions[0]
	n := region.Nodes[0]
	home := t.TempDir()
	for _, tc := range []struct{ name, endpoint, says string }{
		{"plain HTTP to TLS", "http://" + n.API, "write https://" + n.API},
		{"TLS to plain HTTP", "https://" + n.HTTP, "https://" + n.HTTP + " does not speak TLS. The API does on listen.api, port 9410 unless configured; if plain HTTP is meant (listen.http), write http://" + n.HTTP},
		{"no scheme", n.HTTP, "does not speak TLS"},
		{"cluster listener", "https://" + n.Cluster, "https://" + n.Cluster + " is the cluster listener of node " + n.ID + " (listen.cluster), for other nodes alone. The API is on its listen.api"},
		{"cluster listener without TLS", "http://" + n.Cluster, "speaks TLS. If it is the API (listen.api, port 9410"},
		{"health listener", "http://" + n.Ops, "This is the health listener of a Meridian node (listen.ops)"},
		{"health listener with TLS", "https://" + n.Ops, "does not speak TLS. The API does on listen.api"},
		{"a page", n.Endpoint() + "/console", "and nothing behind"},
		{"half a scheme", "https:/" + n.API, `endpoint "https:/` + n.API + `": want https://HOST:PORT`},
	} {
		verb := exec.CommandContext(t.Context(), binary, "key", "create", "--endpoint", tc.endpoint)
		verb.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "MERIDIAN_CA_FILE="+region.CAFile,
			"ALIBABA_CLOUD_ACCESS_KEY_ID="+devregion.AccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+devregion.AccessKeySecret)
		var said bytes.Buffer
		verb.Stderr = &said
		if err := verb.Run(); err == nil {
			t.Errorf("%s: no error", tc.name)
		}
		if text := said.String(); !strings.Contains(text, tc.says) || strings.Contains(text, "unknown") || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %s\nwant: %s", tc.name, text, tc.says)
		}
	}
}
