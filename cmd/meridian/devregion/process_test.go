package devregion

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays three parts besides the tests: a server that obeys, one
// that does not, and a program that starts servers and is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("DEVREGION_TEST_PART") {
	case "server":
		playServer(true)
	case "deaf server":
		playServer(false)
	case "failing server":
		fmt.Fprintln(os.Stderr, "no luck today")
		os.Exit(3)
	case "launcher":
		playLauncher()
	}
	os.Exit(m.Run())
}

// playServer answers /readyz on the address in the file that it is given.
func playServer(obeys bool) {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	address, err := os.ReadFile(os.Args[3])
	if err != nil {
		panic(err)
	}
	go func() {
		_ = http.ListenAndServe(string(address), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}()
	for range terms {
		if obeys {
			os.Exit(0)
		}
	}
}

// playLauncher starts a server, prints its process id and waits to be killed.
func playLauncher() {
	l := &Launcher{Binary: os.Args[0], Env: append(os.Environ(), "DEVREGION_TEST_PART=deaf server")}
	p, err := l.Start(&Node{ID: "n", ConfigFile: os.Args[1], LogFile: os.Args[1] + ".log"})
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	select {}
}

// fakeNode is a node whose "configuration" is its ops address alone.
func fakeNode(t *testing.T, name string) *Node {
	t.Helper()
	ports, err := choosePorts(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{ID: name, Ops: "127.0.0.1:" + strconv.Itoa(ports[0])}
	n.ConfigFile = filepath.Join(t.TempDir(), name)
	n.LogFile = n.ConfigFile + ".log"
	if err := os.WriteFile(n.ConfigFile, []byte(n.Ops), 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

func start(t *testing.T, part string, nodes ...*Node) []*Process {
	t.Helper()
	l := &Launcher{Binary: os.Args[0], Env: append(os.Environ(), "DEVREGION_TEST_PART="+part)}
	t.Cleanup(l.Close)
	var all []*Process
	for _, n := range nodes {
		p, err := l.Start(n)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		all = append(all, p)
	}
	return all
}

func TestServersStartAndStop(t *testing.T) {
	all := start(t, "server", fakeNode(t, "a"), fakeNode(t, "b"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := WaitReady(ctx, all); err != nil {
		t.Fatal(err)
	}
	if killed := StopAll(all, 20*time.Second); killed != nil {
		t.Errorf("killed %v", killed)
	}
	for _, p := range all {
		if p.Running() || p.Ending() != "exit status 0" {
			t.Errorf("%s: running %v, %s", p.Node.ID, p.Running(), p.Ending())
		}
	}
}

func TestServersThatDoNotStopAreKilledAndNamed(t *testing.T) {
	all := start(t, "deaf server", fakeNode(t, "deaf"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := WaitReady(ctx, all); err != nil {
		t.Fatal(err)
	}
	killed := StopAll(all, 100*time.Millisecond)
	if len(killed) != 1 || killed[0].ID != "deaf" {
		t.Errorf("killed %v, want the deaf one", killed)
	}
	if all[0].Ending() != "signal: killed" {
		t.Errorf("ended with %q", all[0].Ending())
	}
}

func TestServerThatFailsIsNamedWithItsLog(t *testing.T) {
	all := start(t, "failing server", fakeNode(t, "unlucky"))
	err := WaitReady(t.Context(), all)
	if err == nil {
		t.Fatal("a failing server was ready")
	}
	for _, want := range []string{"unlucky", "exit status 3", "no luck today"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not hold %q", err, want)
		}
	}
}

func TestWaitReadyNamesWhoIsLate(t *testing.T) {
	n := fakeNode(t, "late")
	all := start(t, "server", n)
	n.Ops = "127.0.0.1:1" // nobody is there
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := WaitReady(ctx, all); err == nil || !strings.Contains(err.Error(), "late: no answer yet") {
		t.Errorf("error is %v", err)
	}
}

// TestServersDieWithTheirLauncher kills the program that started a server which
// heeds no other signal.
func TestServersDieWithTheirLauncher(t *testing.T) {
	n := fakeNode(t, "orphan")
	launcher := exec.Command(os.Args[0], n.ConfigFile)
	launcher.Env = append(os.Environ(), "DEVREGION_TEST_PART=launcher")
	launcher.Stderr = os.Stderr
	out, err := launcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := launcher.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := launcher.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = launcher.Wait() // killed, as asked
	deadline := time.Now().Add(20 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the server outlived its launcher by 20 s")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive says whether a process runs; one that has ended and that nobody waited
// for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
