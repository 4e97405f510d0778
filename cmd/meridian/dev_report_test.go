package main

import (
	"strings"
	"testing"
	"time"

	"meridian/cmd/meridian/devregion"
)

func TestDevSaysWhatADeathMeans(t *testing.T) {
	node := func(region, id string) *devregion.Node { return &devregion.Node{ID: id, Region: region} }
	two := &devregion.Layout{Regions: []*devregion.Region{
		{ID: "a", Nodes: []*devregion.Node{node("a", "a1"), node("a", "a2"), node("a", "a3")}},
		{ID: "b", Nodes: []*devregion.Node{node("b", "b1"), node("b", "b2"), node("b", "b3")}},
	}}
	for _, tt := range []struct {
		dead    string
		restart time.Duration
		want    []string
	}{
		{"a1", 0, []string{"the other 5 go on"}},
		{"a1 b1", 0, []string{"the other 4 go on"}},
		{"a1 a2", 0, []string{"region a has lost its quorum (1 of 3 servers run, 2 are needed)", "writes are held", "meridian dev --restart 2s"}},
		{"a1 a2", time.Second, []string{"lost its quorum", "it is started again in 1s"}},
		{"a1 a2 a3", 0, []string{"region a has no server left; the other regions go on"}},
		{"a1 a2 a3 b1 b2 b3", 0, []string{"no server is left; the data stays until Ctrl-C"}},
	} {
		d := &devRun{layout: two, o: devOptions{restart: tt.restart}}
		got := d.afterDeath("a", func(n *devregion.Node) bool { return !strings.Contains(tt.dead, n.ID) })
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("dead %s: %q lacks %q", tt.dead, got, want)
			}
		}
	}
}
