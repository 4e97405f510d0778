package cluster

import (
	"cmp"
	"errors"
)

// What Propose, Read, Cipher and Wrap return besides errors of their callers.
var (
	// ErrUnavailable: there was no leader for as long as a call is held. A
	// write that fails with it has certainly not been started.
	ErrUnavailable = errors.New("cluster: no leader could be reached in time")
	// ErrOutcomeUnknown: the write may have taken effect or may still do so.
	// Sending the same command id again tells.
	ErrOutcomeUnknown = errors.New("cluster: the outcome of the write is not known")
	// ErrThrottled: too many writes wait. Certainly not started.
	ErrThrottled = errors.New("cluster: too many writes are waiting")
	// ErrDiskFull: the leader's disk is nearly full, or those of so many nodes that
	// no majority has room; a *DiskFullError names one. Certainly not started.
	ErrDiskFull = errors.New("cluster: the disk is nearly full")
	// ErrRefused: the leader does not understand the command, or it is too
	// large. Certainly not started; sending it again does not help.
	ErrRefused = errors.New("cluster: the leader refuses the command")
	// ErrSealed: the keyring is not open on this node.
	ErrSealed = errors.New("cluster: the node is sealed")
	// ErrBehind: the node's state has not reached the index that a read asked
	// for in time.
	ErrBehind = errors.New("cluster: the state has not reached the index asked for")
	// ErrDiffers: a majority of the region has another state at the same index.
	// The node stops, and fetches theirs when it starts again.
	ErrDiffers = errors.New("cluster: the state differs from the other nodes'")
	// ErrStopped: the node is shutting down, or stopped after a fault.
	ErrStopped = errors.New("cluster: the node is stopped")
)

// Reasons for which Open refuses a data folder. Each error says what to do.
var (
	// ErrReplaced: the node id is known with other data: the folder was wiped
	// or swapped. It must not vote again under this id.
	ErrReplaced = errors.New("cluster: this node id belongs to other data")
	// ErrNotMember: the region was formed without this node.
	ErrNotMember = errors.New("cluster: this node is not a member of the region")
	// ErrLogTail: the state is ahead of the Raft log, which lost its end or
	// belongs to another node.
	ErrLogTail = errors.New("cluster: the Raft log ends before the state")
	// ErrLogGap: entries are missing between the newest snapshot and the log.
	ErrLogGap = errors.New("cluster: the Raft log does not connect to the snapshot")
	// ErrForeignData: state and Raft log are of different clusters, or of
	// another region or node than configured.
	ErrForeignData = errors.New("cluster: the data folder belongs elsewhere")
	// ErrNoLog: there is a state file but no Raft log beside it.
	ErrNoLog = errors.New("cluster: the Raft log is missing")
	// ErrInUse: another process has the data folder open.
	ErrInUse = errors.New("cluster: another process uses this data folder")
	// ErrDisk: the data folder cannot be written in time.
	ErrDisk = errors.New("cluster: the disk does not take writes")
)

// DiskFullError is an ErrDiskFull that names the leader that refuses, and a node
// whose disk it is, one of those without which no majority has room; empty, or the
// leader's id, where it is the leader's own.
type DiskFullError struct{ Leader, Node string }

func (e *DiskFullError) Error() string {
	return ErrDiskFull.Error() + ": node " + cmp.Or(e.Node, e.Leader)
}

func (e *DiskFullError) Unwrap() error { return ErrDiskFull }
