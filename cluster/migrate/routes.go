package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// routes finds out under which key a row is to be sealed. What it has asked for once it remembers: a run has few keys.
type routes struct {
	from, to *Region
	mapping  Mapping

	mu      sync.Mutex
	known   map[routeOf]answerOf[route]
	sources memory[[]string] // key id -> its names
	targets memory[Key]      // name -> key of the destination
}

func newRoutes(from, to *Region, mapping Mapping) *routes {
	return &routes{from: from, to: to, mapping: mapping, known: map[routeOf]answerOf[route]{}}
}

// routeOf is what decides about a row's route.
type routeOf struct {
	header string // of its blob
	to     string
}

// route is where a row goes.
type route struct {
	source string // REGION/KEYID/VERSION of its blob
	target Key
	id     crypto.KeyID // of the target
	kept   bool         // it is sealed under the target's version already
}

// of returns the route of a row, or why it has none. An error is of a region that cannot be asked.
func (r *routes) of(ctx context.Context, row *Row) (route, *RowError, error) {
	way, refused, err := r.byHeader(ctx, row)
	if err == nil && refused == nil && way.kept && row.newContext() {
		refused = fault(FaultContext, "it is sealed under the destination's key already, and in another context than it is to have")
	}
	return way, refused, err
}

// byHeader is of for all rows whose blobs have this one's header.
func (r *routes) byHeader(ctx context.Context, row *Row) (route, *RowError, error) {
	header, err := crypto.BlobHeader(row.Blob)
	if err != nil {
		return route{}, fault(FaultNoBlob, "it is no ciphertext blob of Meridian"), nil
	}
	r.mu.Lock()
	a, ok := r.known[routeOf{string(header), row.To}]
	r.mu.Unlock()
	if ok {
		return a.value, a.fault, nil
	}
	blob, err := crypto.ParseBlob(row.Blob)
	if err != nil {
		return route{}, nil, err // its header was good
	}
	found, refused, err := r.find(ctx, row, blob)
	if err != nil || len(row.To) > maxKeyName { // rows may name what they like
		return found, refused, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxRemembered {
		clear(r.known)
	}
	r.known[routeOf{string(header), row.To}] = answerOf[route]{found, refused}
	return found, refused, nil
}

// maxKeyName is the most bytes that an id, ARN or alias may have.
const maxKeyName = 1024

// find is of for a blob whose route is not known.
func (r *routes) find(ctx context.Context, row *Row, blob crypto.Blob) (route, *RowError, error) {
	key, version := blob.KeyID.String(), blob.VersionID.String()
	found := route{source: sourceName(blob.Header)}
	if blob.Region != r.from.ID && blob.Region != r.to.ID {
		return found, fault(FaultRegion, "it was sealed in region %s", blob.Region), nil
	}
	name := row.To
	if name == "" {
		var refused *RowError
		var err error
		if name, refused, err = r.mapped(ctx, blob, key); refused != nil || err != nil {
			return found, refused, err
		}
	}
	if len(name) > maxKeyName {
		return found, fault(FaultNoTarget, "what is named for it to be sealed under is no key: no name of one has more than %d bytes", maxKeyName), nil
	}
	target, refused, err := r.target(ctx, name)
	if refused != nil || err != nil {
		return found, refused, err
	}
	found.target = target
	found.id, _ = crypto.ParseKeyID(target.ID) // of another service it may have another form
	found.kept = blob.Region == r.to.ID && key == target.ID && version == target.Primary
	if blob.Region == r.to.ID && !found.kept {
		return found, fault(FaultRegion, "it was sealed in region %s, where it is to go, under another key or version", blob.Region), nil
	}
	return found, nil, nil
}

// mapped returns the name that the mapping gives a key of the source. A blob of the destination names its key itself.
func (r *routes) mapped(ctx context.Context, blob crypto.Blob, key string) (string, *RowError, error) {
	if blob.Region == r.to.ID {
		return key, nil, nil
	}
	names, refused, err := r.sources.ask(key, func() ([]string, error) {
		k, err := r.from.Key(ctx, key)
		return k.Names, err
	})
	if refused != nil || err != nil {
		return "", refused, err
	}
	name, ok := r.mapping.Target(names)
	if !ok {
		return "", fault(FaultNoTarget, "the row names no key to seal it under, and no mapping fits key %s", key), nil
	}
	return name, nil, nil
}

func (r *routes) target(ctx context.Context, name string) (Key, *RowError, error) {
	return r.targets.ask(name, func() (Key, error) { return r.to.Key(ctx, name) })
}

// refusal tells the answer of a region about a row apart from an error that ends the run: one about who is asking, which
// every row would get.
func refusal(err error) (*RowError, error) {
	var answer *client.Error
	if !errors.As(err, &answer) {
		return nil, err
	}
	switch answer.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusForbidden:
	default:
		return nil, err
	}
	switch answer.Code {
	case "Forbidden.ExportNotAllowed", "InvalidAccessKeyId.NotFound", "Forbidden.AccessKey", "SignatureDoesNotMatch", "InvalidTimeStamp.Expired",
		"InvalidAction.NotFound", "InvalidVersion":
		return nil, err
	}
	return &RowError{Code: answer.Code, Reason: answer.Message}, nil
}

// jsonObject writes pairs as a JSON object, without escapes that it could do without: its length is limited.
func jsonObject(pairs []crypto.Pair) (string, error) {
	object := make(map[string]string, len(pairs))
	for _, p := range pairs {
		object[p.Name] = p.Value
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(object)
	return strings.TrimSuffix(text.String(), "\n"), err
}
