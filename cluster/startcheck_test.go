package cluster

import (
	"errors"
	"testing"
)

func TestStartCheck(t *testing.T) {
	one, other := []byte("cluster one"), []byte("cluster two")
	tests := []struct {
		name string
		data dataAtStart
		want recovery
		err  error
	}{
		{"nothing yet", dataAtStart{}, keepState, nil},
		{"all in the log", dataAtStart{first: 1, last: 20, applied: 18}, keepState, nil},
		{"state lost, all in the log", dataAtStart{stateLost: true, first: 1, last: 20}, keepState, nil},
		{"snapshot inside the state", dataAtStart{first: 5, last: 20, applied: 18, snapshot: 10, snapshotFSM: 9, floor: 10}, keepState, nil},
		{"state at the snapshot, which ends with a barrier", dataAtStart{first: 5, last: 10, applied: 9, snapshot: 10, snapshotFSM: 9, floor: 10}, keepState, nil},
		{"state older than the snapshot", dataAtStart{first: 5, last: 20, applied: 8, snapshot: 10, snapshotFSM: 9, floor: 10}, restoreSnapshot, nil},
		{"state lost", dataAtStart{stateLost: true, first: 5, last: 20, snapshot: 10, snapshotFSM: 9, floor: 10}, restoreSnapshot, nil},
		{"snapshot beyond the log", dataAtStart{stateLost: true, first: 1, last: 4, snapshot: 10, snapshotFSM: 9, floor: 10}, restoreSnapshot, nil},
		{"no snapshot, log trimmed, state good", dataAtStart{first: 11, last: 20, applied: 18}, labelState, nil},
		{"no snapshot, log trimmed, state at its beginning", dataAtStart{first: 11, last: 20, applied: 10}, labelState, nil},
		{"no snapshot, log trimmed, state before it", dataAtStart{first: 11, last: 20, applied: 9}, fetchState, nil},
		{"no snapshot, log trimmed, state lost", dataAtStart{stateLost: true, first: 11, last: 20}, fetchState, nil},
		{"old snapshot, log trimmed, state lost", dataAtStart{stateLost: true, first: 11, last: 20, snapshot: 5, snapshotFSM: 5, floor: 10}, fetchState, nil},
		{"lost snapshot was beyond the log, state before it", dataAtStart{first: 1, last: 4, applied: 4, floor: 10}, fetchState, nil},
		{"lost snapshot was beyond the log, state reaches it", dataAtStart{first: 1, last: 4, applied: 10, floor: 10}, labelState, nil},
		{"state differed", dataAtStart{stateLost: true, distrusted: true, first: 1, last: 20}, fetchState, nil},

		{"log lost its tail", dataAtStart{first: 5, last: 15, applied: 18, snapshot: 10, snapshotFSM: 9, floor: 10}, keepState, ErrLogTail},
		{"log emptied", dataAtStart{applied: 18, snapshot: 10, snapshotFSM: 9, floor: 10}, keepState, ErrLogTail},
		{"log emptied, state lost", dataAtStart{stateLost: true, logCluster: one}, keepState, ErrLogTail},
		{"log of an earlier term", dataAtStart{first: 5, last: 20, applied: 18, appliedTerm: 7, term: 6, floorTerm: 5}, keepState, ErrLogTail},
		{"log of another cluster", dataAtStart{first: 1, last: 20, applied: 18, logCluster: one, stateCluster: other}, keepState, ErrForeignData},
	}
	for _, test := range tests {
		step, err := test.data.next()
		if step != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, step, err, test.want, test.err)
		}
	}
}

func TestJudgeStates(t *testing.T) {
	a, b, c := [32]byte{'a'}, [32]byte{'b'}, [32]byte{'c'}
	says := func(h [32]byte) stateAt { return stateAt{known: true, hash: h} }
	silent := stateAt{}
	tests := []struct {
		name    string
		others  []stateAt // of a node that has a
		want    verdict
		differs bool
	}{
		{"alone", nil, agreed, false},
		{"three agree", []stateAt{says(a), says(a)}, agreed, false},
		{"two of three", []stateAt{says(a), silent}, agreed, false},
		{"another of three differs", []stateAt{says(a), says(b)}, agreed, true},
		{"outvoted by two", []stateAt{says(b), says(b)}, outvoted, true},
		{"one of three silent, the other differs", []stateAt{silent, says(b)}, unsettled, true},
		{"all differ", []stateAt{says(b), says(c)}, unsettled, true},
		{"nobody answers", []stateAt{silent, silent}, unsettled, false},
		{"two nodes", []stateAt{says(b)}, unsettled, true},
		{"two of five outvoted by three", []stateAt{says(a), says(b), says(b), says(b)}, outvoted, true},
		{"two against two of five", []stateAt{says(a), says(b), says(b), silent}, unsettled, true},
		{"half of four", []stateAt{says(a), says(b), says(b)}, unsettled, true},
	}
	for _, test := range tests {
		if v, differs := judge(a, test.others); v != test.want || differs != test.differs {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, v, differs, test.want, test.differs)
		}
	}
}
