package main

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// modulePath is the module path of go.mod: imports below it are the project's own.
const modulePath = "meridian"

// codeFolders are the only top-level folders that may hold Go files.
var codeFolders = []string{"cmd", "crypto", "store", "cluster", "deploy"}

// layer is a folder with everything below it that is no layer of its own.
type layer struct {
	folder  string
	imports []string // the layers that it may import, besides itself
	never   []string // packages from outside, with everything below them, that would betray what the layer is for; tests may use them
}

// layers says which way imports run, from the outermost layer inwards:
//
//	cmd -> cluster/{api,access,audit,migrate,console} -> cluster -> cluster/{lease,transport} -> store -> crypto
//
// The client is what command line and migration speak through; it stands alone so that they carry no server.
var layers = []layer{
	{folder: "cmd", imports: []string{
		"cluster/api", "cluster/api/batch", "cluster/api/client", "cluster/access", "cluster/audit", "cluster/migrate", "cluster/console",
		"cluster", "cluster/clusterpb", "cluster/lease", "cluster/transport", "store", "crypto", "crypto/seal", "deploy"}},
	{folder: "deploy"},
	{folder: "cluster/console", imports: []string{"cluster/access", "cluster/api/client", "cluster", "store", "crypto"}},
	{folder: "cluster/migrate", imports: []string{"cluster/api/batch", "cluster/api/client", "cluster", "store", "crypto"}},
	{folder: "cluster/api", imports: []string{"cluster/access", "cluster/audit", "cluster/api/batch", "cluster/api/client", "cluster", "cluster/lease", "cluster/transport", "store", "crypto", "crypto/seal"}},
	{folder: "cluster/api/client", imports: []string{"cluster/api/batch", "crypto"}},
	{folder: "cluster/api/batch", imports: []string{"crypto"}},
	{folder: "cluster/access", imports: []string{"cluster", "store", "crypto"}},
	{folder: "cluster/audit", imports: []string{"cluster", "store", "crypto"}},
	{folder: "cluster", imports: []string{"cluster/clusterpb", "cluster/lease", "cluster/transport", "store", "crypto", "crypto/seal"}, never: []string{"net/http"}},
	{folder: "cluster/transport", imports: []string{"cluster/clusterpb", "store", "crypto"}, never: []string{"net/http"}},
	{folder: "cluster/lease", never: []string{"net", "os", "github.com/hashicorp"}},
	{folder: "cluster/clusterpb"},
	{folder: "cluster/faults", imports: []string{"cluster/api/client", "cluster", "cluster/migrate", "cluster/transport", "store", "crypto", "crypto/seal"}}, // tests only
	{folder: "store", imports: []string{"crypto"}, never: []string{"net", "github.com/hashicorp", "google.golang.org/grpc"}},
	{folder: "crypto/seal", imports: []string{"crypto"}},
	{folder: "crypto", never: []string{"net", "go.etcd.io", "github.com/hashicorp", "google.golang.org"}},
}

// within says that folder is tree or lies below it.
func within(folder, tree string) bool {
	return folder == tree || strings.HasPrefix(folder, tree+"/")
}

// layerOf returns the innermost layer that holds folder.
func layerOf(folder string) (layer, bool) {
	var found layer
	for _, l := range layers {
		if within(folder, l.folder) && len(l.folder) > len(found.folder) {
			found = l
		}
	}
	return found, found.folder != ""
}

// layoutFaults reads every Go file of a source tree and returns what breaks the layout, one line each.
func layoutFaults(tree fs.FS) ([]string, error) {
	var faults []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that went away while the tree was read
		} else if err != nil {
			return err
		}
		found, err := fileFaults(name, source)
		faults = append(faults, found...)
		return err
	})
	return faults, err
}

// fileFaults judges one file by the folder it is in and the packages that it imports.
func fileFaults(name string, source []byte) ([]string, error) {
	folder := path.Dir(name)
	if top, _, _ := strings.Cut(folder, "/"); !slices.Contains(codeFolders, top) {
		return []string{fmt.Sprintf("%s: Go files belong into %s", name, strings.Join(codeFolders, ", "))}, nil
	}
	own, ok := layerOf(folder)
	if !ok {
		return []string{fmt.Sprintf("%s: folder is in no layer", name)}, nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "_test.go") && !within(imported, modulePath) {
			continue
		}
		if reason := importFault(own, imported); reason != "" {
			faults = append(faults, fmt.Sprintf("%s: %s", name, reason))
		}
	}
	return faults, nil
}

