package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"unicode/utf8"

	"meridian/cluster/access"
)

const (
	v3Algorithm = "ACS3-HMAC-SHA256"
	v3Prefix    = "ACS3-"
)

// authorization is the parsed Authorization header of a V3 request.
type authorization struct {
	signed   string // SignedHeaders as sent: lower-case names joined by ;
	bodyHash string // x-acs-content-sha256
}

// isV3 reports whether a request is signed by V3.
func isV3(r *http.Request) bool {
	values := r.Header["Authorization"]
	return len(values) > 0 && strings.HasPrefix(values[0], v3Prefix)
}

// readV3 takes the claim out of the headers of a V3 request and checks that it is whole.
func (x *exchange) readV3(r *http.Request) *Error {
	c := &x.claim
	c.v3, c.kind = true, access.V3SHA256
	c.action, c.version = first(r, "X-Acs-Action"), first(r, "X-Acs-Version")
	c.nonce, c.timestamp = first(r, "X-Acs-Signature-Nonce"), first(r, "X-Acs-Date")
	c.bodyHash = first(r, "X-Acs-Content-Sha256")
	switch {
	case c.action == "":
		return errMissing("x-acs-action")
	case c.version == "":
		return errMissing("x-acs-version")
	case c.nonce == "":
		return errMissing("x-acs-signature-nonce")
	case c.timestamp == "":
		return newError(CodeIllegalTimestamp)
	}
	if len(r.Header["Authorization"]) != 1 {
		return newError(CodeIncompleteSignature, "there are two Authorization headers")
	}
	for _, name := range []string{"Signature", "AccessKeyId"} {
		if _, sent := x.call.Params.Get(name); sent {
			return newError(CodeIncompleteSignature, "parameter "+name+" belongs to V1, the Authorization header to V3")
		}
	}
	algorithm, reason := c.parseAuthorization(r.Header["Authorization"][0])
	if reason == "" {
		reason = x.checkSigned(r)
	}
	switch {
	case algorithm != v3Algorithm:
		return errSignatureMethod(algorithm)
	case reason != "":
		return newError(CodeIncompleteSignature, reason)
	case first(r, "X-Acs-Security-Token") != "":
		return newError(CodeInvalidSecurityToken)
	}
	return checkNonceText("x-acs-signature-nonce", c.nonce)
}

// first returns the first value of a header in canonical form, without blanks at its ends.
func first(r *http.Request, key string) string {
	if values := r.Header[key]; len(values) > 0 {
		return strings.Trim(values[0], " \t")
	}
	return ""
}

// parseAuthorization reads "ALGORITHM Credential=ID,SignedHeaders=a;b,Signature=HEX". It returns the algorithm and,
// if the rest cannot be read, why.
func (c *claim) parseAuthorization(header string) (algorithm, reason string) {
	algorithm, rest, _ := strings.Cut(header, " ")
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		var field *string
		switch name {
		case "Credential":
			field = &c.accessKeyID
		case "SignedHeaders":
			field = &c.signed
		case "Signature":
			field = &c.signature
		default:
			return algorithm, "Authorization has a part that is not Credential, SignedHeaders or Signature"
		}
		if *field != "" {
			return algorithm, "Authorization has " + name + " twice"
		}
		*field = value
	}
	switch {
	case c.accessKeyID == "":
		return algorithm, "Authorization has no Credential"
	case c.signed == "":
		return algorithm, "Authorization has no SignedHeaders"
	case c.signature == "":
		return algorithm, "Authorization has no Signature"
	}
	return algorithm, ""
}

