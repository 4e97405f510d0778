// Package api answers the KMS API of 2016-01-20 over HTTP: requests are signed forms, answers are JSON or XML.
//
// Server.ServeHTTP takes a request through the steps of the protocol in their order: decoding, signature, time and
// nonce (authenticate.go), format, version and action (this file), and then the entry of the action table, which checks
// the parameters and does the work. What is common to all actions happens here once and cannot be forgotten by one.
//
// Requests carry plaintext, in the query too. It lies in buffers that are wiped before they are used again, no query is
// ever logged, and no panic logs its arguments.
package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"meridian/cluster/api/batch"
)

// Server serves the API of one node of a region.
type Server struct {
	cfg       Config
	hosts     hostSet
	nonces    *nonceGuard
	metrics   *metrics
	guard     connectionGuard
	exchanges exchangePool
	bodies    bodyBudget
	ofRows    bodyBudget // of batch actions
	keys      *keyPool
	keyPairs  *keyPairLimits
	// asymmetric bounds the work with asymmetric keys.
	asymmetric *asymmetricSlots
	peers      atomic.Pointer[Peers]
	region     []string // header values that never change
	node       []string
}

// New makes a server out of a configuration that is complete. Close ends it.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	hosts, err := newHostSet(cfg.Hosts)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, hosts: hosts, region: []string{cfg.RegionID}, node: []string{cfg.NodeID}}
	s.SetPeers(cfg.Peers)
	s.nonces, err = openNonces(nonceConfig{
		path: cfg.NonceFile, first: cfg.FirstStart, perKey: cfg.Limits.NoncesPerKey, total: cfg.Limits.Nonces, now: cfg.Now, logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(cfg.Metrics, s.nonces.live); err != nil {
		return nil, errors.Join(err, s.nonces.close())
	}
	if s.keyPairs, err = newKeyPairLimits(); err != nil {
		return nil, errors.Join(err, s.nonces.close())
	}
	s.asymmetric = newAsymmetricSlots()
	s.keys = newKeyPool(keyPoolRest, keyMaker(generateKey).in(s.asymmetric))
	s.bodies.limit, s.ofRows.limit = maxBodiesInFlight, maxRowsInFlight
	s.guard.limit, s.guard.refused = cfg.Limits.ConnectionsPerAddress, s.metrics.refused.Inc
	return s, nil
}

// SetPeers changes what is known of the other regions: for requests that come from now on, and for those under way that
// have not looked yet. It keeps peers, which must not change any more.
func (s *Server) SetPeers(peers Peers) { s.peers.Store(&peers) }

// Drain makes ready for the end of a server whose node stops: who waits for a key pair to be made is refused with 503 now,
// rather than after its time. All else is answered as before.
func (s *Server) Drain() { s.keys.drain() }

// Close ends the making of keys and gives the memory of nonces back. No request may be under way.
func (s *Server) Close() error {
	s.keys.close()
	s.keyPairs.close()
	return s.nonces.close()
}

// ServeHTTP answers one request. It writes nothing but the answer: errors are answers too.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.metrics.inFlight.Inc()
	x := s.exchanges.take()
	defer func() {
		s.exchanges.release(x)
		s.metrics.inFlight.Dec()
	}()
	x.call.RequestID, x.call.server, x.bodies, x.ofRows = newRequestID(), s, &s.bodies, &s.ofRows

	failure := s.answer(x, r)
	code := codeOK
	if failure != nil {
		code = failure.Code
		x.answer.fail(failure, x.call.RequestID, r.Host)
	}
	s.metrics.observe(x.call.Action, code, time.Since(began))
	s.write(w, x, failure)
}

// answer does all the steps and leaves the finished document in x.answer, or returns the error to answer with.
func (s *Server) answer(x *exchange, r *http.Request) (failure *Error) {
	defer func() {
		if p := recover(); p != nil {
			s.logPanic(x, p)
			failure = errInternal(x.call.RequestID)
		}
	}()
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return newError(CodeUnsupportedHTTPMethod, shorten(r.Method))
	}
	if r.URL.Path != "/" && r.URL.Path != "" {
		return errPath()
	}
	if err := x.parse(r); err != nil {
		x.answer.xml = !isV3(r) && strings.EqualFold(x.params.scan("Format"), "XML")
		return err
	}
	formatKnown := x.readFormat(r)
	now := s.cfg.Now()
	if err := s.authenticate(x, r, now); err != nil {
		return err
	}
	if !x.rows {
		x.settle() // the caller is known: it has limits of its own
	}
	if !formatKnown {
		return newError(CodeInvalidParameterFormat)
	}
	var err *Error
	if x.call.Wanted, err = readOptions(r.Header); err != nil {
		return err
	}
	action, err := lookupAction(x.claim.version, x.claim.action)
	if err != nil {
		return err
	}
	x.call.Action = action
	if action.Kind == KindCrypto && s.nonces.beforeMemory(x.call.Time) {
		// Nonces of that time may have been lost: rather refuse than decrypt a second time.
		return newError(CodeInvalidTimeStampExpired, x.claim.timeName(), now.UTC().Format(timeLayout))
	}
	return s.run(r.Context(), x)
}

