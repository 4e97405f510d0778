package api

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"

	"meridian/cluster/access"
)

const (
	methodSHA1   = "HMAC-SHA1"
	methodSHA256 = "HMAC-SHA256"

	// maxNonceBytes bounds a nonce.
	maxNonceBytes = 128
)

// readV1 takes the claim out of the parameters of a V1 request and checks that it is whole.
func (x *exchange) readV1() *Error {
	p, c := x.call.Params, &x.claim
	c.action, c.version = p.value("Action"), p.value("Version")
	c.accessKeyID, c.nonce = p.value("AccessKeyId"), p.value("SignatureNonce")
	c.timestamp, c.signature = p.value("Timestamp"), p.value("Signature")
	method, version := p.value("SignatureMethod"), p.value("SignatureVersion")
	switch {
	case c.action == "":
		return errMissing("Action")
	case c.version == "":
		return errMissing("Version")
	case c.accessKeyID == "":
		return errMissing("AccessKeyId")
	case method == "":
		return errMissing("SignatureMethod")
	case version == "":
		return errMissing("SignatureVersion")
	case c.nonce == "":
		return errMissing("SignatureNonce")
	case c.timestamp == "":
		return newError(CodeIllegalTimestamp)
	case c.signature == "":
		return newError(CodeIncompleteSignature, "there is no Signature")
	}
	switch {
	case method == methodSHA1 && access.SHA1Allowed():
		c.kind = access.V1SHA1
	case method == methodSHA256:
		c.kind = access.V1SHA256
	default:
		return errSignatureMethod(method)
	}
	switch {
	case version != "1.0":
		return errInvalid("SignatureVersion", "it must be 1.0")
	case p.value("SignatureType") != "":
		return errInvalid("SignatureType", "it must be empty")
	case p.value("SecurityToken") != "":
		return newError(CodeInvalidSecurityToken)
	}
	return checkNonceText("SignatureNonce", c.nonce)
}

// errSignatureMethod refuses a method and names those that are served.
func errSignatureMethod(method string) *Error {
	served := "ACS3-HMAC-SHA256 (V3), HMAC-SHA256 and HMAC-SHA1 (V1)"
	if !access.SHA1Allowed() {
		served = "ACS3-HMAC-SHA256 (V3) and HMAC-SHA256 (V1)"
	}
	return newError(CodeInvalidSignatureMethod, shorten(method), served)
}

// writeV1 writes the text that V1 signs: METHOD&%2F& and the parameters without Signature, encoded twice.
func (x *exchange) writeV1(r *http.Request) {
	e := &x.signer
	e.raw(r.Method)
	e.raw("&%2F&")
	between := ""
	for i := range x.call.Params {
		p := &x.call.Params[i]
		if p.Name == "Signature" {
			continue
		}
		e.raw(between)
		e.twice(p.Name)
		e.raw("%3D")
		e.twice(p.Value)
		between = "%26"
	}
	e.flush()
}

// sameBase64 compares a MAC with its Base64 form on the decoded bytes, in constant time.
func sameBase64(mac []byte, text string) bool {
	var given [64]byte
	if len(text) != base64.StdEncoding.EncodedLen(len(mac)) {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(given[:], bytesOf(text))
	return err == nil && subtle.ConstantTimeCompare(mac, given[:n]) == 1
}
