// Package client calls the KMS API: it signs requests, V3 or V1, sends them to the nodes of a region in turn, and reads
// the answers. It knows nothing of how a region works but what the API says, and so fits any endpoint of that API.
package client

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"meridian/cluster/api/batch"
	"meridian/crypto"
)

// Signature is the scheme by which requests are signed.
type Signature uint8

const (
	// V3 is ACS3-HMAC-SHA256: host, headers and body are signed. The zero value.
	V3 Signature = iota
	// V1 is the older scheme with HMAC-SHA1. FIPS-only nodes refuse it, and so does New in a FIPS-only process.
	V1
	// V1SHA256 is V1 with HMAC-SHA256.
	V1SHA256
)

const (
	// DefaultVersion is the API version of every KMS action.
	DefaultVersion = "2016-01-20"
	// MeridianVersion is the API version of the actions that are Meridian's own.
	MeridianVersion = "2026-11-01"
	// DefaultTimeout bounds one attempt: a node may hold a write for 8 s while the region elects a leader.
	DefaultTimeout = 15 * time.Second

	dialTimeout    = 3 * time.Second
	maxAnswerBytes = 8 << 20
	idlePerHost    = 256
	minFIPSSecret  = 14 // bytes; crypto/hmac wants 112 bits, or panics
)

// Config says whom to call and as whom.
type Config struct {
	Endpoints   []string      // one region's nodes, https://HOST:PORT or http://HOST:PORT; tried in order from the last good one
	AccessKeyID string        //
	Secret      crypto.Secret // of the access key
	CA          []byte        // PEM certificates to trust besides the system's; optional
	Signature   Signature
	Timeout     time.Duration // of one attempt; default DefaultTimeout
	Version     string        // API version; default DefaultVersion
	// Linearizable and MinIndex ask Meridian's nodes for more than every answer gives: one that has the leader asked,
	// and one that is not from before an index of an earlier answer. Zero: not asked for.
	Linearizable bool
	MinIndex     uint64
	Now          func() time.Time
}

// Client calls one region. It is safe for concurrent use.
type Client struct {
	cfg       Config
	endpoints []*url.URL
	http      *http.Client
	current   atomic.Uint32 // endpoint that answered last
}

// Response is what an answer says beside its members.
type Response struct {
	RequestID string
	Region    string // X-Meridian-Region; empty from other services
	Node      string // X-Meridian-Node
	Index     uint64 // X-Meridian-Index: the state the answer is from; zero if not told
	Endpoint  string // that answered
	Body      []byte // the whole answer
}

