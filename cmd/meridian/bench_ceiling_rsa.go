package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"meridian/cmd/meridian/config"
)

// ceilingRSAVerb measures what the standard way of moving data keys is held against: bare RSA-2048 decryptions with OAEP and
// SHA-256 for a second of CPU. It does so in this program and not in a test, because how the linker lays a program out makes
// its arithmetic up to a tenth faster or slower.
const ceilingRSAVerb = "ceiling-rsa"

func newBenchCeilingRSACommand() *cobra.Command {
	return &cobra.Command{
		Use:    ceilingRSAVerb + " NUMBER",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			number, err := strconv.Atoi(args[0])
			if err != nil || number < 1 {
				return usageError("%q is no number of decryptions", args[0])
			}
			return measureRSA(number, c.OutOrStdout())
		},
	}
}

// measureRSA writes how many decryptions a second of CPU is good for.
func measureRSA(number int, out io.Writer) error {
	tuneMemory(config.Defaults().Memory) // as the server's
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &pair.PublicKey, make([]byte, 32), nil)
	if err != nil {
		return err
	}
	began, err := processCPU()
	if err != nil {
		return err
	}
	for range number {
		if _, err := rsa.DecryptOAEP(sha256.New(), nil, pair, ciphertext, nil); err != nil {
			return err
		}
	}
	ended, err := processCPU()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%.1f\n", float64(number)/(ended-began).Seconds())
	return err
}

// processCPU is the CPU time of this process so far.
func processCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
