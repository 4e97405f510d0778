package migrate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// storeProgram keeps rows as files of a folder; what stands in its file named bad is part of it.
const storeProgram = `#!/bin/sh
cd "$(dirname "$0")" || exit 9
case $1 in
read) cat store/*.json; test ! -f read-fails || exit 3 ;;
write)
	while read -r row; do
		id=$(printf '%s' "$row" | sed 's/.*"id":"\([^"]*\)".*/\1/')
		. ./bad
		printf '%s\n' "$row" >"store/$id.tmp" && mv "store/$id.tmp" "store/$id.json" || exit 1
		echo "$id"
		echo "$id" >>written
	done
	. ./late
	;;
esac
`

// store is a program with its rows.
type store struct {
	t      *testing.T
	folder string
	said   bytes.Buffer
}

func newStore(t *testing.T, rows int) *store {
	t.Helper()
	s := &store{t: t, folder: t.TempDir()}
	s.put("program", storeProgram)
	s.put("bad", "")
	s.put("late", "")
	if err := os.Mkdir(filepath.Join(s.folder, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		s.put(fmt.Sprintf("store/%03d.json", i), fmt.Sprintf(`{"id":"%03d","ciphertext":"%s","n":%d}`+"\n", i, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "blob %d", i)), i))
	}
	return s
}

func (s *store) put(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// config is a run over the store. The way turns blobs round, and keeps those that were.
func (s *store) config(before func(int64) error) Config {
	e := NewExec(filepath.Join(s.folder, "program"), DefaultColumns, &s.said)
	e.grace = time.Second
	return Config{Parallel: 4, Header: testHeader, Journal: filepath.Join(s.folder, "journal"), Way: &turnOnce{mirror{batch: 3, before: before}}, Every: time.Nanosecond, Medium: e}
}

// turnOnce turns blobs round once: it keeps those that it has turned.
type turnOnce struct{ mirror }

func (w *turnOnce) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	outcomes, err := w.mirror.Move(ctx, rows)
	for i := range outcomes {
		if !bytes.HasPrefix(rows[i].Blob, []byte("blob ")) {
			outcomes[i] = Outcome{Status: Kept}
		}
	}
	return outcomes, err
}

// check wants every row of the store to be turned round.
func (s *store) check(rows int) {
	s.t.Helper()
	for i := range rows {
		text, err := os.ReadFile(filepath.Join(s.folder, fmt.Sprintf("store/%03d.json", i)))
		if err != nil {
			s.t.Fatal(err)
		}
		var row struct {
			ID, Status, From string
			Ciphertext       []byte
			N                int
		}
		if err := json.Unmarshal(text, &row); err != nil || row.Status != "moved" || row.From != "a/k/v" || row.N != i || string(row.Ciphertext) != reversed(fmt.Sprintf("blob %d", i)) {
			s.t.Errorf("row %d is %s, %v", i, text, err)
		}
	}
	// Nothing that was started is left.
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range lines {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(s.folder)) {
			s.t.Errorf("a process is left: %s", bytes.ReplaceAll(text, []byte{0}, []byte{' '}))
		}
	}
}

func reversed(text string) string {
	var b []byte
	for i := len(text) - 1; i >= 0; i-- {
		b = append(b, text[i])
	}
	return string(b)
}

