package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/api/client"
	"meridian/cluster/migrate"
)

// Whichever the way, a region that does not answer ends a command with exit code 5 and the addresses that were asked.
func TestMigrateWithoutARegion(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := writeRegions(t, address)
	for _, way := range []string{"native", "standard", "skip-key"} {
		f := &migrateRun{sides: migrateFlags{regionsFile: file, from: "cn-a", to: "cn-b", signature: "v3", timeout: time.Second, patience: 100 * time.Millisecond}}
		switch way {
		case "standard":
			f.transport = "alias/transport"
		case "skip-key":
			f.ways = wayFlags{allowPlaintext: true, skip: []string{"alias/old"}}
		}
		c := &cobra.Command{}
		_, err := f.open(t.Context(), c, f.output.printer(c))
		if err == nil || exitOf(err) != exitUnavailable || !strings.Contains(err.Error(), "region cn-a did not answer") || !strings.Contains(err.Error(), "asked were "+address) {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// An error of a call says which region it is of, and where its access key came from.
func TestMigrateErrorsNameTheRegion(t *testing.T) {
	f := &migrateFlags{keySources: map[string]string{"cn-a": "the file of regions", "cn-b": "profile b"}}
	refused := &client.Error{Code: "InvalidAccessKeyId.NotFound", Status: 404, Endpoint: "https://h:1"}
	err := f.callError(fmt.Errorf("reading: %w", &migrate.RegionError{Region: "cn-b", Err: refused}))
	if want := "cn-b does not know the access key (from profile b). Check the key and the endpoint https://h:1"; err.Error() != want || exitOf(err) != exitDenied {
		t.Errorf("%v, want %s", err, want)
	}
	if err := f.callError(&migrate.RegionError{Region: "cn-a", Err: context.Canceled}); exitOf(err) != exitInterrupted {
		t.Errorf("%v", err)
	}
	silent := &migrate.NoAnswerError{Region: "cn-a", Endpoints: []string{"https://h"}, Waited: 30 * time.Second}
	if err := f.callError(silent); exitOf(err) != exitUnavailable || strings.Contains(err.Error(), "last error") {
		t.Errorf("%v", err)
	}
	silent.Last = errors.New("https://h: connection refused")
	if err := f.callError(silent); !strings.Contains(err.Error(), "; the last error: https://h: connection refused. Check") || !strings.Contains(err.Error(), "it names no port") {
		t.Errorf("%v", err)
	}
}

// Who waits for a region is told, unless nothing is to be told.
func TestTellOfSilence(t *testing.T) {
	var said bytes.Buffer
	tell := tellOf(&printer{err: &said})
	tell(&migrate.NoAnswerError{Region: "cn-a", Last: errors.New("https://h:1: refused\x1b")})
	tell(&migrate.NoAnswerError{Region: "cn-b"})
	if want := "region cn-a does not answer, and is asked on: https://h:1: refused\\u001b\nregion cn-b does not answer, and is asked on\n"; said.String() != want {
		t.Errorf("%q", said.String())
	}
	if tellOf(&printer{err: &said, outputFlags: outputFlags{quiet: true}}) != nil {
		t.Error("it is told where nothing is to be")
	}
}

// A region that has answered does not hold for as long as a row what is asked before any.
func TestMigrateWithoutAnAnswerAtTheStart(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-acs-action") != "DescribeKey" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"KeyMetadata":{"KeyId":"k"}}`)) // whoever reads it finds out if it is cut off
	}))
	defer node.Close()
	f := &migrateRun{transport: "alias/transport", sides: migrateFlags{
		regionsFile: writeRegions(t, node.URL), from: "cn-a", to: "cn-b", signature: "v3", timeout: time.Minute, patience: 500 * time.Millisecond,
	}}
	c := &cobra.Command{}
	if _, err := f.open(t.Context(), c, f.output.printer(c)); err == nil || exitOf(err) != exitUnavailable {
		t.Errorf("%v", err)
	}
}

// A run at which another process is was not begun by this command, so it says nothing of rows, and is a usage error.
func TestRunInUse(t *testing.T) {
	f := &migrateRun{out: "out"}
	for _, in := range []error{migrate.ErrInUse, migrate.ErrOutputInUse, migrate.ErrFolderInUse} {
		err := f.report(f.output.printer(&cobra.Command{}), migrate.WayNative, migrate.Checkpoint{Rows: 5}, fmt.Errorf("out.journal: %w", in))
		if exitOf(err) != exitUsage || err.Error() != "out.journal: "+in.Error() {
			t.Errorf("%v, exit code %d", err, exitOf(err))
		}
	}
	if err := rollbackError(&migrate.Rollback{}, migrate.ErrInUse); exitOf(err) != exitUsage {
		t.Errorf("rollback: %v, exit code %d", err, exitOf(err))
	}
}

// writeRegions writes a file of two regions with one node.
func writeRegions(t *testing.T, address string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "regions.yaml")
	text := "regions:\n"
	for _, id := range []string{"cn-a", "cn-b"} {
		text += fmt.Sprintf("  - {id: %s, endpoints: ['%s'], access_key_id: id, access_key_secret: not-a-secret-of-anybody}\n", id, address)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
