package migrate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// Region is one side of a migration: the nodes of a region, asked in turn, so that work that any node can do is spread
// over all of them. It is safe for concurrent use.
type Region struct {
	ID string
	// Silent, if not nil, is called when the region has not answered for some seconds and is asked on: once, and again at
	// another time if it has answered meanwhile. It is set before the first call, and called from any goroutine.
	Silent func(*NoAnswerError)
	// StartPatience is how long the region is waited for as long as it has not answered at all. It is set before the first
	// call; [NewRegion] makes it half a minute.
	StartPatience time.Duration

	own       bool // it is known to be one of Meridian
	endpoints []string
	clients   []*client.Client // of one node each
	nodes     *nodeList
	traffic   trafficCounter
	silence   silence
	patience  patience
}

// NewRegion makes the side out of a client's configuration.
func NewRegion(id string, cfg client.Config) (*Region, error) {
	r := &Region{
		ID: id, endpoints: cfg.Endpoints, nodes: newNodeList(len(cfg.Endpoints)), traffic: trafficCounter{is: Traffic{Region: id}},
		StartPatience: StartPatience, patience: patience{row: attemptTime, word: firstWord},
	}
	for _, endpoint := range cfg.Endpoints {
		own := cfg
		own.Endpoints = []string{endpoint}
		c, err := client.New(own)
		if err != nil {
			return nil, err
		}
		r.clients = append(r.clients, c)
	}
	if len(r.clients) == 0 {
		return nil, errors.New("no endpoint")
	}
	return r, nil
}

// Close closes idle connections.
func (r *Region) Close() {
	for _, c := range r.clients {
		c.Close()
	}
}

// Traffic is what the region was asked so far.
func (r *Region) Traffic() Traffic { return r.traffic.read() }

// Pauses between two attempts, while a region cannot answer or does not want to.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 10 * time.Second
)

// Call calls an action that changes nothing, again and again while the region is not to be reached or says to come
// later, until ctx ends, or for half a minute if it has not answered since the start, and for ten minutes if it has
// ([*NoAnswerError]). An *client.Error that it returns, in a [*RegionError], is about the request. Answers may hold a
// plaintext: their text is wiped once out is filled.
func (r *Region) Call(ctx context.Context, action string, params map[string]string, out any) error {
	return r.untilAnswered(ctx, func(c *client.Client) (client.Response, error) {
		resp, err := c.Call(ctx, action, params, out)
		clear(resp.Body)
		return resp, err
	})
}

// CallOwn is Call for an action that is Meridian's own.
func (r *Region) CallOwn(ctx context.Context, action string, params map[string]string, out any) error {
	return r.untilAnswered(ctx, func(c *client.Client) (client.Response, error) { return c.CallOwn(ctx, action, params, out) })
}

// CallRows is Call for a batch action, with rows for its body; it returns those of the answer.
func (r *Region) CallRows(ctx context.Context, action string, params map[string]string, rows []byte) (answer []byte, err error) {
	err = r.untilAnswered(ctx, func(c *client.Client) (client.Response, error) {
		resp, err := c.CallRows(ctx, action, params, rows)
		answer = resp.Body
		return resp, err
	})
	return answer, err
}

// untilAnswered asks again and again while the region is not to be reached or says to come later.
func (r *Region) untilAnswered(ctx context.Context, call func(*client.Client) (client.Response, error)) error {
	ctx, waiting := r.wait(ctx)
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, mostPause
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, r.ask(ctx, call)
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	return waiting.end(err)
}

