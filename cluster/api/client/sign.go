package client

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"meridian/cluster/api/batch"
)

const (
	formType   = "application/x-www-form-urlencoded"
	timeLayout = "2006-01-02T15:04:05Z"
)

// signedRequest is a request with its signature. Parameters travel in the body, where no proxy logs them.
type signedRequest struct {
	endpoint     *url.URL
	query        string
	headers      [][2]string // without Host, lower-case names
	body         []byte
	canonical    string // V3 only
	stringToSign string
}

// sign signs one attempt at an action, with a nonce of its own.
func (c *Client) sign(endpoint *url.URL, asked *call) *signedRequest {
	nonce := rand.Text()
	at := c.cfg.Now().UTC().Format(timeLayout)
	if c.cfg.Signature == V3 || asked.rows != nil {
		return c.signV3(endpoint, asked, nonce, at)
	}
	return c.signV1(endpoint, asked, nonce, at)
}

func (c *Client) signV1(endpoint *url.URL, asked *call, nonce, at string) *signedRequest {
	method, newHash := "HMAC-SHA1", sha1.New
	if c.cfg.Signature == V1SHA256 {
		method, newHash = "HMAC-SHA256", sha256.New
	}
	all := map[string]string{
		"Action": asked.action, "Version": asked.version, "AccessKeyId": c.cfg.AccessKeyID, "Timestamp": at, "Format": "JSON",
		"SignatureMethod": method, "SignatureVersion": "1.0", "SignatureNonce": nonce,
	}
	for name, value := range asked.params {
		all[name] = value
	}
	text := textV1(http.MethodPost, all)
	signature := base64.StdEncoding.EncodeToString(mac(newHash, append(append([]byte{}, c.cfg.Secret...), '&'), text))
	return &signedRequest{
		endpoint:     endpoint,
		headers:      append([][2]string{{"content-type", formType}}, c.wanted()...),
		body:         []byte(encodeParams(all) + "&Signature=" + escape(signature)),
		stringToSign: text,
	}
}

func (c *Client) signV3(endpoint *url.URL, asked *call, nonce, at string) *signedRequest {
	s := &signedRequest{endpoint: endpoint}
	var query map[string]string
	contentType := formType
	if asked.rows != nil {
		query, s.body, contentType = asked.params, asked.rows, batch.ContentType
		s.query = encodeParams(query)
	} else {
		s.body = []byte(encodeParams(asked.params))
	}
	sum := sha256.Sum256(s.body)
	bodyHash := hex.EncodeToString(sum[:])
	if len(s.body) > 0 {
		s.headers = append(s.headers, [2]string{"content-type", contentType})
	}
	s.headers = append(s.headers,
		[2]string{"x-acs-action", asked.action},
		[2]string{"x-acs-content-sha256", bodyHash},
		[2]string{"x-acs-date", at},
		[2]string{"x-acs-signature-nonce", nonce},
		[2]string{"x-acs-version", asked.version},
	)
	s.headers = append(s.headers, c.wanted()...)
	signed := append([][2]string{{"host", endpoint.Host}}, s.headers...)
	slices.SortFunc(signed, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var names string
	s.canonical, names = canonicalV3(http.MethodPost, query, signed, bodyHash)
	s.stringToSign = textV3(s.canonical)
	signature := hex.EncodeToString(mac(sha256.New, c.cfg.Secret, s.stringToSign))
	s.headers = append(s.headers, [2]string{"authorization",
		"ACS3-HMAC-SHA256 Credential=" + c.cfg.AccessKeyID + ",SignedHeaders=" + names + ",Signature=" + signature})
	return s
}

// wanted are the headers by which an answer is to be fresher than usual.
func (c *Client) wanted() (headers [][2]string) {
	if c.cfg.Linearizable {
		headers = append(headers, [2]string{"x-meridian-consistency", "linearizable"})
	}
	if c.cfg.MinIndex > 0 {
		headers = append(headers, [2]string{"x-meridian-min-index", strconv.FormatUint(c.cfg.MinIndex, 10)})
	}
	return headers
}

// textV1 is the text that V1 signs. Parameters are without Signature.
func textV1(method string, params map[string]string) string {
	return method + "&%2F&" + escape(encodeParams(params))
}

// canonicalV3 is the canonical request of V3, and its list of signed headers. Headers are sorted, with lower-case names.
func canonicalV3(method string, query map[string]string, headers [][2]string, bodyHash string) (canonical, signedHeaders string) {
	var lines strings.Builder
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = h[0]
		lines.WriteString(h[0] + ":" + strings.Trim(h[1], " \t") + "\n")
	}
	signedHeaders = strings.Join(names, ";")
	return strings.Join([]string{method, "/", encodeParams(query), lines.String(), signedHeaders, bodyHash}, "\n"), signedHeaders
}

// textV3 is the text that V3 signs.
func textV3(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return "ACS3-HMAC-SHA256\n" + hex.EncodeToString(sum[:])
}

func mac(newHash func() hash.Hash, key []byte, text string) []byte {
	h := hmac.New(newHash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// encodeParams joins the parameters, sorted by name, each encoded.
func encodeParams(params map[string]string) string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(name))
		b.WriteByte('=')
		b.WriteString(escape(params[name]))
	}
	return b.String()
}

// escape percent-encodes all bytes but A-Z a-z 0-9 - _ . ~ with upper-case digits.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// request makes the HTTP request. Always POST: the transport would repeat a GET by itself, with the same nonce.
func (s *signedRequest) request(ctx context.Context) (*http.Request, error) {
	target := *s.endpoint
	target.Path, target.RawQuery = "/", s.query
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	for _, h := range s.headers {
		req.Header.Set(h[0], h[1])
	}
	return req, nil
}

// Explain signs a call as Do would and returns the request as it would go to the first endpoint, with the text that was
// signed. Nothing is sent. It holds the parameters, plaintext included, but not the secret.
func (c *Client) Explain(action string, params map[string]string) (string, error) {
	return c.explain(&call{action: action, version: c.cfg.Version, params: params})
}

// ExplainOwn is Explain for an action that is Meridian's own.
func (c *Client) ExplainOwn(action string, params map[string]string) (string, error) {
	return c.explain(&call{action: action, version: MeridianVersion, params: params})
}

func (c *Client) explain(asked *call) (string, error) {
	s := c.sign(c.endpoints[c.current.Load()], asked)
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\nHost: %s\n", s.endpoint.Host)
	for _, h := range s.headers {
		fmt.Fprintf(&b, "%s: %s\n", h[0], h[1])
	}
	fmt.Fprintf(&b, "Content-Length: %d\n\n%s\n", len(s.body), s.body)
	if s.canonical != "" {
		fmt.Fprintf(&b, "\n# Canonical request\n%s\n", s.canonical)
	}
	fmt.Fprintf(&b, "\n# String to sign\n%s\n", s.stringToSign)
	return b.String(), nil
}