// New makes a client and reports every mistake in its configuration.
func New(cfg Config) (*Client, error) {
	var problems []error
	c := &Client{cfg: cfg}
	if len(cfg.Endpoints) == 0 {
		problems = append(problems, errors.New("client: no endpoint"))
	}
	for _, e := range cfg.Endpoints {
		u, err := url.Parse(e)
		if err == nil {
			e = u.Redacted()
		}
		switch {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil || (u.Path != "" && u.Path != "/"):
			problems = append(problems, fmt.Errorf("client: endpoint %q: want http://HOST:PORT or https://HOST:PORT", e))
		default:
			c.endpoints = append(c.endpoints, u)
		}
	}
	if cfg.AccessKeyID == "" {
		problems = append(problems, errors.New("client: no access key id"))
	}
	if len(cfg.Secret) == 0 {
		problems = append(problems, errors.New("client: no access key secret"))
	}
	if cfg.Signature > V1SHA256 {
		problems = append(problems, fmt.Errorf("client: there is no signature scheme %d", cfg.Signature))
	}
	if cfg.Signature == V1 && fips140.Enforced() {
		problems = append(problems, errors.New("client: signature scheme V1 needs HMAC-SHA1, which the FIPS-only mode of this process forbids: use V3"))
	}
	if len(cfg.Secret) > 0 && len(cfg.Secret) < minFIPSSecret && fips140.Enforced() {
		problems = append(problems, fmt.Errorf("client: the secret is shorter than the %d bytes that the FIPS-only mode of this process takes for HMAC", minFIPSSecret))
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(cfg.CA) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(cfg.CA) {
			problems = append(problems, errors.New("client: the CA holds no PEM certificate"))
		}
		tlsConfig.RootCAs = pool
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if c.cfg.Timeout <= 0 {
		c.cfg.Timeout = DefaultTimeout
	}
	if c.cfg.Version == "" {
		c.cfg.Version = DefaultVersion
	}
	if c.cfg.Now == nil {
		c.cfg.Now = time.Now
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:     tlsConfig,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: idlePerHost,
			IdleConnTimeout:     45 * time.Second, // below the server's 60 s, so that it is seldom the server who closes
			DisableCompression:  true,
		},
		// Host is signed: a redirect cannot be followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do calls an action and decodes the members of its answer into out (JSON), if out is not nil. It returns the request
// id, of an error answer too. See Call.
func (c *Client) Do(ctx context.Context, action string, params map[string]string, out any) (requestID string, err error) {
	resp, err := c.Call(ctx, action, params, out)
	return resp.RequestID, err
}

// Call calls an action. An endpoint that cannot be reached, or says that it cannot answer now (503), is passed over for
// the next one, with a fresh nonce. A connection that breaks before the answer is too, for reads and cryptography; for
// a write that leaves open whether it was done, and Call returns ErrOutcomeUnknown.
//
// Errors: *Error for an answer that is one; ErrOutcomeUnknown; otherwise what the last endpoint failed with.
func (c *Client) Call(ctx context.Context, action string, params map[string]string, out any) (Response, error) {
	return c.call(ctx, &call{action: action, version: c.cfg.Version, params: params}, out)
}

// CallOwn is Call for an action that is Meridian's own.
func (c *Client) CallOwn(ctx context.Context, action string, params map[string]string, out any) (Response, error) {
	return c.call(ctx, &call{action: action, version: MeridianVersion, params: params}, out)
}

// CallRows calls a batch action of Meridian's own, with rows as package batch of cluster/api describes them; the body of
// the response is rows, too. It is always signed with V3.
func (c *Client) CallRows(ctx context.Context, action string, params map[string]string, rows []byte) (Response, error) {
	return c.call(ctx, &call{action: action, version: MeridianVersion, params: params, rows: rows}, nil)
}

// call is one call of an action.
type call struct {
	action, version string
	params          map[string]string
	rows            []byte // of a batch action; the parameters travel in the query then
}

func (c *Client) call(ctx context.Context, asked *call, out any) (Response, error) {
	action := asked.action
	first := int(c.current.Load())
	var failures []error
	for i := range c.endpoints {
		at := (first + i) % len(c.endpoints)
		resp, err := c.attempt(ctx, c.endpoints[at], asked, out)
		if err == nil || !passOver(ctx, action, err) {
			if at != first {
				c.current.Store(uint32(at))
			}
			return resp, err
		}
		failures = append(failures, err)
		if i == len(c.endpoints)-1 {
			return resp, errors.Join(failures...)
		}
	}
	return Response{}, errors.Join(failures...)
}

// passOver reports whether a failed attempt may be repeated at another endpoint.
func passOver(ctx context.Context, action string, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var answer *Error
	if errors.As(err, &answer) {
		return answer.Status == http.StatusServiceUnavailable
	}
	return notSent(err) || !IsWrite(action) && !errors.Is(err, errAnswer)
}

// notSent reports whether an attempt failed before anybody could act on the request: at the connection or in its
// handshake.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || WrongProtocol(err) || errors.As(err, new(*tls.CertificateVerificationError))
}

// WrongProtocol reports whether one side of a connection speaks TLS and the other does not.
func WrongProtocol(err error) bool {
	return errors.As(err, new(tls.RecordHeaderError)) || tlsToPlain(err) || plainToTLS(err)
}

// tlsToPlain and plainToTLS know what net/http says: it has no values for these.
func tlsToPlain(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

func plainToTLS(err error) bool {
	return strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`) // a TLS alert
}

// IsWrite reports whether an action changes the state of the region, so that repeating it is not harmless. One that is
// not known is taken for a write. A test of package api holds the list against the table of actions.
func IsWrite(action string) bool {
	return !slices.Contains(readActions, action)
}

// readActions are the actions that change nothing.
var readActions = []string{
	"DescribeKey", "ListKeys", "DescribeKeyVersion", "ListKeyVersions", "ListAliases", "ListAliasesByKeyId", "GetPublicKey", "GetKeyPolicy",
	"ListResourceTags", "ListTagResources", "DescribeRegions", "DescribeAccountKmsStatus", "OpenKmsService",
	"Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ExportDataKey", "GenerateAndExportDataKey",
	"AsymmetricEncrypt", "AsymmetricDecrypt", "AsymmetricSign", "AsymmetricVerify", "GetRandomPassword",
	"GetTransportKey", "ExportDataKeys", "ImportDataKeys", "TagDataKeys",
}

// errAnswer marks answers that arrived and cannot be read.
var errAnswer = errors.New("the answer cannot be read")

// attempt sends one request to one endpoint.
func (c *Client) attempt(ctx context.Context, endpoint *url.URL, asked *call, out any) (Response, error) {
	action := asked.action
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	signed := c.sign(endpoint, asked)
	req, err := signed.request(ctx)
	if err != nil {
		return Response{}, err
	}
	resp := Response{Endpoint: endpoint.String()}
	answer, err := c.http.Do(req)
	if err != nil {
		return resp, transportError(action, endpoint, err)
	}
	defer answer.Body.Close()
	resp.Body, err = readAnswer(answer)
	if err != nil {
		return resp, transportError(action, endpoint, err)
	}
	resp.RequestID = answer.Header.Get("X-Acs-Request-Id")
	resp.Region, resp.Node = answer.Header.Get("X-Meridian-Region"), answer.Header.Get("X-Meridian-Node")
	resp.Index, _ = strconv.ParseUint(answer.Header.Get("X-Meridian-Index"), 10, 64)
	if len(resp.Body) > maxAnswerBytes {
		return resp, fmt.Errorf("%s: %w: it is over 8 MiB", endpoint, errAnswer)
	}
	if asked.rows != nil && answer.StatusCode == http.StatusOK {
		if t := answer.Header.Get("Content-Type"); t != batch.ContentType {
			return resp, fmt.Errorf("%s: %w: it is of type %q, not rows", endpoint, errAnswer, t)
		}
		return resp, nil
	}
	return resp, decode(&resp, answer.StatusCode, signed, out)
}

// readAnswer reads a body, of the length that it was announced with if it was.
func readAnswer(answer *http.Response) ([]byte, error) {
	if n := answer.ContentLength; n >= 0 && n <= maxAnswerBytes {
		b := make([]byte, n)
		_, err := io.ReadFull(answer.Body, b)
		return b, err
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes+1))
}

// decode reads the members of an answer.
func decode(resp *Response, status int, signed *signedRequest, out any) error {
	if status != http.StatusOK {
		return readError(resp, status, signed)
	}
	var head struct{ RequestId string }
	if err := json.Unmarshal(resp.Body, &head); err != nil {
		return fmt.Errorf("%s: %w: %v", resp.Endpoint, errAnswer, err)
	}
	if resp.RequestID == "" {
		resp.RequestID = head.RequestId
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("%s: %w: %v", resp.Endpoint, errAnswer, err)
	}
	return nil
}
