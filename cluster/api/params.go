package api

import (
	"slices"
	"strings"
)

// Param is one decoded parameter of a request.
//
// While a Crypto action is handled, names and values lie in a buffer that is wiped and used again once the action has
// returned: copy (strings.Clone) what must live longer. Actions of the other kinds get strings of their own.
type Param struct {
	Name, Value string
	form        bool // came from the body, which V3 signs by its hash only
}

// Params holds the parameters of a request, from query and form together, sorted by name, each name once.
type Params []Param

// Get returns the value of a parameter, and whether it was sent.
func (p Params) Get(name string) (string, bool) {
	i, found := slices.BinarySearchFunc(p, name, func(p Param, name string) int { return strings.Compare(p.Name, name) })
	if !found {
		return "", false
	}
	return p[i].Value, true
}

// value returns the value of a parameter, or "" if it was not sent.
func (p Params) value(name string) string {
	v, _ := p.Get(name)
	return v
}

// Prefix returns the parameters whose names start with prefix, in order.
func (p Params) Prefix(prefix string) Params {
	from, _ := slices.BinarySearchFunc(p, prefix, func(p Param, name string) int { return strings.Compare(p.Name, name) })
	to := from
	for to < len(p) && strings.HasPrefix(p[to].Name, prefix) {
		to++
	}
	return p[from:to]
}

// scan finds a parameter in a list that may not be sorted yet.
func (p Params) scan(name string) string {
	for i := range p {
		if p[i].Name == name {
			return p[i].Value
		}
	}
	return ""
}
