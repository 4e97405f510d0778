package migrate

import (
	"context"

	"meridian/crypto"
)

// Two ways move rows one by one: the source opens a blob, in a form that the destination takes, and that seals it.

// opened is what the source makes of a blob.
type opened struct {
	exported     string        // Base64, under the transport key of the destination
	dataKey      crypto.Secret // in clear
	key, version string        // that the blob is under, as the source says; another service may not
}

// sealed is what the destination makes of that.
type sealed struct {
	blob         []byte
	key, version string // as opened has them
}

// mover is a way that moves rows one by one.
type mover interface {
	open(ctx context.Context, row *Row) (opened, *RowError, error)
	seal(ctx context.Context, row *Row, target Key, o opened) (sealed, *RowError, error)
}

// moveEach moves rows one by one.
func moveEach(ctx context.Context, rows []*Row, routes *routes, m mover) ([]Outcome, error) {
	outcomes := make([]Outcome, len(rows))
	for i, row := range rows {
		o, refused, err := moveOne(ctx, row, routes, m)
		if err != nil {
			return nil, err
		}
		if refused != nil {
			o.Status, o.Fault = Failed, refused
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

func moveOne(ctx context.Context, row *Row, routes *routes, m mover) (o Outcome, refused *RowError, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	way, refused, err := routes.of(ctx, row)
	o.From = way.source
	switch {
	case refused != nil || err != nil:
		return o, refused, err
	case way.kept:
		o.Status = Kept
		return o, nil, nil
	}
	was, refused, err := m.open(ctx, row)
	defer was.dataKey.Wipe()
	if refused != nil || err != nil {
		return o, refused, err
	}
	if at := claimed(routes.from.ID, was.key, was.version); way.unread && (at.key != "" || way.target.ID == "") {
		way, refused, err = routes.byName(ctx, row, at)
		if o.From = way.source; refused != nil || err != nil {
			return o, refused, err
		}
	}
	is, refused, err := m.seal(ctx, row, way.target, was)
	if err == nil && refused == nil {
		refused = routes.checkSealed(is.blob, way)
	}
	if err == nil && refused == nil {
		o.Status, o.Blob = Moved, is.blob
		if !routes.to.own {
			o.To = claimed(routes.to.ID, is.key, is.version).name()
		}
	}
	return o, refused, err
}

// maxClaimed is the most bytes that an id may have which another service answers: they are kept.
const maxClaimed = 128

// claimed is what a service says that a blob is under. An id that is too long to be one is none.
func claimed(region, key, version string) under {
	if len(key) > maxClaimed || len(version) > maxClaimed {
		return under{region: region}
	}
	return under{region, key, version}
}
