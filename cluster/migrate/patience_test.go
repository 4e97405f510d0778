package migrate

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadAddress is one on which nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + l.Addr().String()
}

// A region that never answers is given up soon, with what was tried; somebody is told once before.
func TestRegionThatNeverAnswers(t *testing.T) {
	addresses := []string{deadAddress(t), deadAddress(t)}
	r := testRegion(t, time.Second, addresses...)
	r.StartPatience, r.patience = 300*time.Millisecond, patience{row: time.Hour, word: time.Millisecond}
	told := make(chan *NoAnswerError, 100)
	r.Silent = func(e *NoAnswerError) { told <- e }
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			err := r.Call(t.Context(), "DescribeKey", nil, nil)
			var silent *NoAnswerError
			if !errors.As(err, &silent) || silent.Waited < r.StartPatience || !strings.Contains(err.Error(), "region cn-a did not answer") ||
				!strings.Contains(err.Error(), strings.Join(addresses, ", ")) || silent.Last != nil && !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%v", err)
			}
		})
	}
	calls.Wait()
	if e := <-told; e.Region != "cn-a" {
		t.Errorf("told was %v", e)
	}
	if len(told) > 0 {
		t.Errorf("and once more: %v", <-told)
	}
}

// A region that has answered is waited for longer, and no longer than a row is.
func TestRegionThatAnswersNoMore(t *testing.T) {
	c := newCloud(t, "cn-a", 1)
	r := testRegion(t, time.Second, c.servers[0].URL)
	r.StartPatience, r.patience = time.Hour, patience{row: time.Hour, word: time.Hour} // however slow this machine is
	if err := r.Call(t.Context(), "DescribeKey", map[string]string{"KeyId": "alias/pay"}, nil); err != nil {
		t.Fatal(err)
	}
	c.servers[0].Close()
	r.StartPatience, r.patience.row = time.Nanosecond, 200*time.Millisecond
	var silent *NoAnswerError
	if err := r.Call(t.Context(), "DescribeKey", nil, nil); !errors.As(err, &silent) || silent.Waited < r.patience.row {
		t.Errorf("%v", err)
	}
	r.patience.row = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // of a row that waited for the other region before
	defer cancel()
	r.silence.failed(errors.New("an error of before"))
	if err := r.Call(ctx, "DescribeKey", nil, nil); !errors.As(err, &silent) || silent.Last == nil {
		t.Errorf("the row's time is over: %v", err)
	}
}

// An answer that says to come later, again and again, is no answer about the request in the end either.
func TestRegionThatSaysLater(t *testing.T) {
	c := newCloud(t, "cn-a", 1)
	c.refuse = func(string, int, map[string]string) (int, string) { return 400, "Throttling.User" }
	r := testRegion(t, time.Minute, c.servers[0].URL)
	r.StartPatience = 300 * time.Millisecond
	err := r.Call(t.Context(), "DescribeKey", nil, nil)
	if refused, rest := refusal(err); refused != nil || !errors.As(rest, new(*NoAnswerError)) {
		t.Errorf("%v, %v", refused, rest)
	}
}

// Somebody is told of a region that does not answer for a while, once each time, and seldom.
func TestSilence(t *testing.T) {
	const word = 5 * time.Second
	begin := time.Now()
	s := &silence{}
	tells := func(after time.Duration, want bool, again time.Duration) {
		t.Helper()
		if tell, at := s.tell(begin.Add(after), word); tell != want || at != again {
			t.Errorf("after %v: %v, and again after %v", after, tell, at)
		}
	}
	tells(word, true, 0)
	tells(word, false, 0)
	s.answered = begin.Add(10 * time.Second)
	tells(12*time.Second, false, 0) // it is too early for another word
	tells(70*time.Second, true, 0)
	tells(200*time.Second, false, 0)
	s.answered = begin.Add(298 * time.Second)
	tells(300*time.Second, false, 3*time.Second)
	tells(303*time.Second, true, 0)
}

// Whether the source answers is found out before anything else is done.
func TestNativeWayWithoutASource(t *testing.T) {
	to := newNativeCloud(t, "cn-b", 1)
	from := testRegion(t, time.Second, deadAddress(t))
	from.StartPatience = 100 * time.Millisecond
	_, err := NewNative(t.Context(), from, to.region(t), Mapping{})
	var silent *NoAnswerError
	if !errors.As(err, &silent) || silent.Region != "cn-a" || len(to.native.calls) != 0 {
		t.Errorf("%v, %v", err, to.native.calls)
	}
}