// A program's rows are moved, and a run that ends anywhere goes on where it was.
func TestExec(t *testing.T) {
	const rows = 150
	s := newStore(t, rows)
	random := rand.New(rand.NewPCG(3, 4))
	for starts := 0; ; starts++ {
		killed, limit := errors.New("killed"), 1+random.Int64N(6)
		last, err := Run(t.Context(), s.config(func(call int64) error {
			if call >= limit && starts < 6 {
				return killed
			}
			return nil
		}))
		if err == nil {
			if last.Rows != rows || last.Counts.Moved+last.Counts.Kept != rows || !last.Done || starts < 3 {
				t.Errorf("%+v after %d starts", last, starts)
			}
			break
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
	}
	s.check(rows)
	if s.said.Len() > 0 {
		t.Errorf("it said %s", s.said.String())
	}
}

// What a program says of a row or of itself counts, and what it ends with.
func TestExecFailures(t *testing.T) {
	const rows = 12
	for _, c := range []struct {
		name, bad, late string
		reads           string // makes reading fail
		err             string // empty: none
		moved           int64  // at the least
	}{
		{"a row is not written", `[ "$id" != 005 ] || { printf '005\tsomebody changed it\n'; continue; }`, "", "", "", 11},
		{"it ends", `[ "$id" != 005 ] || { echo oh no >&2; exit 4; }`, "", "", "exit status 4", 3},
		{"it fails at its end", "", "exit 5", "", "exit status 5", 12},
		{"another row is answered for", `[ "$id" != 005 ] || { echo 777; continue; }`, "", "", `answered for "777" where row 6 is "005"`, 3},
		{"a long answer", `[ "$id" != 005 ] || head -c 70000 /dev/zero`, "", "", "too long", 3},
		{"reading fails", "", "", "yes", "exit status 3", 0},
		{"it does not end", "", "exec sleep 100", "", "did not end after its input had", 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, rows)
			s.put("bad", c.bad)
			s.put("late", c.late)
			if c.reads != "" {
				s.put("read-fails", "")
			}
			last, err := Run(t.Context(), s.config(nil))
			if c.err == "" {
				_, h, readErr := ReadJournal(filepath.Join(s.folder, "journal"))
				if err != nil || readErr != nil || last.Counts != (Counts{Moved: 11, Failed: 1}) || h.Failures[0] != (Failure{Row: 6, Line: 6, ID: "005", Code: FaultNotWritten, Reason: "somebody changed it"}) {
					t.Errorf("%+v, %v, %+v, %v", last, err, h.Failures, readErr)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || last.Counts.Moved < c.moved {
				t.Errorf("%+v, %v", last, err)
			}
			if strings.Contains(c.bad, "oh no") && s.said.String() != "oh no\n" {
				t.Errorf("it said %q", s.said.String())
			}
			if last.Done {
				return
			}
			s.put("bad", "")
			_ = os.Remove(filepath.Join(s.folder, "read-fails"))
			if last, err := Run(t.Context(), s.config(nil)); err != nil || last.Rows != rows {
				t.Errorf("gone on: %+v, %v", last, err)
			}
			s.check(rows)
		})
	}
}

// A program may end before it has read a row, at whatever moment.
func TestExecEndsAtOnce(t *testing.T) {
	for range 20 {
		s := newStore(t, 3)
		s.put("program", "#!/bin/sh\n[ $1 = write ] || exec cat "+s.folder+"/store/*\nexit 3")
		if last, err := Run(t.Context(), s.config(nil)); err == nil || !strings.Contains(err.Error(), "exit status 3") || last.Rows != 0 {
			t.Errorf("%+v, %v", last, err)
		}
	}
}

// A program that hangs ends with the run that somebody stops, which goes on later.
func TestExecHangs(t *testing.T) {
	for name, bad := range map[string]string{"writing": `[ "$id" != 005 ] || sleep 1000`, "reading": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, 12)
			s.put("bad", bad)
			if bad == "" {
				s.put("program", "#!/bin/sh\n[ $1 = read ] || exec cat\ntail -f "+s.folder+"/bad")
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			last, err := Run(ctx, s.config(nil))
			if !errors.Is(err, ErrStopped) || last.Done || time.Since(began) > 30*time.Second {
				t.Errorf("%+v, %v after %v", last, err, time.Since(began))
			}
			s.check(0)
		})
	}
}

// A process that a program has left behind with its output holds up neither the end of a run nor Ctrl-C.
func TestExecLeavesAProcess(t *testing.T) {
	const leave = `setsid sleep 100 & echo $! >>"%s/left"; `
	for name, change := range map[string]func(*store){
		"writing": func(s *store) {
			s.put("program", strings.Replace(storeProgram, "write)\n", "write)\n"+fmt.Sprintf(leave, s.folder), 1))
		},
		"reading": func(s *store) {
			s.put("program", strings.Replace(storeProgram, "read) ", "read) "+fmt.Sprintf(leave, s.folder), 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, 12)
			change(s)
			t.Cleanup(func() { s.killLeft() })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if name == "reading" { // whose end is waited for
				time.AfterFunc(time.Second, cancel)
			}
			began := time.Now()
			last, err := Run(ctx, s.config(nil))
			switch {
			case time.Since(began) > 60*time.Second:
				t.Errorf("it took %v", time.Since(began))
			case name == "writing" && (err != nil || !last.Done), name == "reading" && !errors.Is(err, ErrStopped):
				t.Errorf("%+v, %v", last, err)
			}
		})
	}
}

