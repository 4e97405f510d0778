package api

import (
	"context"
	"errors"
	"slices"

	"meridian/crypto"
	"meridian/store"
)

// paramAlgorithm is the parameter that names how an asymmetric key is used.
const paramAlgorithm = "Algorithm"

// digestBytes is the length of every digest that is signed.
const digestBytes = 32

// pairCall is an asymmetric request on one view of the state.
type pairCall struct {
	*Call
	key     *store.Key
	version crypto.VersionID
	pair    *crypto.PrivateKey
}

// withPair does an asymmetric request: it finds the pair that KeyId and KeyVersionId name, for a key of the given usage,
// empty for any, has check judge the rest, and stops there on a dry run. Then it does the work in a slot, which is held
// for nothing else: neither while the region is waited for, nor for who may not use the key. What the key is
// allowed is judged once more after the work, on the view that the answer stands on.
func (c *Call) withPair(ctx context.Context, usage string, check, work func(*pairCall) error, answer func(*pairCall)) error {
	var p *pairCall
	err := c.read(ctx, func(v *store.View) (err error) {
		if p, err = c.findPair(v, paramKeyID, paramKeyVersionID, c.Action.RAM[0]); err != nil {
			return err
		}
		if usage != "" && p.key.Usage != usage {
			return newError(CodeRejectedUnsupportedOperation, c.Action.Name, "key "+p.key.ID.String()+" is for "+p.key.Usage)
		}
		return check(p)
	})
	switch {
	case err != nil:
		return err
	case c.dryRun():
		return errDryRun()
	}
	if work != nil {
		if err := p.inSlot(ctx, work); err != nil {
			return err
		}
	}
	return c.read(ctx, func(v *store.View) error {
		if err := p.stillAllowed(v, c.Action.RAM[0]); err != nil {
			return err
		}
		c.answerKeyVersion(p.key.ID, p.version)
		answer(p)
		return nil
	})
}

// errNotDone says that work ended its goroutine, so that nobody takes it for done.
var errNotDone = errors.New("api: asymmetric work did not come to its end")

// inSlot does work in a slot, or has it done by who has one.
func (p *pairCall) inSlot(ctx context.Context, work func(*pairCall) error) error {
	failed := errNotDone
	if err := p.server.asymmetric.do(ctx, func() { failed = work(p) }); err != nil {
		return err
	}
	return failed
}

// stillAllowed judges permission and state of the key on a later view.
func (p *pairCall) stillAllowed(v *store.View, need Permission) error {
	k, err := p.keyByID(v, p.key.ID, need.Action)
	if err != nil {
		return err
	}
	return p.checkState(k)
}

// findPair finds the pair of a key and version that parameters name, allowed and in a state for cryptography.
func (c *Call) findPair(v *store.View, keyParam, versionParam string, need Permission) (*pairCall, error) {
	k, err := c.findKey(v, keyParam, need)
	if err != nil {
		return nil, err
	}
	if err := c.checkState(k); err != nil {
		return nil, err
	}
	algorithm := algorithmOf(k.Spec)
	if algorithm.Symmetric() {
		return nil, c.errUnsupported("key " + k.ID.String() + " is of spec " + k.Spec)
	}
	if algorithm.Available() != nil {
		return nil, c.errUnsupported("keys of spec " + k.Spec + " are not served in FIPS-only mode")
	}
	version, err := c.findVersion(v, k.ID, versionParam)
	if err != nil {
		return nil, err
	}
	pair, err := c.server.cfg.Region.PrivateKey(v, k, version.ID)
	if err != nil {
		return nil, err
	}
	return &pairCall{Call: c, key: k, version: version.ID, pair: pair}, nil
}

// errUnsupported refuses what a key cannot do, with the code that the pages of the action have for it.
func (c *Call) errUnsupported(reason string) error {
	for _, code := range []string{CodeRejectedUnsupportedOperation, CodeUnsupportedOperation} {
		if slices.Contains(c.Action.Errors, code) {
			return newError(code, c.Action.Name, reason)
		}
	}
	named := paramKeyID
	if !slices.ContainsFunc(c.Action.Params, func(p ParamSpec) bool { return p.Name == paramKeyID }) {
		named = paramBlob
	}
	return errInvalid(named, reason)
}

// words are schemes as the API writes them.
func words[S ~string](schemes []S) (all []string) {
	for _, s := range schemes {
		all = append(all, string(s))
	}
	return all
}

// checkScheme refuses an algorithm that the key does not have, or that is off.
func checkScheme(param string, chosen string, possible []string, available error) error {
	switch {
	case !slices.Contains(possible, chosen):
		return errInvalid(param, "it must be "+orList(possible)+" for this key")
	case available != nil:
		return errInvalid(param, chosen+" is not served in FIPS-only mode")
	}
	return nil
}

// encryptionScheme reads and checks the algorithm of an encryption.
func (p *pairCall) encryptionScheme(param string) (crypto.EncryptionScheme, error) {
	s := crypto.EncryptionScheme(p.Params.value(param))
	return s, checkScheme(param, string(s), words(p.pair.Algorithm().EncryptionSchemes()), s.Available())
}

// signatureScheme reads and checks the algorithm of a signature.
func (p *pairCall) signatureScheme() (crypto.SignatureScheme, error) {
	s := crypto.SignatureScheme(p.Params.value(paramAlgorithm))
	return s, checkScheme(paramAlgorithm, string(s), words(p.pair.Algorithm().SignatureSchemes()), s.Available())
}

// errNotDecrypted is the one answer to a ciphertext that an asymmetric key does not decrypt, whatever the reason.
func errNotDecrypted() *Error {
	e := errInvalid(paramBlob, "")
	e.Message = "CiphertextBlob does not decrypt: it is damaged, or was made with another key, version or algorithm."
	return e
}

// checkLength refuses a ciphertext whose length is none that the pair makes, so that a dry run finds it as well.
func (p *pairCall) checkLength(s crypto.EncryptionScheme, ciphertext []byte) error {
	algorithm := p.pair.Algorithm()
	least := algorithm.CiphertextBytes(s, 1)
	oneLength := algorithm.CiphertextBytes(s, 2) == least // as RSA has
	if len(ciphertext) < least || oneLength && len(ciphertext) != least {
		return errNotDecrypted()
	}
	return nil
}

// decrypt decrypts a ciphertext of the request.
func (p *pairCall) decrypt(s crypto.EncryptionScheme, ciphertext []byte) (crypto.Secret, error) {
	plaintext, err := p.pair.Decrypt(s, ciphertext)
	if errors.Is(err, crypto.ErrDecrypt) {
		return nil, errNotDecrypted()
	}
	return plaintext, err
}

// readBase64 decodes a parameter whose length is checked, into scratch space, which is wiped.
func (c *Call) readBase64(name string) ([]byte, error) {
	text := c.Params.value(name)
	b, ok := decodeBase64(c.Scratch(len(text)/4*3), text)
	if !ok {
		return nil, errInvalid(name, errBase64)
	}
	return b, nil
}
