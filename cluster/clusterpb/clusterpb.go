// Package clusterpb holds the messages that the nodes of one region exchange
// over the cluster listener, beside Raft's own traffic. The sender of a call is
// always the identity of its certificate, never a field.
package clusterpb

//go:generate protoc --go_out=../.. --go_opt=module=meridian --go-grpc_out=../.. --go-grpc_opt=module=meridian -I ../.. cluster/clusterpb/internode.proto
