//go:build faults

package faults

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// verdict is what a history came to.
type verdict struct {
	violations []string
	bounded    int // reads of counters that were compared with their writes
	ordered    int // answers whose index was compared with acknowledged writes
	contended  int // writes judged for linearizability
}

func (v *verdict) violate(format string, args ...any) {
	if len(v.violations) < 50 {
		v.violations = append(v.violations, fmt.Sprintf(format, args...))
	}
}

// verify judges a history, which is in the order of starts.
func verify(ops []op) verdict {
	var v verdict
	v.counters(ops)
	v.indexes(ops)
	v.linearizable(ops)
	return v
}

// written is the history of one counter's writes. All slices are by n - 1.
type written struct {
	invoked []int64 // start of the first attempt at n
	acked   []int64 // end of the attempt that was done; MaxInt64: none
}

// counters checks that every read of a counter lies between the highest write
// acknowledged before it began and the highest one invoked before it ended, and
// that no node falls back.
func (v *verdict) counters(ops []op) {
	writes := map[string]*written{}
	for _, o := range ops {
		if o.Action != "UpdateKeyDescription" {
			continue
		}
		w := writes[o.Object]
		if w == nil {
			w = &written{}
			writes[o.Object] = w
		}
		if int(o.Value) > len(w.invoked) {
			w.invoked, w.acked = append(w.invoked, o.Start), append(w.acked, math.MaxInt64)
		}
		if o.Outcome == done {
			w.acked[o.Value-1] = o.End
		}
		if o.Outcome == refused {
			v.violate("UpdateKeyDescription of %s was refused: %s", o.Object, o.Code)
		}
	}
	reads := map[[2]string][]op{} // by object and node
	for _, o := range ops {
		if o.Action != "DescribeKey" || o.Outcome != done || writes[o.Object] == nil {
			continue
		}
		v.bounded++
		w := writes[o.Object]
		least := int64(countUpTo(w.acked, o.Start))
		most := int64(countUpTo(w.invoked, o.End))
		if o.Value < least || o.Value > most {
			v.violate("counter %s at %s read %d between %v and %v: acknowledged before were %d, begun were %d",
				o.Object, o.Node, o.Value, time.Duration(o.Start), time.Duration(o.End), least, most)
		}
		at := [2]string{o.Object, o.Node}
		reads[at] = append(reads[at], o)
	}
	for at, list := range reads {
		fallsBack(list, func(o *op) int64 { return o.Value }, func(before, after *op) {
			v.violate("counter %s at %s fell back from %d, read by %v, to %d, asked for at %v",
				at[0], at[1], before.Value, time.Duration(before.End), after.Value, time.Duration(after.Start))
		})
	}
}

// countUpTo returns how many of ascending times are not after a moment.
func countUpTo(times []int64, moment int64) int {
	i, _ := slices.BinarySearch(times, moment+1)
	return i
}

// fallsBack reports every op whose value is below one that had ended before the
// op began. ops are in the order of their starts.
func fallsBack(ops []op, value func(*op) int64, report func(before, after *op)) {
	byEnd := make([]*op, len(ops))
	for i := range ops {
		byEnd[i] = &ops[i]
	}
	slices.SortFunc(byEnd, func(a, b *op) int { return int(a.End - b.End) })
	var highest *op
	next := 0
	for i := range ops {
		for next < len(byEnd) && byEnd[next].End <= ops[i].Start {
			if highest == nil || value(byEnd[next]) > value(highest) {
				highest = byEnd[next]
			}
			next++
		}
		if highest != nil && value(&ops[i]) < value(highest) {
			report(highest, &ops[i])
		}
	}
}

// indexes checks every answer by the index of the state that it is from: not
// below any write that was acknowledged before the request began, on whichever
// node, and not below any earlier answer of the same node.
func (v *verdict) indexes(ops []op) {
	var answered []op // reads of all nodes and acknowledged writes
	byNode := map[string][]op{}
	for _, o := range ops {
		if o.Outcome != done || o.Index == 0 {
			continue
		}
		if o.write() {
			answered = append(answered, o)
			continue
		}
		v.ordered++
		answered = append(answered, o)
		byNode[o.Node] = append(byNode[o.Node], o)
	}
	// A read puts no bound on other nodes: it counts with 0 when it ends.
	floor := func(o *op) int64 {
		if o.write() {
			return int64(o.Index)
		}
		return 0
	}
	byEnd := slices.Clone(answered)
	slices.SortFunc(byEnd, func(a, b op) int { return int(a.End - b.End) })
	var highest op
	next := 0
	for i := range answered {
		o := &answered[i]
		for next < len(byEnd) && byEnd[next].End <= o.Start {
			if floor(&byEnd[next]) > int64(highest.Index) {
				highest = byEnd[next]
			}
			next++
		}
		if !o.write() && o.Index < highest.Index {
			v.violate("%s at %s, asked for at %v, was answered from index %d: %s with index %d had been acknowledged by %s at %v",
				o.Action, o.Node, time.Duration(o.Start), o.Index, highest.Action, highest.Index, highest.Node, time.Duration(highest.End))
		}
	}
	for node, list := range byNode {
		fallsBack(list, func(o *op) int64 { return int64(o.Index) }, func(before, after *op) {
			v.violate("%s fell back from index %d, answered at %v, to %d, asked for at %v",
				node, before.Index, time.Duration(before.End), after.Index, time.Duration(after.Start))
		})
	}
}

// aliasModel is one alias: it exists or not.
var aliasModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byName := map[string][]porcupine.Operation{}
		for _, o := range history {
			name := o.Input.(op).Object
			byName[name] = append(byName[name], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byName {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		exists, o := state.(bool), input.(op)
		creates := o.Action == "CreateAlias"
		switch output.(outcome) {
		case done:
			return exists != creates, creates
		case refused:
			return exists == creates, exists
		}
		return true, creates // if it never took effect, it fits behind all others
	},
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%s: %s", input.(op).Action, output.(outcome))
	},
}

// linearizable checks the writes that compete for one alias.
func (v *verdict) linearizable(ops []op) {
	var history []porcupine.Operation
	for _, o := range ops {
		if !strings.HasPrefix(o.Object, "alias/contended-") || o.Outcome == unavailable || o.Outcome == unreachable {
			continue
		}
		end := o.End
		if o.Outcome == unknown {
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{ClientId: len(history), Input: o, Call: o.Start, Output: o.Outcome, Return: end})
	}
	v.contended = len(history)
	switch porcupine.CheckOperationsTimeout(aliasModel, history, time.Minute) {
	case porcupine.Illegal:
		v.violate("writes that compete for aliases are not linearizable")
	case porcupine.Unknown:
		v.violate("whether writes that compete for aliases are linearizable could not be found out in time")
	}
}
