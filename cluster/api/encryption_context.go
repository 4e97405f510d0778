package api

import (
	"errors"

	"meridian/crypto"
)

// Parameters that hold an encryption context, with the dot behind which the names of flattened ones stand.
const (
	contextOfBlob        = "EncryptionContext."
	contextOfSource      = "SourceEncryptionContext."
	contextOfDestination = "DestinationEncryptionContext."
)

// encryptionContext reads an encryption context of a request: a JSON object in the parameter, or NAME.KEY=value
// parameters, where KEY is all that follows the first dot. Both at once are refused.
func (c *Call) encryptionContext(prefix string) (crypto.Context, error) {
	name := prefix[:len(prefix)-1]
	text := c.Params.value(name)
	flattened := c.Params.Prefix(prefix)
	if len(flattened) == 0 {
		context, err := crypto.ParseContext(bytesOf(text))
		return context, contextError(name, err)
	}
	if text != "" {
		return crypto.Context{}, errInvalid(name, "it is given as one text and as "+prefix+"KEY parameters; send one form")
	}
	pairs := make([]crypto.Pair, len(flattened))
	for i, p := range flattened {
		pairs[i] = crypto.Pair{Name: p.Name[len(prefix):], Value: p.Value}
	}
	context, err := crypto.NewContext(pairs)
	return context, contextError(name, err)
}

// contextError names the parameter and the reason; reasons repeat nothing of a context.
func contextError(name string, err error) error {
	if err == nil {
		return nil
	}
	var fault *crypto.ContextError
	if errors.As(err, &fault) {
		return errInvalid(name, fault.Reason)
	}
	return err
}