// ask asks one node after the other until one answers. The error is permanent unless it helps to ask again later.
func (r *Region) ask(ctx context.Context, call func(*client.Client) (client.Response, error)) error {
	tried := make([]bool, len(r.clients))
	var failures []error
	refuses, hope := false, false
	for range r.clients {
		began := time.Now()
		at := r.nodes.pick(began, tried)
		tried[at] = true
		resp, err := call(r.clients[at])
		why := judge(err)
		if why != unreached {
			r.traffic.answered(resp.RequestID)
		}
		if why != fine && why != final && ctx.Err() != nil { // not a word about the request: nobody is to take it for one
			return permanent(fmt.Errorf("%w; the last answer was: %v", context.Cause(ctx), err))
		}
		if why != fine && why != final {
			r.silence.failed(err)
		}
		switch why {
		case fine, final:
			r.nodes.answered(at)
			r.silence.heard()
			return permanent(err)
		case throttled:
			r.nodes.answered(at)
			r.traffic.throttled()
			return err
		case unavailable, unreached:
			r.nodes.failed(at, began, time.Now())
			refuses = refuses || why == unavailable
			if why == unreached {
				r.traffic.unreached()
			}
			hope = hope || !hopeless(err)
		case broken:
			hope = true
		}
		failures = append(failures, err)
	}
	if refuses {
		r.traffic.throttled() // it is the region as a whole that cannot answer now
	}
	err := errors.Join(failures...)
	if !hope {
		err = permanent(err)
	}
	return err
}

// verdict is what an attempt means for the next one.
type verdict int

const (
	fine        verdict = iota
	final               // no other attempt would be answered differently
	throttled           // the region says to come later
	unavailable         // this node cannot answer now
	unreached           // no answer came from this node
	broken              // the request failed at this node
)

// judge says what came of an attempt.
func judge(err error) verdict {
	var answer *client.Error
	switch {
	case err == nil:
		return fine
	case !errors.As(err, &answer):
		return unreached
	case answer.Status == http.StatusTooManyRequests, strings.HasPrefix(answer.Code, "Rejected.Throttling"), strings.HasPrefix(answer.Code, "Throttling"):
		return throttled
	case answer.Status == http.StatusServiceUnavailable:
		return unavailable
	case answer.Status >= http.StatusInternalServerError:
		return broken
	}
	return final
}

// hopeless reports whether a node that was not reached will not be later either.
func hopeless(err error) bool {
	return client.WrongProtocol(err) || errors.As(err, new(*tls.CertificateVerificationError))
}

func permanent(err error) error {
	if err == nil {
		return nil
	}
	return backoff.Permanent(err)
}

// Key is a key of a region as a migration needs to know it.
type Key struct {
	ID      string
	Primary string // version that seals
	State   string
	Spec    string
	Usage   string
	Names   []string // id and aliases
}

// Key tells about the key that an id, ARN or alias names.
func (r *Region) Key(ctx context.Context, name string) (Key, error) {
	var described struct {
		KeyMetadata struct {
			KeyId, PrimaryKeyVersion, KeyState, KeySpec, KeyUsage string
		}
	}
	if err := r.Call(ctx, "DescribeKey", map[string]string{"KeyId": name}, &described); err != nil {
		return Key{}, err
	}
	m := described.KeyMetadata
	k := Key{ID: m.KeyId, Primary: m.PrimaryKeyVersion, State: m.KeyState, Spec: m.KeySpec, Usage: m.KeyUsage, Names: []string{m.KeyId}}
	for page := 1; page <= maxAliasPages; page++ {
		var listed struct {
			Aliases struct {
				Alias []struct{ AliasName string }
			}
			TotalCount int
		}
		params := map[string]string{"KeyId": k.ID, "PageNumber": fmt.Sprint(page), "PageSize": "100"}
		if err := r.Call(ctx, "ListAliasesByKeyId", params, &listed); err != nil {
			return Key{}, err
		}
		for _, alias := range listed.Aliases.Alias {
			k.Names = append(k.Names, alias.AliasName)
		}
		if len(listed.Aliases.Alias) == 0 || len(k.Names) > listed.TotalCount {
			return k, nil
		}
	}
	return Key{}, fmt.Errorf("%s: the list of the aliases of key %s does not end", r.ID, k.ID)
}

// maxAliasPages bounds how many pages of aliases of one key are asked for, 100 each.
const maxAliasPages = 100

// contextParam writes an encryption context as the API takes it; empty for none.
func contextParam(c crypto.Context) (string, error) {
	if c.Empty() {
		return "", nil
	}
	return jsonObject(c.Pairs())
}
