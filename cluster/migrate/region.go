package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// Region is one side of a migration: the nodes of a region, asked in turn, so that work that any node can do is spread
// over all of them. It is safe for concurrent use.
type Region struct {
	ID      string
	clients []*client.Client // each asks another node first
	next    atomic.Uint32
	// Waited counts answers that said to come again later, and nodes that could not be reached.
	Waited atomic.Int64
}

// NewRegion makes the side out of a client's configuration.
func NewRegion(id string, cfg client.Config) (*Region, error) {
	r := &Region{ID: id}
	for i := range cfg.Endpoints {
		own := cfg
		own.Endpoints = slices.Concat(cfg.Endpoints[i:], cfg.Endpoints[:i])
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

// Pauses between two attempts, while a region cannot answer or does not want to.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 10 * time.Second
)

// Call calls an action that changes nothing, again and again while the region is not to be reached or says to come
// later, until ctx ends. An *client.Error that it returns is about the request.
func (r *Region) Call(ctx context.Context, action string, params map[string]string, out any) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, mostPause
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		c := r.clients[int(r.next.Add(1))%len(r.clients)]
		_, err := c.Call(ctx, action, params, out)
		if err == nil || !passes(err) {
			return struct{}{}, permanent(err)
		}
		r.Waited.Add(1)
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	return nil
}

func permanent(err error) error {
	if err == nil {
		return nil
	}
	return backoff.Permanent(err)
}

// passes reports whether another attempt may succeed where this one failed.
func passes(err error) bool {
	var answer *client.Error
	if errors.As(err, &answer) {
		return answer.Status == http.StatusTooManyRequests || answer.Status >= http.StatusInternalServerError
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !client.WrongProtocol(err)
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
	for page := 1; ; page++ {
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
}

// contextParam writes an encryption context as the API takes it; empty for none.
func contextParam(c crypto.Context) (string, error) {
	if c.Empty() {
		return "", nil
	}
	return jsonObject(c.Pairs())
}
