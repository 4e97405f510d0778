package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"meridian/cluster/migrate"
)

// recorder forwards connections to a node and keeps all that passes, both ways.
type recorder struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu   sync.Mutex
	seen []byte // guarded by mu
	// full is closed when so much has passed that the mover is in the middle of its work; nothing more passes until
	// release is closed.
	full, release chan struct{}
}

// recordedFirst is how many bytes pass before a recorder stops for a while: far more than the first calls, and fewer than all.
const recordedFirst = 64 << 10

func newRecorder(t *testing.T, to string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{listener: l, to: strings.TrimPrefix(to, "http://"), full: make(chan struct{}), release: make(chan struct{})}
	r.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			r.running.Go(func() { r.forward(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.running.Wait()
	})
	return r
}

func (r *recorder) url() string { return "http://" + r.listener.Addr().String() }

func (r *recorder) forward(from net.Conn) {
	to, err := net.Dial("tcp", r.to)
	if err != nil {
		from.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			// The end of either side, in whatever way, is that of both.
			_, _ = io.Copy(way[1], io.TeeReader(way[0], r))
			from.Close()
			to.Close()
		})
	}
	both.Wait()
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	before := len(r.seen)
	r.seen = append(r.seen, b...)
	after := len(r.seen)
	r.mu.Unlock()
	if before < recordedFirst && after >= recordedFirst {
		close(r.full)
	}
	if after >= recordedFirst {
		<-r.release
	}
	return len(b), nil
}

func (r *recorder) recorded() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.seen)
}

// lookInto stops a process for as long as its memory is read.
func lookInto(t *testing.T, p *os.Process) []byte {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
		return nil
	}
	defer func() {
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}()
	return memoryOf(t, p.Pid)
}

// memoryOf is what a stopped process has in its writable memory.
func memoryOf(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("this user may not read the memory of its own processes")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all []byte
	for line := range strings.Lines(string(maps)) {
		place, rest, _ := strings.Cut(line, " ")
		low, high, _ := strings.Cut(place, "-")
		from, err := strconv.ParseInt(low, 16, 64)
		to, highErr := strconv.ParseInt(high, 16, 64)
		if err != nil || highErr != nil || !strings.HasPrefix(rest, "rw") {
			continue
		}
		room := make([]byte, to-from)
		if n, err := mem.ReadAt(room, from); err == nil || n > 0 {
			all = append(all, room[:n]...)
		}
	}
	return all
}

// Neither blind way shows a data key to who moves it: a planted one is nowhere in what passes between the mover and both
// regions, nor in the mover's memory, output, journal or messages. In the way that is not blind it is, and is found.
func TestBlindWays(t *testing.T) {
	if !oneByOne {
		t.Skip("memory is searched the same with the race detector, and four times as long")
	}
	if runtime.GOOS != "linux" {
		t.Skip("it reads the memory of a process as Linux shows it")
	}
	d := startDev(t, "--regions", "2")
	ready := d.ready()
	from, to := d.client(ready.Regions[0]), d.client(ready.Regions[1])
	planted := randomBytes(32)
	needle := newSecret("the planted data key", planted)
	var sealed struct{ CiphertextBlob string }
	if _, err := from.Do(t.Context(), "Encrypt", map[string]string{"KeyId": demoAlias, "Plaintext": base64.StdEncoding.EncodeToString(planted)}, &sealed); err != nil {
		t.Fatal(err)
	}
	transport := must[struct{ KeyMetadata struct{ KeyId string } }](t, to, "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"})
	for _, way := range []struct {
		name string
		rows int
		args []string
	}{
		{migrate.WayNative, 60_000, nil},
		{migrate.WayStandard, 300, []string{"--transport-key", transport.KeyMetadata.KeyId}},
		{migrate.WayPlaintext, 300, []string{"--allow-plaintext"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			folder := t.TempDir()
			regions := *ready
			regions.Regions = append([]readyRegion(nil), ready.Regions...)
			var recorders []*recorder
			for i := range regions.Regions {
				r := newRecorder(t, regions.Regions[i].HTTPEndpoints[0])
				recorders = append(recorders, r)
				regions.Regions[i].Endpoints, regions.Regions[i].HTTPEndpoints = nil, []string{r.url()}
			}
			file, input, output := filepath.Join(folder, "regions.json"), filepath.Join(folder, "rows.jsonl"), filepath.Join(folder, "moved.jsonl")
			if err := regions.write(file); err != nil {
				t.Fatal(err)
			}
			writeMarkedRows(t, input, way.rows, sealed.CiphertextBlob)
			c := exec.Command(binary, append([]string{"migrate", "run", input, "--out", output, "--regions", file, "--way", way.name,
				"--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--parallel", "2"}, way.args...)...)
			var said lockedBuffer
			c.Stdout, c.Stderr = &said, &said
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			// In the middle of its work it is stopped, and looked into.
			release := func() {
				for _, r := range recorders {
					close(r.release)
				}
			}
			select {
			case <-recorders[0].full:
			case <-recorders[1].full:
			case err := <-ended:
				release()
				t.Fatalf("it was over too soon: %v, %s", err, said.String())
			}
			memory := lookInto(t, c.Process)
			release()
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("%v: %s", err, said.String())
				}
			case <-time.After(2 * time.Minute):
				_ = c.Process.Kill()
				t.Fatalf("it does not end: %v", <-ended)
			}
			if !bytes.Contains(memory, []byte("a mark to be found")) {
				t.Error("what was read of the mover's memory does not even have its rows")
			}
			passed := append(recorders[0].recorded(), recorders[1].recorded()...)
			if !bytes.Contains(passed, []byte("Credential=")) {
				t.Error("no request was recorded")
			}
			if way.name == migrate.WayPlaintext {
				if needle.findIn(passed) == nil {
					t.Error("the data key is not even found where it passes in clear")
				}
				return
			}
			for what, text := range map[string][]byte{"what passed": passed, "the mover's memory": memory, "what it said": []byte(said.String())} {
				if forms := needle.findIn(text); forms != nil {
					t.Errorf("%s holds the data key (%s)", what, strings.Join(forms, ", "))
				}
			}
			if n := searchFiles(t, folder, []secret{needle}, func(string) bool { return false }); n < 4 {
				t.Errorf("%d files were searched", n)
			}
		})
	}
}

// writeMarkedRows writes rows of one blob that can be told apart, and have a mark.
func writeMarkedRows(t *testing.T, path string, rows int, blob string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for i := range rows {
		fmt.Fprintf(w, `{"id":%d,"ciphertext":"%s","note":"a mark to be found"}`+"\n", i, blob)
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
}
