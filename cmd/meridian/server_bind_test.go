package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"meridian/cmd/meridian/devregion"
)

func TestBindErrorsNameTheSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		address string
		cause   error
		next    string
	}{
		{taken.Addr().String(), syscall.EADDRINUSE, "choose another port"},
		{"192.0.2.1:9411", syscall.EADDRNOTAVAIL, "this machine has no address 192.0.2.1"}, // for documentation only
	} {
		_, err := bindTCP("listen.cluster.address", tt.address)
		if !errors.Is(err, tt.cause) || !strings.HasPrefix(err.Error(), "listen.cluster.address: ") || !strings.Contains(err.Error(), tt.next) {
			t.Errorf("%s: %v", tt.address, err)
		}
	}
}

// TestFormingServer looks at the first server of a region whose others are not
// there: what it says, and what mistakes it finds before it waits.
func TestFormingServer(t *testing.T) {
	t.Parallel()
	layout, err := devregion.Prepare(devregion.Options{Dir: t.TempDir(), Regions: 1, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := &regions{t: t, layout: layout, launcher: &devregion.Launcher{Binary: binary}, running: map[*devregion.Node]*devregion.Process{}}
	t.Cleanup(r.end)
	region := layout.Regions[0]
	first, second := region.Nodes[0], region.Nodes[1]
	r.start(first)
	want := "forming: waits for " + second.ID + " (connection refused), " + region.Nodes[2].ID + " (connection refused)"
	var last string
	if !eventually(func() bool {
		status, body := tryGet(first.OpsURL() + "/readyz")
		last = body
		return status == http.StatusServiceUnavailable && strings.Contains(body, want)
	}) {
		t.Fatalf("readiness is %q, want %q", last, want)
	}

	// Status needs no endpoint, names what did not answer, and shows the phase.
	status := func(ops ...string) (string, error) {
		cmd := exec.Command(binary, "status")
		for _, url := range ops {
			cmd.Args = append(cmd.Args, "--ops", url)
		}
		cmd.Env = []string{"HOME=" + t.TempDir(), "XDG_RUNTIME_DIR=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := status(second.OpsURL(), first.OpsURL())
	for _, part := range []string{want, "! forming", second.OpsURL(), "still being formed"} {
		if !strings.Contains(out, part) {
			t.Errorf("status lacks %q", part)
		}
	}
	if err == nil || t.Failed() {
		t.Errorf("status of a region that is not formed: %v\n%s", err, out)
	}
	if out, err := status(second.OpsURL()); err == nil || !strings.Contains(out, second.OpsURL()) || !strings.Contains(out, "connection refused") {
		t.Errorf("status of a server that is not there: %v\n%s", err, out)
	}

	// A mistake shows at once, not when the region is there.
	secret := filepath.Join(region.Dir, "root.secret")
	if err := os.Rename(secret, secret+".away"); err != nil {
		t.Fatal(err)
	}
	r.start(second)
	<-r.running[second].Done()
	if tail := second.LogTail(); !strings.Contains(tail, "access.root.secret") {
		t.Errorf("without its secret the server says %s", tail)
	}
	if err := os.Rename(secret+".away", secret); err != nil {
		t.Fatal(err)
	}

	// With the others it serves, and a clean stop is no error.
	r.start(second, region.Nodes[2])
	r.waitReady(region.Nodes...)
	r.stop(region.Nodes...)
	for _, n := range region.Nodes {
		text, err := os.ReadFile(n.LogFile)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"level":"ERROR"`) && !strings.Contains(line, "access.root.secret") {
				t.Errorf("%s: %s", n.ID, line)
			}
		}
	}
}