// killLeft ends the processes that programs of a test have left behind.
func (s *store) killLeft() {
	text, err := os.ReadFile(filepath.Join(s.folder, "left"))
	if err != nil {
		s.t.Error(err)
	}
	for _, line := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// A row with the id of an earlier one fails, in whichever start it is read, and is not given to the program.
func TestExecDuplicates(t *testing.T) {
	const rows = 6
	s := newStore(t, rows)
	for _, at := range []int{1, 4} {
		s.put(fmt.Sprintf("store/%03d.z.json", at), fmt.Sprintf(`{"id":"%03d","ciphertext":"YmxvYg=="}`+"\n", at))
	}
	stop := errors.New("stop")
	for starts := 0; ; starts++ {
		cfg := s.config(func(call int64) error {
			if starts == 0 && call == 2 {
				return stop
			}
			return nil
		})
		cfg.Parallel = 1
		cfg.Medium.(*Exec).Look = func(rows Format) Format { return NewUnique(rows, Shard{}, 100) }
		last, err := Run(t.Context(), cfg)
		if starts == 0 {
			if !errors.Is(err, stop) || last.Rows != 3 {
				t.Fatalf("%+v, %v", last, err)
			}
			continue
		}
		_, h, readErr := ReadJournal(cfg.Journal)
		if err != nil || readErr != nil || last.Counts != (Counts{Moved: rows, Failed: 2}) || len(h.Failures) != 2 || h.Failures[0].Code != FaultDuplicate || h.Failures[1].ID != "004" {
			t.Fatalf("%+v, %v, %+v, %v", last, err, h.Failures, readErr)
		}
		break
	}
	for _, at := range []string{"001", "004"} {
		if text, err := os.ReadFile(filepath.Join(s.folder, "written")); err != nil || strings.Count(string(text), at) != 1 {
			t.Errorf("%s was written more than once: %s, %v", at, text, err)
		}
	}
}

// An id that is too long for the answer fails alone.
func TestExecLongIDs(t *testing.T) {
	var text string
	for _, id := range []string{strings.Repeat("x", maxHelperID), strings.Repeat("é", maxHelperID/2) + "x", strings.Repeat("x", 100_000), "short"} {
		text += fmt.Sprintf(`{"id":"%s","ciphertext":"YmxvYg=="}`+"\n", id)
	}
	rows := NewUnique(namedRows{NewJSONLines(strings.NewReader(text), DefaultColumns)}, Shard{}, 100)
	defer rows.Close()
	for i, fails := range []bool{false, true, true, false} {
		row, err := rows.Next()
		if err != nil || fails != (row.ID == "") || fails != (row.Fault != nil && row.Fault.Code == FaultNoID) {
			t.Errorf("row %d: %v, %v", i, row.Fault, err)
		}
	}
}

// Programs that are killed leave nothing behind, and no other is started.
func TestExecKill(t *testing.T) {
	s := newStore(t, 12)
	s.put("bad", `[ "$id" != 005 ] || { trap '' TERM; : >stuck; sleep 1000; }`)
	cfg := s.config(nil)
	e := cfg.Medium.(*Exec)
	e.grace = time.Hour
	done := make(chan error, 1)
	go func() { _, err := Run(t.Context(), cfg); done <- err }()
	for {
		if _, err := os.Stat(filepath.Join(s.folder, "stuck")); err == nil {
			break
		}
		if len(done) > 0 {
			t.Fatal("no program was stuck: ", <-done)
		}
		time.Sleep(time.Millisecond)
	}
	e.Kill()
	if err := <-done; err == nil {
		t.Error("the run ended well")
	}
	s.check(0)
	if _, err := e.helpers.start("true", "read", os.Stderr, false); !errors.Is(err, ErrStopped) {
		t.Errorf("one more: %v", err)
	}
}

// Rows that cannot be acknowledged are not moved; rows that are others than before are refused.
func TestExecIDs(t *testing.T) {
	s := newStore(t, 6)
	s.put("store/002.json", `{"ciphertext":"YmxvYiAy"}`+"\n")
	s.put("store/003.json", `{"id":"a\nb","ciphertext":"YmxvYiAy"}`+"\n")
	s.put("store/004.json", "broken\n")
	stop := errors.New("stop")
	cfg := s.config(func(call int64) error {
		if call == 2 {
			return stop
		}
		return nil
	})
	cfg.Parallel = 1
	last, err := Run(t.Context(), cfg)
	if !errors.Is(err, stop) || last.Rows < 3 {
		t.Fatalf("%+v, %v", last, err)
	}
	before, err := os.ReadFile(filepath.Join(s.folder, "store/000.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.put("store/000.json", strings.Replace(string(before), `"000"`, `"00x"`, 1))
	if _, err := Run(t.Context(), s.config(nil)); !errors.Is(err, ErrInputChanged) {
		t.Errorf("another row: %v", err)
	}
	s.put("store/000.json", string(before))
	if last, err = Run(t.Context(), s.config(nil)); err != nil || last.Counts.Failed != 3 || last.Counts.Moved+last.Counts.Kept != 3 {
		t.Errorf("%+v, %v", last, err)
	}
	_, h, err := ReadJournal(filepath.Join(s.folder, "journal"))
	if err != nil || h.Codes[FaultNoID] != 2 || h.Codes[FaultSyntax] != 1 {
		t.Errorf("%v, %v", h.Codes, err)
	}
	if _, err := Run(t.Context(), Config{Header: testHeader, Journal: filepath.Join(s.folder, "other"), Way: &mirror{batch: 1}, Medium: NewExec("/none", DefaultColumns, &s.said)}); err == nil || !strings.Contains(err.Error(), "exit status 127") {
		t.Errorf("no program: %v", err)
	}
}
