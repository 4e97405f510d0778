package cluster_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// What reaches Raft while it shuts down is never answered; whoever waits for
	// it stays until the process ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("meridian/cluster.wait.func1"))
}
