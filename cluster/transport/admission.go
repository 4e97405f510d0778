package transport

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// A certificate of the region's CA only opens a connection. Each call passes
// here: the sender is taken from the certificate, Config.Admit decides whether it
// may make the call, and only then the method runs.

type senderKey struct{}

// Sender returns the id of the node that made a call and was admitted to it,
// from its certificate; empty outside of calls.
func Sender(ctx context.Context) string {
	id, _ := ctx.Value(senderKey{}).(string)
	return id
}

// admitCall returns the context of a call that may go on.
func (t *Transport) admitCall(ctx context.Context, method string) (context.Context, error) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return nil, status.Error(codes.Unauthenticated, "no sender")
	}
	info, ok := p.AuthInfo.(authInfo)
	if !ok || info.nodeID == "" {
		return nil, status.Error(codes.Unauthenticated, "no sender")
	}
	if t.cfg.Admit != nil {
		if err := t.cfg.Admit(info.nodeID, method); err != nil {
			return nil, err
		}
	}
	return context.WithValue(ctx, senderKey{}, info.nodeID), nil
}

func (t *Transport) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	ctx, err = t.admitCall(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer t.caught(info.FullMethod, &err)
	return handle(ctx, request)
}

func (t *Transport) stream(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx, err := t.admitCall(s.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer t.caught(info.FullMethod, &err)
	return handle(server, admittedStream{s, ctx})
}

type admittedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s admittedStream) Context() context.Context { return s.ctx }

// caught hands a panic of a method to the configuration, with its stack: gRPC
// would let it end the process without a word in the log. Without anybody to
// tell it goes on.
func (t *Transport) caught(method string, err *error) {
	if t.cfg.Panicked == nil {
		return
	}
	if p := recover(); p != nil {
		t.cfg.Panicked(fmt.Errorf("panic in %s: %v\n%s", method, p, debug.Stack()))
		*err = status.Errorf(codes.Internal, "%s failed", method)
	}
}
