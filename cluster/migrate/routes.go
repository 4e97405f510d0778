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
	// headersOnly: blobs without a header of Meridian are none.
	headersOnly bool

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
	header string // of its blob, or the name of what it is under
	to     string
}

// route is where a row goes.
type route struct {
	source string // REGION/KEYID/VERSION of its blob, or as much of that as is known
	target Key
	name   string       // of the target, as the row or the mapping has it
	id     crypto.KeyID // of the target
	kept   bool         // it is sealed under the target already
	// unread: the blob is another service's. Only who opens it knows what it is under, and target may be missing until then.
	unread bool
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
		return r.foreign(ctx, row)
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
	found, refused, err := r.find(ctx, row, under{blob.Region, blob.KeyID.String(), blob.VersionID.String()})
	if err == nil {
		r.remember(routeOf{string(header), row.To}, found, refused)
	}
	return found, refused, err
}

func (r *routes) remember(about routeOf, found route, refused *RowError) {
	if len(about.to) > maxKeyName { // rows may name what they like
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxRemembered {
		clear(r.known)
	}
	r.known[about] = answerOf[route]{found, refused}
}

// maxKeyName is the most bytes that an id, ARN or alias may have.
const maxKeyName = 1024

// under is what a blob is sealed under. Of another service's blob the version may be missing, or all but the region.
type under struct{ region, key, version string }

// name is REGION/KEYID/VERSION without what is missing; empty without a key.
func (u under) name() string {
	switch {
	case u.key == "":
		return ""
	case u.version == "":
		return u.region + "/" + u.key
	}
	return u.region + "/" + u.key + "/" + u.version
}

// find is of for a blob whose route is not known.
func (r *routes) find(ctx context.Context, row *Row, at under) (route, *RowError, error) {
	found := route{source: at.name()}
	if at.region != r.from.ID && at.region != r.to.ID {
		return found, fault(FaultRegion, "it was sealed in region %s", at.region), nil
	}
	name := row.To
	if name == "" {
		var refused *RowError
		var err error
		if name, refused, err = r.mapped(ctx, at); refused != nil || err != nil {
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
	found.target, found.name = target, name
	found.id, _ = crypto.ParseKeyID(target.ID) // of another service it may have another form
	// Under an older version as well: a rotation meanwhile makes nothing of what was moved a failure.
	found.kept = at.region == r.to.ID && at.key == target.ID
	if at.region == r.to.ID && !found.kept {
		return found, fault(FaultRegion, "it was sealed in region %s, where it is to go, under another key", at.region), nil
	}
	return found, nil, nil
}

// mapped returns the name that the mapping gives a key of the source. A blob of the destination names its key itself.
func (r *routes) mapped(ctx context.Context, at under) (string, *RowError, error) {
	if at.region == r.to.ID {
		return at.key, nil, nil
	}
	if at.key == "" {
		return "", fault(FaultNoTarget, "the row names no key to seal it under, and %s does not say which key it is under", at.region), nil
	}
	names, refused, err := r.names(ctx, at.key)
	if refused != nil || err != nil {
		return "", refused, err
	}
	name, ok := r.mapping.Target(names)
	if !ok {
		return "", fault(FaultNoTarget, "the row names no key to seal it under, and no mapping fits key %s", at.key), nil
	}
	return name, nil, nil
}

// names are the names of a key of the source.
func (r *routes) names(ctx context.Context, key string) ([]string, *RowError, error) {
	return r.sources.ask(key, func() ([]string, error) {
		k, err := r.from.Key(ctx, key)
		return k.Names, err
	})
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
