package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// statusView is the result of `meridian status`.
type statusView struct {
	Regions []regionStatus `json:"regions"`
}

// regionStatus is what is known of one region. Source is ops where a node told
// about all of them, api where only the API was asked: that tells less.
type regionStatus struct {
	ID        string       `json:"id"`
	Source    string       `json:"source"`
	Healthy   bool         `json:"healthy"`
	ClusterID string       `json:"cluster_id,omitempty"`
	Voters    int          `json:"voters,omitempty"`
	Quorum    int          `json:"quorum,omitempty"`
	Leader    string       `json:"leader,omitempty"`
	Term      uint64       `json:"term,omitempty"`
	Unsealed  int          `json:"unsealed"`
	Nodes     []nodeStatus `json:"nodes"`
	Peers     []string     `json:"peer_regions,omitempty"`
	Problems  []string     `json:"problems"`
}

// nodeStatus is one node of a regionStatus.
type nodeStatus struct {
	ID       string  `json:"id"`
	Role     string  `json:"role"` // leader, voter, non-voter, forming, down; node where only the API was asked
	Address  string  `json:"address"`
	Applied  uint64  `json:"applied,omitempty"` // index
	Lag      uint64  `json:"lag"`               // commands behind the leader
	Answered float64 `json:"answered_ms"`
	Sealed   bool    `json:"sealed"`
	Error    string  `json:"error,omitempty"`
}

func newStatusCommand() *cobra.Command {
	v := &clientVerb{}
	var ops []string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show a region on one screen",
		Long: `Asks the nodes of a region for their state: leader, voters, lag, seal. Where the
address of a node's listen.ops is known (--ops, or the dev instance), all
members are shown; without it, what each endpoint answers. --ops alone needs no
endpoint and no access key; addresses are asked in turn until one answers.

The exit code is 5 if a region can't take writes.`,
		Args: noArgs,
	}
	ask := v.run(func(ctx context.Context, s *session, _ []string) error {
		if s.explain {
			_, err := s.call(ctx, "DescribeRegions", nil, nil)
			return err
		}
		view := statusView{}
		for _, r := range s.statusRegions(v) {
			view.Regions = append(view.Regions, r.status(ctx))
		}
		return view.show(s.printer)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(ops) == 0 || v.explain {
			return ask(c, args)
		}
		if err := v.output.check(c); err != nil {
			return err
		}
		ctx, stop := interruptible(c.Context())
		defer stop()
		region, err := opsStatusOf(ctx, ops)
		if err != nil {
			return &exitError{code: exitUnavailable, err: err}
		}
		view := statusView{Regions: []regionStatus{region}}
		return view.show(v.output.printer(c))
	}
	v.addTo(c)
	c.Flags().StringSliceVar(&ops, "ops", nil, "`URL` of a node's health listener (listen.ops), or several of one region")
	return c
}

// show prints the regions; one that takes no writes is an error.
func (view statusView) show(p *printer) error {
	err := p.value(view, func(w io.Writer) {
		for i, r := range view.Regions {
			if i > 0 {
				fmt.Fprintln(w)
			}
			r.write(w, p)
		}
	})
	if err != nil {
		return err
	}
	for _, r := range view.Regions {
		if !r.Healthy {
			return &exitError{code: exitUnavailable, err: errors.New("region " + r.name() + ": " + r.problem())}
		}
	}
	return nil
}

// statusRegion is a region to ask about.
type statusRegion struct {
	id  string
	ops []string
	s   *session
}

// statusRegions is the region that is called; all of the dev instance, or of
// --regions, if none was chosen.
func (s *session) statusRegions(v *clientVerb) []statusRegion {
	known := s.target.known
	if known == nil {
		return []statusRegion{{s: s}}
	}
	regions := []readyRegion{*known}
	if v.flags.region == "" && len(v.flags.endpoints) == 0 {
		file, err := readDevFile()
		if v.flags.regionsFile != "" {
			file, err = readRegionsFile(v.flags.regionsFile)
		}
		if err == nil {
			regions = file.Regions
		}
	}
	var all []statusRegion
	for i := range regions {
		r := statusRegion{id: regions[i].ID, s: s}
		for _, n := range regions[i].Nodes {
			if n.Ops != "" {
				r.ops = append(r.ops, n.Ops)
			}
		}
		t := *s.target
		if err := v.toRegion(&t, &regions[i]); err == nil {
			if other, err := s.with(&t); err == nil {
				r.s = other
			}
		}
		all = append(all, r)
	}
	return all
}