// run hands an authenticated request to its action and finishes the answer.
func (s *Server) run(ctx context.Context, x *exchange) *Error {
	c := &x.call
	if c.Action.Kind != KindCrypto {
		c.ownParams()
	}
	if err := checkParams(c.Action, c.Params); err != nil {
		return err
	}
	if err := x.checkBody(); err != nil {
		return err
	}
	if c.Action.Rows {
		x.answer.beginRows()
	} else {
		x.answer.begin(x.answer.xml, xmlRoot)
	}
	if err := c.Action.Handle(ctx, c); err != nil {
		return dryRunRefusal(c.Action, c.Params, s.failure(c, err))
	}
	if !c.Action.Rows {
		x.answer.finish(c.RequestID)
	}
	return nil
}

// checkBody demands rows for the actions that take them, and for no other.
func (x *exchange) checkBody() *Error {
	switch {
	case x.rows && !x.call.Action.Rows:
		return errParse("the body of " + x.call.Action.Name + " must be of type " + formType)
	case !x.rows && x.call.Action.Rows:
		return errParse(x.call.Action.Name + " needs a body of type " + batch.ContentType + ", signed with V3")
	}
	return nil
}

// xmlRoot is the XML root of every answer of the KMS API that is no error.
const xmlRoot = "KMS"

// readFormat reads which form the answer is to have, and reports whether the parameter made sense. V3 is always JSON.
func (x *exchange) readFormat(r *http.Request) bool {
	format := x.call.Params.value("Format")
	if isV3(r) || format == "" || strings.EqualFold(format, "JSON") {
		return true
	}
	x.answer.xml = strings.EqualFold(format, "XML")
	return x.answer.xml
}

func errPath() *Error {
	e := newError(CodeInvalidActionNotFound)
	e.Message = "The API is served on path / only."
	return e
}

// Header values that never change. They are shared between answers and never modified.
var (
	typeJSON = []string{"application/json;charset=utf-8"}
	typeXML  = []string{"text/xml;charset=utf-8"}
	typeRows = []string{batch.ContentType}
	noStore  = []string{"no-store"}
)

// countedAnswer is the size from which the length of an answer is told ahead: net/http counts shorter ones itself.
const countedAnswer = 2048

// maxDigits is the length of the largest number in a header.
const maxDigits = 20

// write sends headers and the finished document.
func (s *Server) write(w http.ResponseWriter, x *exchange, failure *Error) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	switch {
	case x.answer.xml:
		h["Content-Type"] = typeXML
	case x.answer.rows:
		h["Content-Type"] = typeRows
	}
	h["Cache-Control"] = noStore
	h["X-Meridian-Region"], h["X-Meridian-Node"] = s.region, s.node
	// All other values share one string and one array.
	var text [2 * maxDigits]byte
	at := x.call.Index
	if at == 0 {
		at = s.cfg.Region.Applied() // nothing was read, or not yet
	}
	index := strconv.AppendUint(text[:0], at, 10)
	numbers := string(strconv.AppendInt(index, int64(len(x.answer.buf)), 10))
	values := [...]string{x.call.RequestID, numbers[:len(index)], numbers[len(index):]}
	slots := values[:]
	h["X-Acs-Request-Id"] = slots[0:1:1]
	if at > 0 {
		h["X-Meridian-Index"] = slots[1:2:2]
	}
	if len(x.answer.buf) >= countedAnswer {
		h["Content-Length"] = slots[2:3:3]
	}
	if failure != nil {
		if failure.RetryAfter > 0 {
			h["Retry-After"] = []string{strconv.Itoa(retrySeconds(failure.RetryAfter))}
		}
		w.WriteHeader(failure.Status)
	}
	// A caller that is gone needs no answer: the error of Write has no one to go to.
	_, _ = w.Write(x.answer.buf)
}

// fail replaces the answer by an error.
func (a *Answer) fail(e *Error, requestID, host string) {
	a.begin(a.xml, "Error")
	a.Text("RequestId", requestID)
	a.Text("HostId", host)
	a.Text("Code", e.Code)
	a.Text("Message", e.Message)
	a.Text("Recommend", e.Recommend)
	a.end()
}