// checkSigned checks the list of signed headers: lower case, sorted, no repeats, each there exactly once, and nothing
// left out that must be signed. It returns what is wrong.
func (x *exchange) checkSigned(r *http.Request) string {
	if x.claim.bodyHash == "" {
		return "header x-acs-content-sha256 is missing"
	}
	acs, contentType, host := 0, false, false
	last := ""
	for rest := x.claim.signed; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ";")
		if name <= last {
			return "SignedHeaders is not sorted, or has a name twice"
		}
		last = name
		switch name {
		case "host":
			host = r.Host != ""
			continue
		case "content-type":
			contentType = true
		}
		key, ok := headerKey(name)
		if !ok {
			return "SignedHeaders has a name that is not a header in lower case"
		}
		if len(r.Header[key]) != 1 {
			return "header " + shorten(name) + " is signed and must be there exactly once"
		}
		if strings.HasPrefix(key, "X-Acs-") {
			acs++
		}
	}
	switch {
	case strings.HasSuffix(x.claim.signed, ";"):
		return "SignedHeaders ends in a semicolon"
	case !host:
		return "header host must be signed"
	case !contentType && len(x.body) > 0:
		return "header content-type must be signed when there is a body"
	}
	// Every x-acs- header that was sent is signed if as many are signed as were sent: each of them occurs once.
	for key := range r.Header {
		if strings.HasPrefix(key, "X-Acs-") {
			acs--
		}
	}
	if acs != 0 {
		return "every x-acs- header must be signed"
	}
	return ""
}

// headerKey turns the lower-case name of a header into its key in http.Header, without allocating for those that
// clients sign. It refuses names in other case and bytes that no name has.
func headerKey(name string) (string, bool) {
	switch name {
	case "x-acs-action":
		return "X-Acs-Action", true
	case "x-acs-version":
		return "X-Acs-Version", true
	case "x-acs-date":
		return "X-Acs-Date", true
	case "x-acs-signature-nonce":
		return "X-Acs-Signature-Nonce", true
	case "x-acs-content-sha256":
		return "X-Acs-Content-Sha256", true
	case "x-acs-credentials-provider":
		return "X-Acs-Credentials-Provider", true
	case "content-type":
		return "Content-Type", true
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return "", false
		}
	}
	return http.CanonicalHeaderKey(name), name != ""
}

// writeCanonical writes the canonical request that V3 hashes.
func (x *exchange) writeCanonical(r *http.Request) {
	e, c := &x.signer, &x.claim
	e.raw(r.Method)
	e.raw("\n/\n")
	between := ""
	for i := range x.call.Params {
		p := &x.call.Params[i]
		if p.form {
			continue
		}
		e.raw(between)
		e.once(p.Name)
		e.raw("=")
		e.once(p.Value)
		between = "&"
	}
	e.raw("\n")
	for rest := c.signed; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ";")
		e.raw(name)
		e.raw(":")
		if name == "host" {
			e.raw(strings.Trim(r.Host, " \t"))
		} else if key, ok := headerKey(name); ok {
			e.raw(first(r, key))
		}
		e.raw("\n")
	}
	e.raw("\n")
	e.raw(c.signed)
	e.raw("\n")
	e.raw(c.bodyHash)
	e.flush()
}

// writeV3 writes the text that V3 signs, algorithm and hash of the canonical request, once that is written into the
// digest of the signer.
func (e *signer) writeV3() {
	sum := e.digest.Sum(e.sum[:0])
	e.raw(v3Algorithm)
	e.raw("\n")
	if e.n+2*len(sum) > len(e.buf) {
		e.flush()
	}
	e.n += hex.Encode(e.buf[e.n:], sum)
	e.flush()
}

// bodyFits reports whether the body is the one whose hash was signed.
func (x *exchange) bodyFits() bool {
	sum := sha256.Sum256(x.body)
	return sameHex(sum[:], x.claim.bodyHash)
}

// emptyHash is the SHA-256 of no bytes.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// sameHex compares a MAC or hash with its hex form, in any case, on the decoded bytes and in constant time.
func sameHex(mac []byte, text string) bool {
	var given [64]byte
	if len(text) != 2*len(mac) {
		return false
	}
	n, err := hex.Decode(given[:], bytesOf(text))
	return err == nil && subtle.ConstantTimeCompare(mac, given[:n]) == 1
}

// checkNonceText bounds a nonce, and refuses bytes that are not UTF-8.
func checkNonceText(name, nonce string) *Error {
	if len(nonce) > maxNonceBytes {
		return errInvalid(name, "it is longer than 128 bytes")
	}
	if !utf8.ValidString(nonce) {
		return errInvalid(name, "it is not UTF-8")
	}
	return nil
}
