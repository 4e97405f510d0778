package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// devProcess is a running `meridian dev`.
type devProcess struct {
	t         *testing.T
	cmd       *exec.Cmd
	out       lockedBuffer
	temp      string // its folder for temporary files
	readyFile string
	done      chan struct{}
	err       error
}

// lockedBuffer takes a process's output while a test looks at it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startDev starts `meridian dev` with a ready file and waits for that.
func startDev(t *testing.T, args ...string) *devProcess {
	t.Helper()
	d := &devProcess{t: t, temp: t.TempDir(), done: make(chan struct{})}
	d.readyFile = filepath.Join(t.TempDir(), "ready.json")
	runtime := t.TempDir()
	if err := os.Chmod(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(binary, append([]string{"dev", "--ready-file", d.readyFile}, args...)...)
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.temp, "XDG_RUNTIME_DIR="+runtime)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // an error means that it has ended
		<-d.done
		if t.Failed() {
			t.Logf("dev said:\n%s", d.out.String())
		}
	})
	if !eventually(func() bool { _, err := os.Stat(d.readyFile); return err == nil || !d.running() }) || !d.running() {
		t.Fatalf("dev is not ready: %s", d.out.String())
	}
	return d
}

func (d *devProcess) running() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

func (d *devProcess) ready() *readyFile {
	d.t.Helper()
	f, err := readReadyFile(d.readyFile)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// says waits until dev has printed a text.
func (d *devProcess) says(text string) {
	d.t.Helper()
	if !eventually(func() bool { return strings.Contains(d.out.String(), text) }) {
		d.t.Fatalf("dev did not say %q", text)
	}
}

// stop sends SIGTERM and wants the end within 8 s, of the servers too.
func (d *devProcess) stop() {
	d.t.Helper()
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	<-d.done
	if took := time.Since(began); took > 8*time.Second {
		d.t.Errorf("dev took %s to stop, want at most 8s", took)
	}
	if d.err != nil {
		d.t.Errorf("dev ended with %v", d.err)
	}
}

func (d *devProcess) client(region readyRegion) *client.Client {
	d.t.Helper()
	ca, err := os.ReadFile(region.CAFile)
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := client.New(client.Config{
		Endpoints: region.Endpoints, AccessKeyID: region.AccessKeyID, Secret: crypto.Secret(region.AccessKeySecret), CA: ca,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(c.Close)
	return c
}

func TestDevNamesTheDeadAndBringsThemBack(t *testing.T) {
	d := startDev(t, "--nodes", "3", "--restart", "300ms")
	before := d.ready().Regions[0]
	if len(before.Nodes) != 3 || len(before.Endpoints) != 3 || len(before.HTTPEndpoints) != 3 {
		t.Fatalf("the ready file has %+v", before)
	}
	victim := before.Nodes[1]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.says("node " + victim.ID + " died (signal: killed); the other 2 go on")
	d.says("node " + victim.ID + " is started again")
	if !eventually(func() bool { return d.ready().Regions[0].Nodes[1].PID != victim.PID }) {
		t.Error("the ready file still has the dead process")
	}
	d.stop()
	if left := processesWith(d.temp); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if left, _ := os.ReadDir(d.temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDevKilledLeavesNoServer(t *testing.T) {
	d := startDev(t, "--nodes", "1")
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.done
	if !eventually(func() bool { return len(processesWith(d.temp)) == 0 }) {
		t.Errorf("left running: %v", processesWith(d.temp))
	}
}

// TestDevServerStartedByHand kills the only server, starts it again as anybody
// could who looks at its process, and finds ports and data as they were. Later
// dev itself goes on with the same folder.
func TestDevServerStartedByHand(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	d := startDev(t, "--persist", state)
	region := d.ready().Regions[0]
	c := d.client(region)
	id := must[keyAnswer](t, c, "DescribeKey", map[string]string{"KeyId": demoAlias}).KeyMetadata.KeyId

	pid := region.Nodes[0].PID
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(filepath.Join(proc, "environ"))
	if errors.Is(err, fs.ErrPermission) {
		environ = []byte(strings.Join(os.Environ(), "\x00")) // only root may look into a server
	} else if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.says("no server is left; the data stays until Ctrl-C")
	if !d.running() {
		t.Fatal("dev ended with its last server")
	}

	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	byHand := exec.Command(args[0], args[1:]...)
	byHand.Env = strings.Split(strings.TrimSuffix(string(environ), "\x00"), "\x00")
	byHand.Stderr = &d.out
	if err := byHand.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- byHand.Wait() }()
	if !eventually(func() bool {
		var key keyAnswer
		_, err := c.Do(t.Context(), "DescribeKey", map[string]string{"KeyId": demoAlias}, &key)
		return err == nil && key.KeyMetadata.KeyId == id
	}) {
		t.Error("the key did not come back")
	}
	if err := byHand.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server started by hand ended with %v", err)
	}
	d.stop()

	again := startDev(t, "--persist", state)
	now := again.ready().Regions[0]
	if now.Endpoints[0] != region.Endpoints[0] {
		t.Errorf("endpoint %s became %s", region.Endpoints[0], now.Endpoints[0])
	}
	if got := must[keyAnswer](t, again.client(now), "DescribeKey", map[string]string{"KeyId": demoAlias}).KeyMetadata.KeyId; got != id {
		t.Errorf("the key behind %s is %s, was %s", demoAlias, got, id)
	}
	again.stop()
}
