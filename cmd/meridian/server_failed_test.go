package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"meridian/cmd/meridian/devregion"
)

// TestServerFailureIsSaidOnce starts a server whose port is taken: a log
// collector gets one line about that, in the log's own form.
func TestServerFailureIsSaidOnce(t *testing.T) {
	t.Parallel()
	layout, err := devregion.Prepare(devregion.Options{Dir: t.TempDir(), Regions: 1, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	node := layout.Nodes()[0]
	ops, err := url.Parse(node.OpsURL())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", ops.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out bytes.Buffer
	server := exec.CommandContext(t.Context(), binary, "server", "--config", node.ConfigFile)
	server.Stdout, server.Stderr = &out, &out
	if err := server.Run(); server.ProcessState == nil || server.ProcessState.ExitCode() != exitFailed {
		t.Errorf("ended with %v, want exit code %d", err, exitFailed)
	}
	said := 0
	for line := range strings.Lines(out.String()) {
		var event struct{ Event, Error string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Errorf("a line is no JSON: %s", line)
		}
		if strings.Contains(line, "address already in use") {
			said++
			if event.Event != "server_failed" || !strings.Contains(event.Error, ops.Host) {
				t.Errorf("the failure is logged as %s", line)
			}
		}
	}
	if said != 1 {
		t.Errorf("the failure is said %d times:\n%s", said, out.String())
	}
}
