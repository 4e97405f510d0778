package bench

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

const (
	timeLayout = "2006-01-02T15:04:05Z"
	// renewAfter is when a Signer's time of signing is renewed: far below the 15
	// minutes that the API allows.
	renewAfter = 4 * time.Minute
	// nonceChars is a random beginning and a counter.
	nonceChars, nonceRandom = 32, 20
)

// Call is a request that is sent over and over, each time signed anew.
type Call struct {
	Action string
	Params map[string]string
}

// Key is the access key to sign with.
type Key struct {
	ID        string
	Secret    crypto.Secret
	Signature client.Signature
}

// Signer makes the bytes of signed requests for one Call at one host. It is safe
// for concurrent use.
type Signer struct {
	call  Call
	key   Key
	host  string
	nonce string // its random beginning
	used  atomic.Uint64
	form  atomic.Pointer[form]
}

// form is a request without nonce and signature, and those of the requests that
// were signed ahead. What is signed before the nonce is hashed once.
type form struct {
	made   time.Time
	head   string // up to the value of Content-Length, or of the nonce header
	tail   string // behind it
	v3     bool
	body   string
	mac    hash.Hash // V1: fed with the text before the nonce. V3: with nothing
	before string    // V3: canonical request up to the nonce
	after  string    // text or canonical request behind the nonce
	ahead  []signed
	next   atomic.Int64
}

// signed is one request that was signed ahead.
type signed struct {
	nonce     [nonceChars]byte
	signature [64]byte // Base64 or hex
	length    uint8
}

// NewSigner makes a signer for requests to host, which is HOST:PORT as clients
// send it.
func NewSigner(host string, key Key, call Call) *Signer {
	s := &Signer{call: call, key: key, host: host, nonce: rand.Text()[:nonceRandom]}
	s.form.Store(s.newForm(time.Now(), 0))
	return s
}

// Prepare signs n requests ahead. It must not run while requests are taken.
func (s *Signer) Prepare(n int) { s.form.Store(s.newForm(time.Now(), n)) }

// Append appends the next request, as it goes on the wire. It signs one if none
// is left that was signed ahead, or if those are too old at the time now.
func (s *Signer) Append(dst []byte, now time.Time) []byte {
	f := s.form.Load()
	if now.Sub(f.made) > renewAfter {
		fresh := s.newForm(now, 0)
		s.form.CompareAndSwap(f, fresh)
		f = fresh
	}
	if i := f.next.Add(1) - 1; i < int64(len(f.ahead)) {
		return f.append(dst, &f.ahead[i])
	}
	one := s.sign(f)
	return f.append(dst, &one)
}

// newForm signs what is the same in every request, and n requests ahead.
func (s *Signer) newForm(now time.Time, n int) *form {
	var f *form
	if s.key.Signature == client.V3 {
		f = s.formV3(now)
	} else {
		f = s.formV1(now)
	}
	f.made = now
	f.ahead = make([]signed, n)
	for i := range f.ahead {
		f.ahead[i] = s.sign(f)
	}
	return f
}

// placeholder stands for a nonce while a text is put together: it encodes to
// itself and occurs nowhere else.
const placeholder = "~nonce~meridian~nonce~nonce~~~~~"

func (s *Signer) formV1(now time.Time) *form {
	method, newHash := "HMAC-SHA1", sha1.New
	if s.key.Signature == client.V1SHA256 {
		method, newHash = "HMAC-SHA256", sha256.New
	}
	all := map[string]string{
		"Action": s.call.Action, "Version": client.DefaultVersion, "AccessKeyId": s.key.ID, "Timestamp": now.UTC().Format(timeLayout),
		"Format": "JSON", "SignatureMethod": method, "SignatureVersion": "1.0", "SignatureNonce": placeholder,
	}
	for name, value := range s.call.Params {
		all[name] = value
	}
	text := "POST&%2F&" + escape(encode(all))
	before, after, _ := strings.Cut(text, placeholder)
	f := &form{after: after, mac: hmac.New(newHash, append(slices.Clone([]byte(s.key.Secret)), '&'))}
	f.mac.Write([]byte(before))
	delete(all, "SignatureNonce")
	f.body = encode(all) + "&SignatureNonce="
	f.head = "POST / HTTP/1.1\r\nHost: " + s.host + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
	f.tail = "\r\n\r\n"
	return f
}