// importFault returns why a layer may not import a package, or "".
func importFault(own layer, imported string) string {
	if !within(imported, modulePath) {
		for _, never := range own.never {
			if within(imported, never) {
				return fmt.Sprintf("%s knows nothing of %s, but imports %s", own.folder, never, imported)
			}
		}
		return ""
	}
	target, ok := layerOf(strings.TrimPrefix(imported, modulePath+"/"))
	switch {
	case !ok:
		return fmt.Sprintf("imports %s, which is in no layer", imported)
	case target.folder == own.folder || slices.Contains(own.imports, target.folder):
		return ""
	}
	return fmt.Sprintf("%s may not import %s: imports run from cmd inwards to crypto", own.folder, imported)
}

func TestLayout(t *testing.T) {
	const root = "../.."
	if _, err := os.Stat(root + "/go.mod"); err != nil {
		t.Fatalf("the module's root is not where it was: %v", err)
	}
	faults, err := layoutFaults(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

func TestLayoutFaultsAreFound(t *testing.T) {
	source := func(imports ...string) string {
		text := "package p\n"
		for _, i := range imports {
			text += fmt.Sprintf("import _ %q\n", i)
		}
		return text
	}
	for _, test := range []struct {
		name, file, source, fault string
	}{
		{"every way inwards", "cmd/meridian/a.go", source("meridian/cluster/api", "meridian/cluster", "meridian/store/storepb", "meridian/crypto/seal"), ""},
		{"the api reads identities", "cluster/api/a.go", source("meridian/cluster/access", "net/http"), ""},
		{"a layer's own folders", "store/storetest/a.go", source("meridian/store", "meridian/store/storepb"), ""},
		{"crypto imports nothing of the project", "crypto/a.go", source("meridian/store"), "crypto may not import meridian/store"},
		{"crypto does not know who holds its root key", "crypto/a.go", source("meridian/crypto/seal"), "crypto may not import meridian/crypto/seal"},
		{"a root-key provider is no client of the project", "crypto/seal/a.go", source("meridian/cluster/api/client"), "crypto/seal may not import meridian/cluster/api/client"},
		{"the store does not know its cluster", "store/a_test.go", source("meridian/cluster"), "store may not import meridian/cluster"},
		{"the store does not know Raft", "store/a.go", source("github.com/hashicorp/raft"), "store knows nothing of github.com/hashicorp"},
		{"the store does not know HTTP", "store/storepb/a.go", source("net/http"), "store knows nothing of net"},
		{"a node does not know its face", "cluster/a.go", source("meridian/cluster/api"), "cluster may not import meridian/cluster/api"},
		{"the transport does not know its node", "cluster/transport/a.go", source("meridian/cluster"), "cluster/transport may not import meridian/cluster"},
		{"leases have no sockets", "cluster/lease/a.go", source("net"), "cluster/lease knows nothing of net"},
		{"but their tests may", "cluster/lease/a_test.go", source("os", "net"), ""},
		{"the client carries no server", "cluster/api/client/a.go", source("meridian/cluster/api"), "cluster/api/client may not import meridian/cluster/api"},
		{"nobody imports the command", "cluster/api/a.go", source("meridian/cmd/meridian/config"), "cluster/api may not import meridian/cmd/meridian/config"},
		{"a new top-level folder", "pkg/a.go", source(), "Go files belong into cmd, crypto"},
		{"a file in the root", "a.go", source(), "Go files belong into cmd, crypto"},
		{"a package that is nowhere", "cmd/meridian/a.go", source("meridian/tools"), "imports meridian/tools, which is in no layer"},
		{"a hidden folder is no part of the module", ".ci/sdk/a.go", source("meridian/tools"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			faults, err := layoutFaults(fstest.MapFS{test.file: {Data: []byte(test.source)}})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.fault == "" && len(faults) > 0:
				t.Errorf("found a fault in a good file: %s", faults)
			case test.fault != "" && (len(faults) != 1 || !strings.Contains(faults[0], test.fault)):
				t.Errorf("faults %q, want one with %q", faults, test.fault)
			}
		})
	}
}
