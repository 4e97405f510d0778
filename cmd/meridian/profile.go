package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cliProfile is the part of a profile of the official CLI that is used here
// (aliyun-cli, config/profile.go).
type cliProfile struct {
	Name            string `json:"name"`
	Mode            string `json:"mode"`
	AccessKeyID     string `json:"access_key_id"`
	AccessKeySecret string `json:"access_key_secret"`
}

// readProfile reads the profile that the flags or the environment choose. It is
// nil where nothing asked for one and there is none.
func (f *clientFlags) readProfile() (*cliProfile, error) {
	asked := f.profile != "" || f.profileFile != ""
	if !asked && strings.EqualFold(os.Getenv("ALIBABA_CLOUD_IGNORE_PROFILE"), "true") {
		return nil, nil
	}
	path := f.profileFile
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil // nowhere to look
		}
		path = filepath.Join(home, ".aliyun", "config.json")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return nil, nil
	}
	if err != nil {
		return nil, usageError("profile: %w", err)
	}
	name := f.profile
	if name == "" {
		name = firstEnv("ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE")
	}
	return parseProfiles(text, path, name)
}

// parseProfiles picks a profile by name, "" being the file's current one.
func parseProfiles(text []byte, path, name string) (*cliProfile, error) {
	var file struct {
		Current  string       `json:"current"`
		Profiles []cliProfile `json:"profiles"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, usageError("%s: not a profile file of the official CLI: %v", path, jsonProblem(err))
	}
	if name == "" {
		name = file.Current
	}
	var names []string
	for _, p := range file.Profiles {
		names = append(names, p.Name)
		if p.Name != name {
			continue
		}
		switch {
		case p.Mode != "AK" && p.Mode != "":
			return nil, usageError("%s: profile %s has mode %s; access keys (mode AK) are served", path, name, p.Mode)
		case p.AccessKeyID == "" || p.AccessKeySecret == "":
			return nil, usageError("%s: profile %s has no access key", path, name)
		}
		return &p, nil
	}
	return nil, usageError("%s: there is no profile %q; it has %s", path, name, strings.Join(names, ", "))
}

// jsonProblem is a JSON error without the text around it, which may be secret.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("bad JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is not a %s", kind.Field, kind.Type)
	}
	return "bad JSON"
}
