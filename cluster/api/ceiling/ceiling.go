// Package ceiling serves the least that a key service over HTTP can do, so that the cost of everything else can be
// told as a ratio: it parses a request, verifies one HMAC-SHA1 (signature V1), seals one plaintext with XAES-256-GCM and
// answers in JSON. There is no memory of nonces, no policy, no look-up of a key, no lease, no audit and no metrics. It
// is an ordinary net/http handler, written with care but without pools, and must never serve anyone but a benchmark.
package ceiling

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"

	"meridian/crypto"
)

// maxBody bounds the form of a request, as in the real service.
const maxBody = 64 << 10

// Handler answers every request that is signed with its access key as Encrypt would.
type Handler struct {
	accessKeyID string
	macKey      []byte
	cipher      *crypto.XAES
}

// New makes a handler for one access key, with a key of its own to seal under.
func New(accessKeyID string, secret crypto.Secret) (*Handler, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	cipher, err := crypto.NewXAES(key)
	if err != nil {
		return nil, err
	}
	return &Handler{accessKeyID: accessKeyID, macKey: append(slices.Clone(secret), '&'), cipher: cipher}, nil
}

// ServeHTTP parses, verifies, seals and answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if !h.verify(r.Method, r.Form) {
		http.Error(w, "SignatureDoesNotMatch", http.StatusBadRequest)
		return
	}
	plaintext, err := base64.StdEncoding.DecodeString(r.Form.Get("Plaintext"))
	if err != nil {
		http.Error(w, "InvalidParameter", http.StatusBadRequest)
		return
	}
	sealed := h.cipher.Seal(make([]byte, 0, len(plaintext)+crypto.Overhead), plaintext, nil)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	// A caller that is gone needs no answer.
	_, _ = w.Write(answer(r.Form.Get("KeyId"), sealed))
}

// verify computes the V1 signature of a form and compares it.
func (h *Handler) verify(method string, form url.Values) bool {
	if form.Get("AccessKeyId") != h.accessKeyID {
		return false
	}
	given, err := base64.StdEncoding.DecodeString(form.Get("Signature"))
	if err != nil {
		return false
	}
	names := make([]string, 0, len(form))
	size := 0
	for name, values := range form {
		if name != "Signature" {
			names = append(names, name)
			size += len(name) + len(values[0]) + len(values[0])/8 + 16
		}
	}
	slices.Sort(names)
	text := append(make([]byte, 0, size), method+"&%2F&"...)
	for i, name := range names {
		if i > 0 {
			text = append(text, "%26"...)
		}
		text = appendTwice(text, name)
		text = append(text, "%3D"...)
		text = appendTwice(text, form[name][0])
	}
	mac := hmac.New(sha1.New, h.macKey)
	mac.Write(text)
	return hmac.Equal(mac.Sum(nil), given)
}

// appendTwice percent-encodes s twice, copying runs of unreserved bytes at once.
func appendTwice(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	start := 0
	for i := range len(s) {
		c := s[i]
		if unreserved[c] {
			continue
		}
		b = append(b, s[start:i]...)
		b = append(b, '%', '2', '5', digits[c>>4], digits[c&15])
		start = i + 1
	}
	return append(b, s[start:]...)
}

// unreserved marks A-Z a-z 0-9 - _ . ~.
var unreserved = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
	}
	return t
}()

// answer writes the members of an Encrypt answer.
func answer(keyID string, sealed []byte) []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	b := make([]byte, 0, 256+base64.StdEncoding.EncodedLen(len(sealed)))
	b = append(b, `{"KeyId":`...)
	b = appendQuoted(b, keyID)
	b = append(b, `,"CiphertextBlob":"`...)
	b = base64.StdEncoding.AppendEncode(b, sealed)
	b = append(b, `","RequestId":"`...)
	b = hex.AppendEncode(b, id[:])
	return append(b, `"}`...)
}

// appendQuoted writes a key id as a JSON string; what no id holds is left out.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if unreserved[s[i]] || s[i] == '/' || s[i] == ':' {
			b = append(b, s[i])
		}
	}
	return append(b, '"')
}
