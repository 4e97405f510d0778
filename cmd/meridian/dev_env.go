package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"meridian/cmd/meridian/devregion"
)

// devEnviron is the environment by which clients reach a development region:
// ours, the official command line and SDKs, and programs in Go, C and Node.js.
func devEnviron(r readyRegion) []string {
	environ := []string{
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + r.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + r.AccessKeySecret,
		"ALIBABA_CLOUD_REGION_ID=" + r.ID,
		"ALIBABA_CLOUD_ENDPOINT=" + strings.TrimPrefix(r.Endpoints[0], "https://"),
		"ALIBABA_CLOUD_IGNORE_PROFILE=TRUE",
		"MERIDIAN_ENDPOINT=" + strings.Join(r.Endpoints, ","),
		"MERIDIAN_CA_FILE=" + r.CAFile,
		"NODE_EXTRA_CA_CERTS=" + r.CAFile,
	}
	if trust := devregion.TrustFile(r.CAFile); fileExists(trust) {
		environ = append(environ, "SSL_CERT_FILE="+trust)
	}
	return environ
}

// commandEnviron is devEnviron for a program that ends before the region does.
// Python's requests would refuse all work in a shell that outlived the file.
func commandEnviron(r readyRegion) []string {
	return append(devEnviron(r), "REQUESTS_CA_BUNDLE="+devregion.TrustFile(r.CAFile))
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func newDevEnvCommand() *cobra.Command {
	var region string
	c := &cobra.Command{
		Use:     "env",
		Short:   "Print the running dev instance's environment for a shell",
		Example: `  eval "$(meridian dev env)"`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := runningDevRegion(region)
			if err != nil {
				return err
			}
			for _, pair := range devEnviron(r) {
				name, value, _ := strings.Cut(pair, "=")
				fmt.Fprintf(c.OutOrStdout(), "export %s=%s\n", name, shellQuote(value))
			}
			return nil
		},
	}
	c.Flags().StringVar(&region, "region", "", "which region (default: the first)")
	return c
}

// runningDevRegion finds a region of the running dev instance; "" is the first.
func runningDevRegion(id string) (readyRegion, error) {
	f, err := readDevFile()
	if errors.Is(err, fs.ErrNotExist) {
		return readyRegion{}, &exitError{exitUnavailable, errors.New("no dev instance is running; start one with: meridian dev")}
	}
	if err != nil {
		return readyRegion{}, err
	}
	var ids []string
	for _, r := range f.Regions {
		if id == "" || r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return readyRegion{}, &exitError{exitNotFound, fmt.Errorf("the dev instance has no region %q; it has %s", id, strings.Join(ids, ", "))}
}

// shellQuote makes text one word for a POSIX shell.
func shellQuote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// exitCode is a program's exit code as a shell gives it: 128 and the signal's
// number for one that a signal ended.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
