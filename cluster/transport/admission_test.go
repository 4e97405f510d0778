package transport

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

// brittle panics at every call.
type brittle struct {
	clusterpb.UnimplementedInternodeServer
}

func (brittle) Ack(context.Context, *clusterpb.AckRequest) (*clusterpb.AckResponse, error) {
	panic("ack of " + "nothing")
}

func (brittle) FetchState(_ *clusterpb.FetchStateRequest, s grpc.ServerStreamingServer[clusterpb.FetchStateResponse]) error {
	panic("state for " + Sender(s.Context()))
}

func brittlePair(t *testing.T, configure func(*Config)) clusterpb.InternodeClient {
	t.Helper()
	ca := newTestCA(t, "r1")
	a, _ := open(t, ca.config("a"))
	cfg := ca.config("b")
	configure(&cfg)
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	clusterpb.RegisterInternodeServer(b.Server(), brittle{})
	b.Start()
	t.Cleanup(func() { _ = b.Close() })
	conn, err := a.Client("b", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return clusterpb.NewInternodeClient(conn)
}

func fetch(ctx context.Context, c clusterpb.InternodeClient) error {
	stream, err := c.FetchState(ctx, &clusterpb.FetchStateRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	return err
}

func TestPanicOfACallIsReported(t *testing.T) {
	reports := make(chan error, 2)
	c := brittlePair(t, func(cfg *Config) { cfg.Panicked = func(err error) { reports <- err } })
	_, err := c.Ack(t.Context(), &clusterpb.AckRequest{})
	if status.Code(err) != codes.Internal {
		t.Errorf("answer %v, want Internal", err)
	}
	if got := (<-reports).Error(); !strings.Contains(got, "Internode/Ack: ack of nothing") || !strings.Contains(got, "admission_test.go") {
		t.Errorf("report %q, want what, where from and the stack", got)
	}
	if err := fetch(t.Context(), c); status.Code(err) != codes.Internal {
		t.Errorf("answer %v, want Internal", err)
	}
	if got := (<-reports).Error(); !strings.Contains(got, "FetchState: state for a") {
		t.Errorf("report %q", got)
	}
}

func TestCallsThatAreNotAdmittedDoNotRun(t *testing.T) {
	c := brittlePair(t, func(cfg *Config) {
		cfg.Admit = func(nodeID, method string) error {
			return status.Errorf(codes.PermissionDenied, "%s, %s", nodeID, method)
		}
	})
	_, err := c.Ack(t.Context(), &clusterpb.AckRequest{})
	for method, err := range map[string]error{"Ack": err, "FetchState": fetch(t.Context(), c)} {
		if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "a, /meridian.cluster.v1.Internode/"+method) {
			t.Errorf("%s: %v, want the refusal", method, err)
		}
	}
}
