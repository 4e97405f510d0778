package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// ErrAnotherRegion says that the endpoints of a region are those of another one.
var ErrAnotherRegion = errors.New("the endpoints are those of another region")

// Identify finds out whether the region is one of Meridian, and that it is the one that it is taken for; another service
// does not say. It is called before the first row, once. Errors: [ErrAnotherRegion], [*NoAnswerError], and what
// keeps a connection from coming about.
func (r *Region) Identify(ctx context.Context) error {
	_, err := readTransport(ctx, r)
	var answer *client.Error
	switch {
	case err == nil, errors.As(err, &answer) && answer.Status == http.StatusForbidden: // it knows the action
		r.own = true
		return nil
	case errors.Is(err, ErrNotMeridian), errors.As(err, &answer):
		return nil
	}
	return err
}

// is wants a region's own name for itself; older versions of Meridian give none.
func (r *Region) is(name string) error {
	if name != "" && name != r.ID {
		return fmt.Errorf("%w: those of %s answer as %s; change the file of regions", ErrAnotherRegion, r.ID, name)
	}
	return nil
}

// maxSealed bounds a blob that another service answers, in bytes; Meridian's are shorter.
const maxSealed = 16 << 10

// checkSealed refuses what is no blob of the key that was asked for. What another service answers has no form that could
// be looked at.
func (r *routes) checkSealed(blob []byte, way route) *RowError {
	if len(blob) > maxSealed {
		return fault(FaultDiffers, "what %s answered is no blob, but %d bytes: it was not written", r.to.ID, len(blob))
	}
	if !r.to.own {
		return nil
	}
	if made, err := crypto.ParseBlob(blob); err != nil || made.Region != r.to.ID || made.KeyID != way.id {
		return fault(FaultDiffers, "what %s answered is no blob of the key that was asked for: it was not written", r.to.ID)
	}
	return nil
}
