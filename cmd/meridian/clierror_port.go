package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"meridian/cluster/api/client"
)

// apiPort is the port of listen.api unless it is configured.
const apiPort = "9410"

// wrongPortText explains a connection that came about and whose other end is not
// what the endpoint says: TLS or not, another listener of a node, a certificate
// that is not trusted.
func wrongPortText(err error) (string, bool) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	at := endpointOf(err)
	if node := clusterListener(err); node != "" {
		text := fmt.Sprintf("%s is the cluster listener of node %s (listen.cluster), for other nodes alone. The API is on its listen.api, port %s unless configured", at, node, apiPort)
		if errors.As(err, &unknown) {
			text += ". If it is the API, the authority that is trusted here (ca_file, --ca) is that of another region"
		}
		return text, true
	}
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf("The certificate of %s is from an authority that is not trusted here. Name the authority that signed it: --ca FILE or MERIDIAN_CA_FILE, or ca_file in a file of regions", at), true
	case errors.As(err, &name):
		return fmt.Sprintf("The certificate of %s is for other names: %s. Use one of those in the endpoint, or give the node a certificate with this one", at, name.Error()), true
	case errors.As(err, &invalid):
		return fmt.Sprintf("The certificate of %s is not valid: %s", at, invalid.Error()), true
	case certificateWanted(err):
		return fmt.Sprintf("%s wants a certificate of its clients, as listen.cluster does of other nodes. The API wants none: it is on listen.api, port %s unless configured", at, apiPort), true
	case resetByTLS(err, at), client.WrongProtocol(err) && strings.HasPrefix(at, "http://"):
		return fmt.Sprintf("%s speaks TLS. If it is the API (listen.api, port %s unless configured), write https://%s", at, apiPort, strings.TrimPrefix(at, "http://")), true
	}
	if !client.WrongProtocol(err) {
		return "", false
	}
	return fmt.Sprintf("%s does not speak TLS. The API does on listen.api, port %s unless configured; if plain HTTP is meant (listen.http), write http://%s",
		at, apiPort, strings.TrimPrefix(at, "https://")), true
}

// probeTimeout bounds a look at a port that has cut off a call.
const probeTimeout = 2 * time.Second

// resetByTLS says that a plain connection was cut off by a server of TLS: it may
// reset the connection before its complaint is read. The port is tried with TLS,
// and nothing is sent over that.
func resetByTLS(err error, at string) bool {
	host, plain := strings.CutPrefix(at, "http://")
	if !plain || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) {
		return false
	}
	found := false
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: probeTimeout}, "tcp", host, &tls.Config{
		InsecureSkipVerify: true, // whose it is does not matter
		VerifyConnection:   func(tls.ConnectionState) error { found = true; return nil },
	})
	if err == nil {
		_ = conn.Close() // nothing was written to it
	}
	return found
}

// endpointOf is the endpoint that an error of the client begins with.
func endpointOf(err error) string {
	for line := range strings.Lines(err.Error()) {
		if at, _, ok := strings.Cut(line, ": "); ok && strings.Contains(at, "://") {
			return at
		}
	}
	return "the endpoint"
}

// clusterListener is the node whose certificate for other nodes was shown; "" if
// it was another kind.
func clusterListener(err error) string {
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) || len(refused.UnverifiedCertificates) == 0 {
		return ""
	}
	for _, id := range refused.UnverifiedCertificates[0].URIs {
		if _, node, ok := strings.Cut(strings.TrimPrefix(id.Path, "/"), "/"); ok && id.Scheme == "spiffe" && id.Host == "meridian" {
			return node
		}
	}
	return ""
}

// certificateWanted says that the other end ended a handshake for want of a
// certificate (RFC 8446, section 6: bad_certificate, certificate_required).
func certificateWanted(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) && (alert == 42 || alert == 116)
}

// portHint says so where an endpoint names no port, and so got the one of its
// scheme.
func portHint(err error) string {
	at := endpointOf(err)
	u, parseErr := url.Parse(at)
	if parseErr != nil || u.Host == "" || u.Port() != "" {
		return ""
	}
	return fmt.Sprintf("; it names no port: %s:%s is where a node listens unless configured", at, apiPort)
}

// noAPIHint is what to do about an answer that is not the API's.
func noAPIHint(e *client.Error) string {
	switch {
	case strings.Contains(e.Message, "HTTP request to an HTTPS server"), strings.Contains(e.Message, "HTTP request was sent to HTTPS port"):
		return "It speaks TLS: write https://" + strings.TrimPrefix(e.Endpoint, "http://")
	case strings.Contains(e.Message, "(listen.ops)"):
		return "That is port " + apiPort + " unless configured; this one is for meridian status --ops " + e.Endpoint
	}
	return "Check --endpoint, or the file of regions: the API is on listen.api, port " + apiPort + " unless configured"
}
