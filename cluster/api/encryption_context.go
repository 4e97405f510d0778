package api

import (
	"errors"

	"meridian/crypto"
)

// encryptionContext reads the encryption context of a request: a JSON object in the parameter name, or name.KEY=value
// parameters, where KEY is all that follows the first dot. Both at once are refused.
func (c *Call) encryptionContext(name string) (crypto.Context, error) {
	text := c.Params.value(name)
	flattened := c.Params.Prefix(name + ".")
	if len(flattened) == 0 {
		context, err := crypto.ParseContext(bytesOf(text))
		return context, contextError(name, err)
	}
	if text != "" {
		return crypto.Context{}, errInvalid(name, "it is given as one text and as "+name+".KEY parameters; send one form")
	}
	pairs := make([]crypto.Pair, len(flattened))
	for i, p := range flattened {
		pairs[i] = crypto.Pair{Name: p.Name[len(name)+1:], Value: p.Value}
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
