package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/boottime"
	"meridian/cluster/lease"
	"meridian/store"
	"meridian/store/storepb"
)

func TestStampsNeverFall(t *testing.T) {
	now := time.UnixMilli(5_000)
	s := newStamps(func() time.Time { return now }, boottime.Now)
	for _, step := range []struct{ clock, want int64 }{{5_000, 5_000}, {7_000, 7_000}, {6_000, 7_000}, {7_001, 7_001}} {
		now = time.UnixMilli(step.clock)
		if got := s.next(); got != step.want {
			t.Errorf("clock %d: stamp %d, want %d", step.clock, got, step.want)
		}
	}
	s.raise(time.UnixMilli(9_000)) // of an earlier leader
	if got := s.next(); got != 9_000 {
		t.Errorf("stamp %d below one in the state", got)
	}
}

// A clock that leaps forward carries the state's time along only once it proves
// right.
func TestStampsDoNotLeapWithTheClock(t *testing.T) {
	const minute = time.Minute
	now, boot := time.UnixMilli(0), lease.Instant(0)
	s := newStamps(func() time.Time { return now }, func() lease.Instant { return boot })
	for _, step := range []struct {
		boot, wall, want time.Duration
		agreed           bool // before the stamp
	}{
		{0, 0, 0, false},
		{minute, minute, minute, false},
		{2 * minute, 6 * minute, 6 * minute, false},  // set right by NTP, perhaps
		{3 * minute, 90 * minute, 7 * minute, false}, // a leap
		{4 * minute, 91 * minute, 8 * minute, false},
		{5 * minute, 9 * minute, 9 * minute, false},      // and back
		{99 * minute, 103 * minute, 103 * minute, false}, // nobody wrote meanwhile, or the machine slept
		{100 * minute, 900 * minute, 104 * minute, false},
		{101 * minute, 901 * minute, 901 * minute, true},
		{102 * minute, 800 * minute, 901 * minute, false},
	} {
		now, boot = time.UnixMilli(0).Add(step.wall), step.boot
		if step.agreed {
			s.follow(now)
		}
		if got, want := s.next(), step.want.Milliseconds(); got != want {
			t.Errorf("%v after the start the clock shows %v: stamp %v, want %v", step.boot, step.wall, time.Duration(got)*time.Millisecond, step.want)
		}
	}
}

func TestIndexWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w indexWatch
		reached := make(chan error, 1)
		go func() { reached <- w.wait(t.Context(), 5) }()
		synctest.Wait()
		w.advance(4)
		synctest.Wait()
		select {
		case <-reached:
			t.Fatal("returned below the index")
		default:
		}
		w.advance(7)
		if err := <-reached; err != nil {
			t.Fatal(err)
		}
		w.advance(3)
		if w.value.Load() != 7 {
			t.Error("the index fell")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.wait(ctx, 8); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline", err)
		}
	})
}

func TestQuorumCountsOnlyLaterQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := []raft.Server{{ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}}
		c := newConfirmer(others, true)
		ask := func() chan error {
			done := make(chan error, 1)
			go func() { done <- c.quorum(t.Context(), t.Context()) }()
			synctest.Wait()
			return done
		}
		pending := func(done chan error) bool {
			synctest.Wait()
			return len(done) == 0
		}
		first := ask()
		c.confirmed(0, 1, clockReading{})
		if !pending(first) {
			t.Fatal("two of five are no quorum")
		}
		second := ask()
		c.confirmed(1, 1, clockReading{}) // asked before the second began
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		c.confirmed(2, 1, clockReading{})
		c.confirmed(3, 1, clockReading{})
		if !pending(second) {
			t.Fatal("answers to questions from before the read count")
		}
		c.confirmed(3, 2, clockReading{})
		if !pending(second) {
			t.Fatal("two of five are no quorum")
		}
		c.confirmed(1, 2, clockReading{})
		if err := <-second; err != nil {
			t.Fatal(err)
		}
	})
}

func TestQuorumEndsWithTheTerm(t *testing.T) {
	c := newConfirmer([]raft.Server{{ID: "b"}, {ID: "c"}}, true)
	term, end := context.WithCancel(t.Context())
	end()
	if err := c.quorum(t.Context(), term); !errors.Is(err, errTermClosed) {
		t.Errorf("error %v, want the end of the term", err)
	}
}

func TestDueWorkNeedsClocksThatAgree(t *testing.T) {
	near, far := clockReading{true, time.Second}, clockReading{true, -6 * time.Minute}
	mute := clockReading{}
	for name, test := range map[string]struct {
		clocks []clockReading
		want   error
	}{
		"alone":                    {nil, nil},
		"three, both near":         {[]clockReading{near, near}, nil},
		"three, one far":           {[]clockReading{far, near}, nil},
		"three, one near and mute": {[]clockReading{near, mute}, nil},
		"three, one far, one mute": {[]clockReading{mute, far}, context.DeadlineExceeded},
		"three, both far":          {[]clockReading{far, far}, errClocksDiffer},
		"five, two near":           {[]clockReading{far, far, near, near}, nil},
		"five, one near":           {[]clockReading{near, far, far, mute}, context.DeadlineExceeded},
		"five, all but one far":    {[]clockReading{near, far, far, far}, errClocksDiffer},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newConfirmer(make([]raft.Server, len(test.clocks)), true)
				for i := range test.clocks { // of an earlier round: nobody's count
					c.confirmed(i, 0, near)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- c.clocksAgree(ctx, t.Context(), clockTolerance) }()
				synctest.Wait()
				for i, clock := range test.clocks {
					if clock.known {
						c.confirmed(i, 1, clock)
					}
				}
				if err := <-done; !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			})
		})
	}
}

