package api

import (
	"net/http"
	"strings"
	"time"

	"meridian/cluster/access"
)

// claim is what a request says about its caller, before any of it is believed.
type claim struct {
	v3          bool
	kind        access.MACKind
	accessKeyID string
	signature   string
	nonce       string
	timestamp   string
	action      string
	version     string
	authorization
}

// timeName is what holds the time, for messages.
func (c *claim) timeName() string { return pick(c.v3, "x-acs-date", "Timestamp") }

func pick(v3 bool, three, one string) string {
	if v3 {
		return three
	}
	return one
}

// authenticate demands, in this order, a whole claim, a known access key, a right signature, an active key, a host that is
// ours, a time within the window, and a nonce that is fresh.
func (s *Server) authenticate(x *exchange, r *http.Request, now time.Time) *Error {
	if err := x.readClaim(r); err != nil {
		return err
	}
	c := &x.claim
	id, known := s.cfg.Identities.Lookup(c.accessKeyID)
	if !known {
		id = s.cfg.Identities.Dummy()
	}
	signed := x.verify(r, id)
	switch {
	case !known:
		return newError(CodeInvalidAccessKeyIdNotFound, shorten(c.accessKeyID))
	case !signed:
		return errSignature(x.textToSign(r))
	case c.v3 && !x.bodyFits():
		return x.errBody(r)
	case !id.Active:
		return newError(CodeForbiddenAccessKey, id.AccessKeyID)
	case id.MinSignature == access.V3 && !c.v3:
		return newError(CodeInvalidSignatureMethod, "of V1 with access key "+id.AccessKeyID, "those of V3")
	case !s.hosts.ours(r):
		return errInvalid("Host", "this node has no such name; call it by one of its own, or add the name to its configuration")
	}
	stamp, err := checkTime(c, now)
	if err != nil {
		return err
	}
	if err := s.useNonce(id, c, stamp, now); err != nil {
		return err
	}
	x.call.Identity, x.call.Nonce, x.call.Time = id, c.nonce, stamp
	return nil
}

// readClaim takes the claim out of a request.
func (x *exchange) readClaim(r *http.Request) *Error {
	if isV3(r) {
		return x.readV3(r)
	}
	return x.readV1()
}

// verify computes the MAC of the request under the secret of id and compares it with the one that was sent.
func (x *exchange) verify(r *http.Request, id *access.Identity) bool {
	mac := id.MAC(x.claim.kind)
	defer mac.Release()
	if x.claim.v3 {
		x.signer.digest.Reset()
		x.signer.begin(x.signer.digest)
		x.writeCanonical(r)
		x.signer.begin(mac)
		x.signer.writeV3()
		return sameHex(mac.Sum(x.signer.sum[:0]), x.claim.signature)
	}
	x.signer.begin(mac)
	x.writeV1(r)
	return sameBase64(mac.Sum(x.signer.sum[:0]), x.claim.signature)
}

// textToSign returns the text that verify put into the MAC, for a message: it goes to the caller and nowhere else.
func (x *exchange) textToSign(r *http.Request) string {
	x.signer.begin(nil)
	if x.claim.v3 {
		x.signer.writeV3()
	} else {
		x.writeV1(r)
	}
	text := string(x.signer.text)
	clear(x.signer.text)
	return text
}

// errSignature carries the server's text at the end of its message: clients split it there.
func errSignature(text string) *Error { return newError(CodeSignatureDoesNotMatch, text) }

// errBody says that the body is not the one whose hash was signed. If the header is no hash of a body at all, the text
// to sign would lead nowhere and is left out.
func (x *exchange) errBody(r *http.Request) *Error {
	hash := x.claim.bodyHash
	if len(hash) != len(emptyHash) || strings.EqualFold(hash, emptyHash) {
		e := newError(CodeSignatureDoesNotMatch)
		e.Message = "The body does not fit x-acs-content-sha256, which must be the hex SHA-256 of its bytes."
		e.Recommend = "Hash the body as it is sent."
		return e
	}
	e := errSignature(x.textToSign(r))
	e.Message = "The body does not fit x-acs-content-sha256: it was changed after it was hashed. " + e.Message
	return e
}

// checkTime reads the time of a request and compares it with the node's clock.
func checkTime(c *claim, now time.Time) (time.Time, *Error) {
	stamp, ok := parseTime(c.timestamp)
	if !ok {
		return time.Time{}, newError(CodeInvalidTimeStampFormat, c.timeName())
	}
	if off := now.Sub(stamp); off > NonceWindow || off < -NonceWindow {
		return time.Time{}, newError(CodeInvalidTimeStampExpired, c.timeName(), now.UTC().Format(timeLayout))
	}
	return stamp, nil
}

// parseTime reads exactly YYYY-MM-DDThh:mm:ssZ.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeLayout) || s[len(s)-1] != 'Z' {
		return time.Time{}, false // time.Parse would take fractions of a second
	}
	t, err := time.Parse(timeLayout, s)
	return t, err == nil
}

// useNonce takes the nonce of a request for good, until the request's time is out of the window.
func (s *Server) useNonce(id *access.Identity, c *claim, stamp, now time.Time) *Error {
	switch s.nonces.use(id.AccessKeyID, c.nonce, stamp.Add(NonceWindow), now) {
	case nonceFresh:
		return nil
	case nonceUsed:
		return newError(CodeSignatureNonceUsed, c.nonce)
	case nonceForgotten:
		return newError(CodeInvalidTimeStampExpired, c.timeName(), now.UTC().Format(timeLayout))
	case nonceKeyFull:
		return errThrottled("access key "+id.AccessKeyID+" has too many live nonces on this node", nonceRetry)
	case nonceUnkept:
		return errUnavailable("it cannot keep the nonces of requests; its log says why", nonceRetry)
	default:
		return errThrottled("this node holds as many live nonces as it may", nonceRetry)
	}
}

// nonceRetry is how long a caller waits before it tries a full nonce guard again: nonces leave by the minute.
const nonceRetry = time.Minute
