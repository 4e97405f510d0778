package main

import (
	"bufio"
	"context"
	"crypto/fips140"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/api/ceiling"
	"meridian/cluster/api/client"
	"meridian/cmd/meridian/bench"
	"meridian/cmd/meridian/config"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// ceilingVerb runs the ceiling server in a process of its own. It reads its
// access key from stdin, writes its address to stdout, and ends when stdin does.
const ceilingVerb = "ceiling-server"

func newBenchCeilingCommand() *cobra.Command {
	return &cobra.Command{
		Use:    ceilingVerb,
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return serveCeiling(c.InOrStdin(), c.OutOrStdout())
		},
	}
}

// ceilingKey is the first line of a ceiling server's stdin.
type ceilingKey struct{ ID, Secret string }

func serveCeiling(in io.Reader, out io.Writer) error {
	if fips140.Enforced() {
		return usageError("the ceiling server checks one HMAC-SHA1, which GODEBUG=fips140=only forbids")
	}
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return usageError("this verb is for meridian bench --ceiling alone")
	}
	var key ceilingKey
	if err := json.Unmarshal(line, &key); err != nil {
		return usageError("this verb is for meridian bench --ceiling alone")
	}
	signal.Ignore(os.Interrupt)          // a terminal's Ctrl-C is for whoever started it, and stdin ends then
	tuneMemory(config.Defaults().Memory) // as the server's, so that the ratio is of the work alone
	h, err := ceiling.New(key.ID, crypto.Secret(key.Secret))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	fmt.Fprintln(out, l.Addr())
	_, _ = io.Copy(io.Discard, lines) // until whoever started it is gone
	_ = server.Close()                // its error would be the listener's, and that is going anyway
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ceilingServer is a running ceiling server.
type ceilingServer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	key  bench.Key
	host string
}

// startCeiling starts one of a program, which is this one but in tests.
func startCeiling(program string) (s *ceilingServer, err error) {
	s = &ceilingServer{key: bench.Key{ID: "ceiling", Secret: crypto.Secret(randomText(24)), Signature: client.V1}}
	s.cmd = exec.Command(program, "bench", ceilingVerb)
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = devregion.ServerEnvironment(os.Environ()) // as the servers it is compared with
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := json.Marshal(ceilingKey{s.key.ID, string(s.key.Secret)})
	if err == nil {
		_, err = s.in.Write(append(line, '\n'))
	}
	if err == nil {
		var address string
		address, err = bufio.NewReader(out).ReadString('\n')
		s.host = strings.TrimSpace(address)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the ceiling server does not start: %w", err), s.close())
	}
	return s, nil
}

// close ends the server and waits for it.
func (s *ceilingServer) close() error {
	_ = s.in.Close() // what ends it; Wait tells the rest
	return s.cmd.Wait()
}

// signer signs what is sealed at a size.
func (s *ceilingServer) signer(size int) *bench.Signer {
	return bench.NewSigner(s.host, s.key, bench.Call{Action: "Encrypt", Params: map[string]string{"KeyId": demoAlias, "Plaintext": randomText(size)}})
}

// serverCPU is the CPU time that all server processes have used.
func (b *benchRun) serverCPU() (time.Duration, error) { return sumCPU(b.servers) }

func sumCPU(pids []int) (total time.Duration, err error) {
	for _, pid := range pids {
		d, err := bench.CPU(pid)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, &exitError{exitUnavailable, fmt.Errorf("process %d, whose CPU time is to be measured, is gone", pid)}
		}
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		total += d
	}
	return total, nil
}

// plainSize is what the ceiling seals for a case without a plaintext.
const plainSize = 32

// runRounds alternates rounds of each case with rounds of the ceiling, in turning
// order.
func (b *benchRun) runRounds(ctx context.Context, report *benchReport) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	least, err := startCeiling(self)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, least.close()) }()
	bar := b.startBar("rounds", 0, int64(b.rounds*len(b.cases)*2), nil)
	defer bar.stop()
	for round := range b.rounds {
		for i := range b.cases {
			if ctx.Err() != nil {
				break
			}
			pair, err := b.roundPair(ctx, i, round, least, report, bar)
			if err != nil {
				return err
			}
			if pair != nil {
				report.Cases[i].addRound(*pair)
			}
		}
	}
	report.finish()
	return nil
}

// roundPair measures one case and the ceiling at its size, one behind the other.
// It is nil if it was interrupted.
func (b *benchRun) roundPair(ctx context.Context, i, round int, least *ceilingServer, report *benchReport, bar *benchBar) (*roundReport, error) {
	c := &b.cases[i]
	size := c.size
	if size == 0 {
		size = plainSize
	}
	var pair roundReport
	steps := []func() error{
		func() error {
			cfg := bench.Config{Endpoints: b.endpoints, Cases: []bench.Case{{Signers: b.signers(c), Weight: 1}}}
			result, used, err := b.round(ctx, cfg, b.servers)
			if err != nil {
				return err
			}
			report.addCase(i, &result.Cases[0], result.Elapsed)
			pair.Server = perCall(used, result)
			return nil
		},
		func() error {
			cfg := bench.Config{Endpoints: []bench.Endpoint{{Address: least.host}}, Cases: []bench.Case{{Signers: []*bench.Signer{least.signer(size)}, Weight: 1}}}
			result, used, err := b.round(ctx, cfg, []int{least.cmd.Process.Pid})
			if err == nil && result.Cases[0].Failed() > 0 {
				err = fmt.Errorf("the ceiling server refused %d calls: %v", result.Cases[0].Failed(), result.Cases[0].Errors)
			}
			if err != nil {
				return err
			}
			pair.Ceiling = perCall(used, result)
			return nil
		},
	}
	if round%2 == 1 {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		err := step()
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, b.loadError(err)
		}
		bar.step()
	}
	if pair.Ceiling > 0 {
		pair.Ratio = pair.Server / pair.Ceiling
	}
	return &pair, nil
}

// round loads for one round, after warming up, and returns the CPU time that the
// processes used meanwhile.
func (b *benchRun) round(ctx context.Context, cfg bench.Config, pids []int) (*bench.Result, time.Duration, error) {
	cfg.Connections, cfg.Duration, cfg.Count, cfg.Timeout = b.connections, b.duration, b.count, b.target.timeout
	if err := signAhead(ctx, cfg); err != nil {
		return nil, 0, err
	}
	before, err := sumCPU(pids)
	if err != nil {
		return nil, 0, err
	}
	var done atomic.Int64
	cfg.Done = &done
	result, err := bench.Run(ctx, cfg)
	if err != nil {
		return nil, 0, err
	}
	after, err := sumCPU(pids)
	return result, after - before, err
}

// perCall is CPU time for each call, in microseconds.
func perCall(used time.Duration, r *bench.Result) float64 {
	if n := r.Calls(); n > 0 {
		return used.Seconds() * 1e6 / float64(n)
	}
	return 0
}
