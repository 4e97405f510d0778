package config

import "strings"

// Problem is one mistake in a configuration.
type Problem struct {
	Where string // meridian.yaml:14, MERIDIAN_LOG__LEVEL, --set log.level; empty: nowhere in particular
	Text  string
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.Text
	}
	return p.Where + ": " + p.Text
}

// Problems is every mistake of a configuration, as one error with a line for
// each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}