func (s *Signer) formV3(now time.Time) *form {
	body := encode(s.call.Params)
	sum := sha256.Sum256([]byte(body))
	bodyHash := hex.EncodeToString(sum[:])
	at := now.UTC().Format(timeLayout)
	contentType, contentName := "", ""
	if body != "" {
		contentType, contentName = "content-type:application/x-www-form-urlencoded\n", "content-type;"
	}
	names := contentName + "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	f := &form{v3: true, body: body, mac: hmac.New(sha256.New, s.key.Secret)}
	f.before = "POST\n/\n\n" + contentType + "host:" + s.host + "\nx-acs-action:" + s.call.Action +
		"\nx-acs-content-sha256:" + bodyHash + "\nx-acs-date:" + at + "\nx-acs-signature-nonce:"
	f.after = "\nx-acs-version:" + client.DefaultVersion + "\n\n" + names + "\n" + bodyHash
	f.head = "POST / HTTP/1.1\r\nHost: " + s.host + "\r\n" + strings.ReplaceAll(strings.Replace(contentType, ":", ": ", 1), "\n", "\r\n") +
		"x-acs-action: " + s.call.Action + "\r\nx-acs-content-sha256: " + bodyHash + "\r\nx-acs-date: " + at +
		"\r\nx-acs-version: " + client.DefaultVersion + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\nx-acs-signature-nonce: "
	f.tail = "\r\nauthorization: ACS3-HMAC-SHA256 Credential=" + s.key.ID + ",SignedHeaders=" + names + ",Signature="
	return f
}

// sign signs one request with a nonce of its own.
func (s *Signer) sign(f *form) signed {
	var one signed
	copy(one.nonce[:], s.nonce)
	n := s.used.Add(1)
	for i := nonceChars - 1; i >= nonceRandom; i-- {
		one.nonce[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	mac := cloneHash(f.mac)
	var sum [sha256.Size]byte
	if f.v3 {
		h := sha256.New()
		h.Write([]byte(f.before))
		h.Write(one.nonce[:])
		h.Write([]byte(f.after))
		mac.Write([]byte("ACS3-HMAC-SHA256\n"))
		mac.Write(hex.AppendEncode(nil, h.Sum(sum[:0])))
		one.length = uint8(hex.Encode(one.signature[:], mac.Sum(sum[:0])))
		return one
	}
	mac.Write(one.nonce[:])
	mac.Write([]byte(f.after))
	digest := mac.Sum(sum[:0])
	base64.StdEncoding.Encode(one.signature[:], digest)
	one.length = uint8(base64.StdEncoding.EncodedLen(len(digest)))
	return one
}

// cloneHash copies a hash with what it was fed.
func cloneHash(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil { // those of the standard library can be cloned
		panic("bench: " + err.Error())
	}
	return c
}

// append writes a request with its nonce and signature.
func (f *form) append(dst []byte, one *signed) []byte {
	signature := one.signature[:one.length]
	dst = append(dst, f.head...)
	if f.v3 {
		dst = append(dst, one.nonce[:]...)
		dst = append(dst, f.tail...)
		dst = append(dst, signature...)
		dst = append(dst, "\r\n\r\n"...)
		return append(dst, f.body...)
	}
	const name = "&Signature="
	length := len(f.body) + nonceChars + len(name) + escapedLen(signature)
	dst = strconv.AppendInt(dst, int64(length), 10)
	dst = append(dst, f.tail...)
	dst = append(dst, f.body...)
	dst = append(dst, one.nonce[:]...)
	dst = append(dst, name...)
	return appendEscaped(dst, signature)
}