func TestCommandsThatAreNotUnderstoodAreNotProposed(t *testing.T) {
	fit := func() *storepb.Command {
		return &storepb.Command{
			Version: store.CommandVersion, Id: make([]byte, store.CommandIDBytes), Origin: &storepb.Origin{Node: "a"},
			Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{Tags: []*storepb.Tag{{Key: "k"}, {Key: "l"}}}},
		}
	}
	if err := checkFit(fit()); err != nil {
		t.Fatalf("a plain command is unfit: %v", err)
	}
	unknown := []byte{0xf8, 0x3f, 0x01} // field 1023, varint 1
	for name, spoil := range map[string]func(*storepb.Command){
		"newer version":             func(c *storepb.Command) { c.Version++ },
		"no id":                     func(c *storepb.Command) { c.Id = nil },
		"no body":                   func(c *storepb.Command) { c.Body = nil },
		"unknown field":             func(c *storepb.Command) { c.ProtoReflect().SetUnknown(unknown) },
		"unknown field in the body": func(c *storepb.Command) { c.GetCreateKey().ProtoReflect().SetUnknown(unknown) },
		"unknown field in a list":   func(c *storepb.Command) { c.GetCreateKey().Tags[1].ProtoReflect().SetUnknown(unknown) },
		"unknown field of origin":   func(c *storepb.Command) { c.Origin.ProtoReflect().SetUnknown(unknown) },
	} {
		c := fit()
		spoil(c)
		if checkFit(c) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRaftLogLinesReachSlog(t *testing.T) {
	var out bytes.Buffer
	l := newRaftLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	l.Named("net").With("peer", "n2").Warn("retrying", "servers", hclog.Fmt("%+v", []int{1, 2}))
	l.Debug("hidden")
	line := out.String()
	for _, want := range []string{"level=WARN", "raft.net: retrying", "peer=n2", `servers="[1 2]"`} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	if strings.Contains(line, "hidden") {
		t.Error("level not obeyed")
	}
	if l.IsDebug() || !l.IsInfo() || l.GetLevel() != hclog.Info {
		t.Error("levels asked of the logger are not slog's")
	}
}

func TestConfigReportsEveryMistake(t *testing.T) {
	c := Config{NodeID: "-a", Region: "no/region", Voters: []Voter{{"b", "x"}, {"b", "host:1"}}, Timing: Timing{Heartbeat: time.Second, LeaderLease: 2 * time.Second}}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`node id "-a"`, `region "no/region"`, "account is missing", "data folder is missing",
		`address "x"`, `voter "b" is listed twice`, "not among the voters", "no address", "no CA file", "longer than the heartbeat",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
	c = Config{}
	c.setDefaults()
	if c.Timing.Heartbeat != 500*time.Millisecond || c.Timing.LeaderLease != 250*time.Millisecond || c.Timing.Commit != 200*time.Millisecond || c.Timing.Hold != 8*time.Second {
		t.Errorf("defaults %+v", c.Timing)
	}
}

func TestWhyAVoterWasNotMet(t *testing.T) {
	const dial = "rpc error: code = Unavailable desc = connection error: desc = "
	for text, want := range map[string]string{
		dial + `"transport: Error while dialing: dial tcp 10.0.1.13:9411: connect: connection refused"`:                                   "connection refused",
		dial + `"error reading server preface: remote error: tls: bad certificate"`:                                                       "bad certificate",
		dial + `"transport: Error while dialing: 10.0.1.13:9411: transport: peer refused: x509: certificate signed by unknown authority"`: "bad certificate: signed by another CA",
		dial + `"transport: Error while dialing: 10.0.1.13:9411: transport: peer refused: node \"n2\" answers where \"n3\" was expected"`: `node "n2" answers where "n3" was expected`,
		dial + `"transport: Error while dialing: 10.0.1.13:9411: tls: first record does not look like a TLS handshake"`:                   "the TLS handshake fails",
		`node "n4" is not among the voters of node "n1"`:                                                                                  `node "n4" is not among the voters of node "n1"`,
	} {
		err := errors.New(text)
		if message, ok := strings.CutPrefix(text, "rpc error: code = Unavailable desc = "); ok {
			err = status.Error(codes.Unavailable, message)
		}
		reason, repair := whyNotMet(err)
		if strings.ReplaceAll(reason, `\"`, `"`) != want || repair == "" {
			t.Errorf("%s: %q, %q; want %q", text, reason, repair, want)
		}
	}
}

// TestCommandIDsAscend: ids made one after the other lie in this order.
func TestCommandIDsAscend(t *testing.T) {
	last := newCommandID()
	for range 1000 {
		next := newCommandID()
		if len(next) != store.CommandIDBytes || bytes.Compare(last, next) >= 0 {
			t.Fatalf("%x comes after %x", next, last)
		}
		last = next
	}
}

func TestWhyAReadWasNotAdmitted(t *testing.T) {
	const now = lease.Instant(time.Hour)
	for until, want := range map[lease.Instant]string{
		lease.Never:                 "this node has no lease from a leader",
		now:                         "this node has had no lease from a leader for 1ms",
		now - 1500*time.Microsecond: "this node has had no lease from a leader for 2ms",
		now - 3*time.Second:         "this node has had no lease from a leader for 3s",
		now + time.Millisecond:      "this node's state is behind what its lease asks for",
	} {
		if got := lacking(until, now); got != want {
			t.Errorf("until %v: %q, want %q", until, got, want)
		}
	}
}
