package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/api/client"
)

// clientVerb is what the verbs that call the API share: flags, and how they run.
type clientVerb struct {
	flags   clientFlags
	output  outputFlags
	explain bool
}

// addTo declares the shared flags on a verb and those below it.
func (v *clientVerb) addTo(c *cobra.Command) {
	v.flags.addTo(c)
	v.output.addTo(c)
	c.PersistentFlags().BoolVar(&v.explain, "explain-api", false, "print the signed requests that would be sent, and send nothing")
}

// session is one run of a client verb.
type session struct {
	*printer
	in      io.Reader
	client  *client.Client
	target  *target
	explain bool
	shown   *int // requests that --explain-api has printed
}

// errExplained ends a verb whose requests were printed instead of sent.
var errExplained = errors.New("explained")

// told stands in printed requests for what an answer before would have told:
// nothing is sent, and so there is none.
func told(member, by string) string { return "{" + member + " of " + by + "}" }

// run wraps a verb: it resolves the target, ends calls on Ctrl-C, and turns
// errors of calls into texts for people.
func (v *clientVerb) run(do func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx, stop := interruptible(c.Context())
		defer stop()
		s, err := v.open(c)
		if err != nil {
			return err
		}
		defer s.client.Close()
		err = do(ctx, s, args)
		if errors.Is(err, errExplained) {
			return nil
		}
		if err != nil && ctx.Err() != nil {
			var exit *exitError
			if !errors.As(err, &exit) || exit.code != exitInterrupted {
				err = &exitError{exitInterrupted, fmt.Errorf("interrupted: %w", err)}
			}
		}
		return err
	}
}

// open makes the session of a run.
func (v *clientVerb) open(c *cobra.Command) (*session, error) {
	if err := v.output.check(c); err != nil {
		return nil, err
	}
	t, err := v.flags.resolve(c.InOrStdin())
	if err != nil {
		return nil, err
	}
	cl, err := t.client()
	if err != nil {
		return nil, usageError("%w", err)
	}
	return &session{printer: v.output.printer(c), in: c.InOrStdin(), client: cl, target: t, explain: v.explain, shown: new(int)}, nil
}

// call sends the last request of a verb. Under --explain-api that ends the verb.
func (s *session) call(ctx context.Context, action string, params map[string]string, out any) (client.Response, error) {
	resp, err := s.send(ctx, action, params, out)
	if err == nil && s.explain {
		err = errExplained
	}
	return resp, err
}

// send sends a request. Under --explain-api it is printed instead, and out stays
// as it is.
func (s *session) send(ctx context.Context, action string, params map[string]string, out any) (client.Response, error) {
	if s.explain {
		return client.Response{}, s.show(action, params)
	}
	resp, err := s.client.Call(ctx, action, params, out)
	return resp, s.explained(err, resp.Node)
}

// show prints a request as it would be sent, below those before it.
func (s *session) show(action string, params map[string]string) error {
	text, err := s.client.Explain(action, params)
	if err != nil {
		return err
	}
	return s.print(text)
}

// print prints a request below those before it.
func (s *session) print(text string) error {
	if *s.shown > 0 {
		text = "\n" + text
	}
	*s.shown++
	_, err := io.WriteString(s.out, text)
	return err
}

// explained turns what a call failed with into a line for people.
func (s *session) explained(err error, node string) error {
	return callError(err, node, s.target.keySource, time.Now())
}

// with is the same session with another target.
func (s *session) with(t *target) (*session, error) {
	cl, err := t.client()
	if err != nil {
		return nil, usageError("%w", err)
	}
	other := *s
	other.client, other.target = cl, t
	return &other, nil
}

// interactive says that somebody sits at a terminal.
func (s *session) interactive() bool { return isTerminal(s.in) || isTerminal(s.out) }

// answered is what every result tells of the answer it is from.
type answered struct {
	RequestID string `json:"request_id"`
	Region    string `json:"region,omitempty"`
	Node      string `json:"node,omitempty"`
	Index     uint64 `json:"index,omitempty"` // for --min-index
}

func answeredBy(r client.Response) answered {
	return answered{RequestID: r.RequestID, Region: r.Region, Node: r.Node, Index: r.Index}
}
