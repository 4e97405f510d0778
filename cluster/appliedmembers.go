package cluster

import (
	"sync/atomic"

	"github.com/hashicorp/raft"

	"meridian/cluster/lease"
	"meridian/store"
)

// appliedMembers is the newest Raft configuration that the state machine has
// applied, and since when this process knows that.
type appliedMembers struct {
	boot func() lease.Instant
	now  atomic.Pointer[membersSince]
}

type membersSince struct {
	members lease.Members
	since   lease.Instant
}

func newAppliedMembers(boot func() lease.Instant) *appliedMembers {
	m := &appliedMembers{boot: boot}
	m.now.Store(&membersSince{since: boot()})
	return m
}

// load takes the configuration from a state that was opened or replaced.
func (m *appliedMembers) load(s *store.Store) error {
	v, err := s.View()
	if err != nil {
		return err
	}
	defer v.Close()
	index, data, err := v.Configuration()
	if err == nil && len(data) > 0 {
		m.set(index, data)
	}
	return err
}

// set takes a configuration entry that was applied.
func (m *appliedMembers) set(index uint64, data []byte) {
	members := leaseMembers(raft.DecodeConfiguration(data), index)
	if old := m.now.Load(); old.members.Index >= index {
		return
	}
	m.now.Store(&membersSince{members, m.boot()})
}
