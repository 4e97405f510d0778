//go:build faults

package faults

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// recordedCalls are the calls that change or sync the files that bbolt writes.
const recordedCalls = "pwrite64,ftruncate,fsync,fdatasync"

// record is the command below which a server runs so that every change of its
// files and every sync is written to a log, with all bytes.
func record(log string) []string {
	return []string{"strace", "-f", "-o", log, "--seccomp-bpf", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", "trace=" + recordedCalls}
}

// change is one call that changed a file.
type change struct {
	offset int64
	bytes  []byte
	size   int64 // of a truncation; -1: bytes were written
}

// recording is what happened to one file: changes in their order, and how many
// of them a sync had made durable when the log ended.
type recording struct {
	changes []change
	durable int
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>(?:, )?(.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\d+)`)
	resultEnd   = regexp.MustCompile(`\) += (-?\d+)`)
)

// replay reads the log of one server and returns what happened to each file.
func replay(log io.Reader) (map[string]*recording, error) {
	files := map[string]*recording{}
	type sync struct {
		file   *recording
		covers int
	}
	under := map[string]sync{} // syncs under way, by thread
	lines := bufio.NewReaderSize(log, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return files, nil // a line without its end was not done
		}
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			if s, ok := under[m[1]]; ok && m[3] == "0" {
				s.file.durable = max(s.file.durable, s.covers)
			}
			delete(under, m[1])
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue // an end of a thread
		}
		thread, call, path, rest := m[1], m[2], m[4], m[5]
		path, err = unhex(path)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line[:min(len(line), 200)], err)
		}
		f := files[path]
		if f == nil {
			f = &recording{}
			files[path] = f
		}
		if strings.Contains(call, "sync") {
			if r := resultEnd.FindStringSubmatch(line); r == nil {
				under[thread] = sync{f, len(f.changes)}
			} else if r[1] == "0" {
				f.durable = len(f.changes)
			}
			continue
		}
		c, err := parseChange(call, rest)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", call, path, err)
		}
		f.changes = append(f.changes, c)
	}
}

// parseChange reads the arguments behind the file.
func parseChange(call, rest string) (change, error) {
	rest, _, _ = strings.Cut(rest, " <unfinished")
	rest, _, _ = strings.Cut(rest, " <detached") // strace itself ended during the call
	rest, _, _ = strings.Cut(rest, ") ")
	if call == "ftruncate" {
		size, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		return change{size: size}, err
	}
	quoted, rest, ok := strings.Cut(strings.TrimPrefix(rest, `"`), `"`)
	if !ok || strings.HasPrefix(rest, "...") {
		return change{}, errors.New("its bytes are not all in the log")
	}
	text, err := unhex(quoted)
	if err != nil {
		return change{}, err
	}
	at := rest[strings.LastIndex(rest, ",")+1:]
	offset, err := strconv.ParseInt(strings.TrimSpace(at), 10, 64)
	return change{offset: offset, bytes: []byte(text), size: -1}, err
}

// unhex decodes \x2f\x74; what has no backslash is as it stands.
func unhex(text string) (string, error) {
	if !strings.HasPrefix(text, `\x`) {
		return text, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	return string(b), err
}

// sector is what a disk writes whole.
const sector = 512

// rebuild brings a file, as it was when the recording began, to what a disk may
// hold after a loss of power: all that was synced, any part of what came later,
// and of the last of that perhaps only some sectors.
func (f *recording) rebuild(path string, source *rand.Rand) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for i, c := range f.changes {
		late := i >= f.durable
		if late && source.IntN(2) == 0 {
			continue
		}
		if c.size >= 0 {
			err = file.Truncate(c.size)
		} else {
			b := c.bytes
			if late && i == len(f.changes)-1 && len(b) > sector {
				b = b[:sector*source.IntN(len(b)/sector)]
			}
			_, err = file.WriteAt(b, c.offset)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
