package cluster

import (
	"errors"
	"testing"
)

func TestStartChecks(t *testing.T) {
	one, other := []byte("cluster one, epoch one"), []byte("cluster two, epoch one")
	for name, test := range map[string]struct {
		data    dataAtStart
		restore bool
		err     error
	}{
		"empty folder":                             {data: dataAtStart{stateLost: true}},
		"clean restart, log only":                  {data: dataAtStart{applied: 40, first: 1, last: 42}},
		"clean restart, snapshot and log":          {data: dataAtStart{applied: 90, snapshot: 80, snapshotFSM: 79, first: 70, last: 95}},
		"compaction took the whole log":            {data: dataAtStart{applied: 80, snapshot: 80, snapshotFSM: 80}},
		"state equals snapshot but for no-ops":     {data: dataAtStart{applied: 78, snapshot: 80, snapshotFSM: 78, first: 60, last: 80}},
		"state older than the snapshot":            {data: dataAtStart{applied: 50, snapshot: 80, snapshotFSM: 78, first: 70, last: 95}, restore: true},
		"state empty beside snapshot":              {data: dataAtStart{stateLost: true, snapshot: 80, snapshotFSM: 78, first: 70, last: 95}, restore: true},
		"state lost, snapshot of an empty state":   {data: dataAtStart{stateLost: true, snapshot: 2, snapshotFSM: 0, first: 1, last: 9}, restore: true},
		"state lost, whole log there":              {data: dataAtStart{stateLost: true, first: 1, last: 9}},
		"state lost, log without its beginning":    {data: dataAtStart{stateLost: true, first: 5, last: 9}, err: ErrLogGap},
		"state beyond the log":                     {data: dataAtStart{applied: 60, first: 1, last: 42}, err: ErrLogTail},
		"state beyond log and snapshot":            {data: dataAtStart{applied: 100, snapshot: 80, snapshotFSM: 80, first: 70, last: 95}, err: ErrLogTail},
		"state beyond the snapshot, log empty":     {data: dataAtStart{applied: 81, snapshot: 80, snapshotFSM: 80}, err: ErrLogTail},
		"fresh log beside a state":                 {data: dataAtStart{applied: 1}, err: ErrLogTail},
		"log touches the snapshot":                 {data: dataAtStart{applied: 90, snapshot: 80, snapshotFSM: 80, first: 81, last: 95}},
		"one entry missing after the snapshot":     {data: dataAtStart{applied: 90, snapshot: 80, snapshotFSM: 80, first: 82, last: 95}, err: ErrLogGap},
		"log begins late, no snapshot":             {data: dataAtStart{applied: 9, first: 2, last: 9}, err: ErrLogGap},
		"same cluster":                             {data: dataAtStart{applied: 9, first: 1, last: 9, logCluster: one, stateCluster: one}},
		"log bound, region not applied yet":        {data: dataAtStart{applied: 1, first: 1, last: 9, logCluster: one}},
		"region restored, log not bound yet":       {data: dataAtStart{applied: 9, snapshot: 9, snapshotFSM: 9, stateCluster: one}},
		"log and state of different clusters":      {data: dataAtStart{applied: 9, first: 1, last: 9, logCluster: one, stateCluster: other}, err: ErrForeignData},
		"other cluster, though the log is longer":  {data: dataAtStart{applied: 9, first: 1, last: 900, logCluster: other, stateCluster: one}, err: ErrForeignData},
		"lost tail outweighs an outdated snapshot": {data: dataAtStart{applied: 100, snapshot: 99, snapshotFSM: 120, first: 1, last: 80}, err: ErrLogTail},
	} {
		t.Run(name, func(t *testing.T) {
			restore, err := test.data.check()
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if restore != test.restore {
				t.Errorf("restore from the snapshot: %v, want %v", restore, test.restore)
			}
		})
	}
}