// status asks the ops listeners in turn, then the API.
func (r statusRegion) status(ctx context.Context) regionStatus {
	if len(r.ops) > 0 {
		if view, err := opsStatusOf(ctx, r.ops); err == nil {
			return view
		}
	}
	return r.s.apiStatus(ctx, r.id)
}

// opsStatusOf is what the first ops listener tells that answers. Those that
// failed before are among the problems; the error is that all failed.
func opsStatusOf(ctx context.Context, urls []string) (regionStatus, error) {
	var failed []string
	for _, url := range urls {
		answer, err := readOps(ctx, url)
		if err == nil && answer.Status == nil {
			err = errors.New("the server only starts")
		}
		if err != nil {
			if text := err.Error(); strings.Contains(text, url) {
				failed = append(failed, "--ops: "+text)
			} else {
				failed = append(failed, "--ops "+url+": "+text)
			}
			continue
		}
		view := opsView(answer)
		view.Problems = append(view.Problems, failed...)
		return view, nil
	}
	return regionStatus{}, errors.New(strings.Join(failed, "\n"))
}

// apiStatus is what the endpoints answer for themselves.
func (s *session) apiStatus(ctx context.Context, id string) regionStatus {
	view := regionStatus{ID: id, Source: "api", Problems: []string{}, Nodes: []nodeStatus{}}
	for _, e := range s.target.endpoints {
		t := *s.target
		t.endpoints = []string{e}
		node := nodeStatus{ID: e, Role: "node", Address: e}
		one, err := s.with(&t)
		if err == nil {
			var answer struct {
				Regions struct{ Region []struct{ RegionId string } }
			}
			began := time.Now()
			resp, callErr := one.send(ctx, "DescribeRegions", nil, &answer)
			one.client.Close()
			node.Answered = milliseconds(time.Since(began))
			if err = callErr; err == nil {
				node.ID, node.Applied, view.ID = resp.Node, resp.Index, resp.Region
				view.Healthy = true
				view.Peers = nil
				for _, r := range answer.Regions.Region {
					if r.RegionId != resp.Region {
						view.Peers = append(view.Peers, r.RegionId)
					}
				}
			}
		}
		if err != nil {
			node.Role, node.Error = "down", err.Error()
			view.Problems = append(view.Problems, e+": "+err.Error())
		}
		view.Nodes = append(view.Nodes, node)
	}
	return view
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func (r regionStatus) name() string {
	if r.ID == "" {
		return "(unknown)"
	}
	return r.ID
}

func (r regionStatus) problem() string {
	if len(r.Problems) == 0 {
		return "not healthy"
	}
	return r.Problems[0]
}

// write is the screen.
func (r regionStatus) write(w io.Writer, s *printer) {
	health := "healthy"
	if !r.Healthy {
		health = "NOT HEALTHY"
	}
	if r.Source == "ops" {
		fmt.Fprintf(w, "region   %s   %d voters, quorum %d   %s\n", r.name(), r.Voters, r.Quorum, health)
		fmt.Fprintf(w, "seal     unsealed on %d of %d\n\n", r.Unsealed, len(r.Nodes))
	} else {
		fmt.Fprintf(w, "region   %s   %s, as far as its API tells (--ops URL tells more)\n\n", r.name(), health)
	}
	var cells [][]string
	for _, n := range r.Nodes {
		lag, applied, answered := "–", "–", "–"
		if n.Error == "" {
			answered = strconv.FormatFloat(n.Answered, 'f', 1, 64) + " ms"
			if n.Applied > 0 {
				applied = grouped(n.Applied)
			}
			if n.Role != "leader" && r.Source == "ops" {
				lag = grouped(n.Lag)
			}
		}
		state := "ok"
		switch {
		case n.Error != "":
			state = "! no answer"
		case n.Role == "forming":
			state = "! forming"
		case n.Sealed:
			state = "! sealed"
		}
		cells = append(cells, []string{n.ID, n.Role, n.Address, applied, lag, answered, state})
	}
	s.table(w, []string{"NODE", "ROLE", "ADDRESS", "APPLIED", "LAG", "ANSWERED IN", "STATE"}, cells)
	if len(r.Peers) > 0 {
		fmt.Fprintf(w, "\nregions  %s\n", strings.Join(r.Peers, ", "))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "\n! %s\n", printable(p))
	}
}

// grouped writes a number in groups of three digits.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}
