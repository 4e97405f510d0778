package migrate

import (
	"context"

	"meridian/crypto"
)

// Ciphertexts of another service have no header that could be read, so what they are under is known when they are opened:
// the service says it then. Alibaba Cloud's begin with the id of their key as text, as far as the examples in its
// documentation go. Nothing promises that, so it is a hint: it counts where the region that it speaks of knows that key.

// hintedKey is the key id that a blob begins with, if it does.
func hintedKey(blob []byte) (id string, ok bool) {
	const n = len("08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4f8a1")
	if len(blob) <= n {
		return "", false
	}
	id = string(blob[:n])
	_, ok = crypto.ParseKeyID(id)
	return id, ok
}

// foreign is of for a blob without a header. Where both sides are Meridian it is none.
func (r *routes) foreign(ctx context.Context, row *Row) (route, *RowError, error) {
	refused := fault(FaultNoBlob, "it is no ciphertext blob of Meridian")
	if r.headersOnly || r.from.own && r.to.own {
		return route{}, refused, nil
	}
	hint, hinted := hintedKey(row.Blob)
	if hinted && !r.to.own {
		key, unknown, err := r.target(ctx, hint)
		if err != nil {
			return route{}, nil, err
		}
		if unknown == nil && key.ID == hint {
			return r.byName(ctx, row, under{region: r.to.ID, key: hint})
		}
	}
	if r.from.own {
		return route{}, refused, nil
	}
	at := under{region: r.from.ID}
	if hinted {
		_, unknown, err := r.names(ctx, hint)
		if err != nil {
			return route{}, nil, err
		}
		if unknown == nil {
			at.key = hint
		}
	}
	if at.key == "" && row.To == "" {
		return route{unread: true}, nil, nil
	}
	way, refused, err := r.byName(ctx, row, at)
	way.unread = true
	return way, refused, err
}

// byName is of for all rows whose blobs are under the same.
func (r *routes) byName(ctx context.Context, row *Row, at under) (route, *RowError, error) {
	about := routeOf{at.region + " " + at.name(), row.To} // no header begins like that
	r.mu.Lock()
	a, ok := r.known[about]
	r.mu.Unlock()
	if ok {
		return a.value, a.fault, nil
	}
	found, refused, err := r.find(ctx, row, at)
	if err == nil {
		r.remember(about, found, refused)
	}
	return found, refused, err
}
