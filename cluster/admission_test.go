package cluster

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

func TestEveryMethodSaysWhoseCallsItAnswers(t *testing.T) {
	service := clusterpb.Internode_ServiceDesc
	names := make(map[string]bool)
	for _, m := range service.Methods {
		names["/"+service.ServiceName+"/"+m.MethodName] = true
	}
	for _, s := range service.Streams {
		names["/"+service.ServiceName+"/"+s.StreamName] = true
	}
	for name := range names {
		if admitted[name] == nil {
			t.Errorf("%s has no rule", name)
		}
	}
	for name := range admitted {
		if !names[name] {
			t.Errorf("a rule for %s, which is no method", name)
		}
	}
}

func TestBeforeRaftRunsTheConfiguredVotersAreHeard(t *testing.T) {
	n := &Node{cfg: Config{NodeID: "a", Region: "r", Voters: []Voter{{ID: "a"}, {ID: "b"}}}}
	for _, test := range []struct {
		sender, method string
		want           codes.Code
	}{
		{"b", clusterpb.Internode_Greet_FullMethodName, codes.OK},
		{"b", clusterpb.Internode_Describe_FullMethodName, codes.OK},
		{"c", clusterpb.Internode_Greet_FullMethodName, codes.PermissionDenied},
		{"c", clusterpb.Internode_FetchState_FullMethodName, codes.PermissionDenied},
		{"b", "/meridian.cluster.v1.Internode/Unheard", codes.PermissionDenied},
	} {
		if err := n.admit(test.sender, test.method); status.Code(err) != test.want {
			t.Errorf("%s from %s: %v, want %v", test.method, test.sender, err, test.want)
		}
	}
}
