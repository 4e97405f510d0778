package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// regionEntry is one region of a regions file. A ready file fits. The secret is
// inline, as a ready file has it, or named: file://PATH or env://NAME.
type regionEntry struct {
	ID              string   `yaml:"id"`
	Account         string   `yaml:"account"`
	Endpoints       []string `yaml:"endpoints"`
	HTTPEndpoints   []string `yaml:"http_endpoints"`
	CAFile          string   `yaml:"ca_file"`
	AccessKeyID     string   `yaml:"access_key_id"`
	AccessKeySecret string   `yaml:"access_key_secret"`
	Nodes           []struct {
		ID       string `yaml:"id"`
		Endpoint string `yaml:"endpoint"`
		Ops      string `yaml:"ops"`
		PID      int    `yaml:"pid"`
		Data     string `yaml:"data"`
	} `yaml:"nodes"`
}

// readRegionsFile reads the file of --regions, YAML or JSON. Relative paths in
// it count from its folder. Every mistake is reported.
func readRegionsFile(path string) (*readyFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Regions []regionEntry `yaml:"regions"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: not YAML or JSON that describes regions", path) // the reason would quote it, secrets included
	}
	if len(file.Regions) == 0 {
		return nil, fmt.Errorf("%s: names no region", path)
	}
	ready := &readyFile{}
	var problems []error
	for i, e := range file.Regions {
		r, err := e.region(filepath.Dir(path))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: region %d (%s): %w", path, i+1, e.ID, err))
			continue
		}
		ready.Regions = append(ready.Regions, r)
	}
	return ready, errors.Join(problems...)
}

// region checks an entry and reads what it names.
func (e regionEntry) region(dir string) (readyRegion, error) {
	r := readyRegion{
		ID: e.ID, Account: e.Account, Endpoints: e.Endpoints, HTTPEndpoints: e.HTTPEndpoints, CAFile: e.CAFile, AccessKeyID: e.AccessKeyID,
	}
	for _, n := range e.Nodes {
		r.Nodes = append(r.Nodes, readyNode(n))
	}
	switch {
	case e.ID == "":
		return r, errors.New("id is missing")
	case len(e.Endpoints) == 0 && len(e.HTTPEndpoints) == 0:
		return r, errors.New("endpoints are missing")
	case (e.AccessKeyID == "") != (e.AccessKeySecret == ""):
		return r, errors.New("access_key_id and access_key_secret go together")
	}
	if r.CAFile != "" && !filepath.IsAbs(r.CAFile) {
		r.CAFile = filepath.Join(dir, r.CAFile)
	}
	secret, err := namedSecret(e.AccessKeySecret, dir)
	r.AccessKeySecret = secret
	return r, err
}

// namedSecret reads file://PATH or env://NAME; anything else is the secret.
func namedSecret(text, dir string) (string, error) {
	if name, ok := strings.CutPrefix(text, "env://"); ok {
		value := os.Getenv(name)
		if value == "" {
			return "", fmt.Errorf("access_key_secret: the environment has no %s", name)
		}
		return value, nil
	}
	path, ok := strings.CutPrefix(text, "file://")
	if !ok {
		return text, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	secret, err := readSecretFrom(file, path)
	return string(secret), err
}
