package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/google/renameio/v2"
)

// readyFile describes running regions: where they listen, what to trust and
// with which access key to sign. `meridian dev` writes one for scripts
// (--ready-file) and one into the user's runtime folder, where the client
// verbs find it.
type readyFile struct {
	PID     int           `json:"pid,omitempty"` // of the meridian dev that keeps the regions; 0: not known
	Regions []readyRegion `json:"regions"`
}

// alive says whether the meridian dev that wrote the file still runs, as far as
// that is known.
func (f *readyFile) alive() bool {
	return f.PID == 0 || syscall.Kill(f.PID, 0) != syscall.ESRCH
}

// errDevDied is what a file that outlived its dev instance means.
var errDevDied = &exitError{exitUnavailable, errors.New("the dev instance has died without taking its announcement back; start it again with: meridian dev")}

// readyRegion is one region of a readyFile. Endpoints and HTTPEndpoints are in
// the order of Nodes.
type readyRegion struct {
	ID              string      `json:"id"`
	Account         string      `json:"account"`
	Endpoints       []string    `json:"endpoints"`      // https://host:port
	HTTPEndpoints   []string    `json:"http_endpoints"` // http://host:port, empty when the plain listener is off
	CAFile          string      `json:"ca_file"`        // absolute path, PEM
	AccessKeyID     string      `json:"access_key_id"`
	AccessKeySecret string      `json:"access_key_secret"`
	Nodes           []readyNode `json:"nodes"`
}

// readyNode is one server process of a readyRegion.
type readyNode struct {
	ID       string `json:"id"`
	Endpoint string `json:"endpoint"` // https://host:port
	Ops      string `json:"ops"`      // http://host:port of health and metrics
	PID      int    `json:"pid"`
	Data     string `json:"data"` // absolute path of the data folder
}

// devFileVariable names the file of a dev instance that is not the announced
// one: of a second, or of one that runs a command.
const devFileVariable = "MERIDIAN_DEV_FILE"

// devFilePath is where the dev instance that this process talks to announces
// itself.
func devFilePath() string {
	if path := os.Getenv(devFileVariable); path != "" {
		return path
	}
	return sharedDevFilePath()
}

// sharedDevFilePath is where the running dev instance of this user announces
// itself: $XDG_RUNTIME_DIR/meridian/dev.json, else meridian-<uid>/dev.json in
// the folder for temporary files.
func sharedDevFilePath() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "meridian", "dev.json")
	}
	return filepath.Join(os.TempDir(), "meridian-"+strconv.Itoa(os.Getuid()), "dev.json")
}

// readDevFile reads the announcement of the running dev instance. The error is
// fs.ErrNotExist when there is none. A file or folder that belongs to somebody
// else is refused: it could send requests, signed, to a stranger.
func readDevFile() (*readyFile, error) {
	f, err := readPrivateFile(devFilePath())
	if err == nil && !f.alive() {
		return nil, errDevDied
	}
	return f, err
}

// readPrivateFile reads a ready file that only this user can have written.
func readPrivateFile(path string) (*readyFile, error) {
	for _, p := range []string{filepath.Dir(path), path} {
		if err := checkPrivate(p); err != nil {
			return nil, err
		}
	}
	return readReadyFile(path)
}

// readReadyFile reads and checks a ready file.
func readReadyFile(path string) (*readyFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f readyFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(f.Regions) == 0 {
		return nil, fmt.Errorf("%s: names no region", path)
	}
	return &f, nil
}

// write puts the file at path, atomically, mode 0600: a reader sees the whole
// of it or none.
func (f *readyFile) write(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(text, '\n'), 0o600, renameio.WithStaticPermissions(0o600))
}

// writeDevFile announces a dev instance at path to client verbs.
func (f *readyFile) writeDevFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := checkPrivate(dir); err != nil {
		return err
	}
	return f.write(path)
}

// checkPrivate says whether path is this user's own, no link, and closed to
// everybody else.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link; refused", path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user; refused", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o); make it private: chmod go= %s", path, perm, path)
	}
	return nil
}

// removeDevFile takes the announcement at path back, if it is still the one
// given: a dev instance started later may have put its own there.
func (f *readyFile) removeDevFile(path string) error {
	current, err := readPrivateFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !f.sameProcesses(current) {
		return nil
	}
	return os.Remove(path)
}

// sameProcesses says whether both files describe the same data folders.
func (f *readyFile) sameProcesses(other *readyFile) bool {
	if len(f.Regions) != len(other.Regions) {
		return false
	}
	for i, r := range f.Regions {
		o := other.Regions[i]
		if r.ID != o.ID || len(r.Nodes) != len(o.Nodes) {
			return false
		}
		for j := range r.Nodes {
			if r.Nodes[j].Data != o.Nodes[j].Data {
				return false
			}
		}
	}
	return true
}
