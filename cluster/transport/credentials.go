package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrPeer means that the other side of a connection is not who it must be.
var ErrPeer = errors.New("transport: peer refused")

const (
	spiffeScheme = "spiffe"
	spiffeTrust  = "meridian"
)

// credentials are a node's certificate and the CA by which it judges others.
// The certificate is read again when its file changed, so that it can be renewed
// under a running node; the CA is fixed.
type credentials struct {
	region            string
	certFile, keyFile string
	roots             *x509.CertPool

	mu       sync.Mutex
	modified time.Time
	cert     *tls.Certificate
}

func loadCredentials(cfg *Config) (*credentials, error) {
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cluster CA: %w", err)
	}
	c := &credentials{region: cfg.Region, certFile: cfg.CertFile, keyFile: cfg.KeyFile, roots: x509.NewCertPool()}
	if !c.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cluster CA: %s holds no certificate", cfg.CAFile)
	}
	cert, err := c.certificate()
	if err != nil {
		return nil, fmt.Errorf("cluster certificate: %w", err)
	}
	if _, err := cert.Leaf.Verify(c.verifyOptions(nil, x509.ExtKeyUsageAny)); err != nil {
		return nil, fmt.Errorf("cluster certificate %s is not of the CA %s: %w", cfg.CertFile, cfg.CAFile, err)
	}
	region, id, err := nodeName(cert.Leaf)
	if err != nil {
		return nil, fmt.Errorf("cluster certificate: %w", err)
	}
	if region != cfg.Region || id != cfg.NodeID {
		return nil, fmt.Errorf("cluster certificate %s names node %q of region %q, this is node %q of region %q",
			cfg.CertFile, id, region, cfg.NodeID, cfg.Region)
	}
	return c, nil
}

// CheckCertificate reads the files of c and says whether the certificate is that
// of c's node, by c's CA.
func CheckCertificate(c Config) error {
	_, err := loadCredentials(&c)
	return err
}

// CertificateEnd is when the certificate that this node shows expires.
func (t *Transport) CertificateEnd() time.Time {
	cert, err := t.credentials.certificate()
	if err != nil {
		return time.Time{} // never: the one that Open read stays
	}
	return cert.Leaf.NotAfter
}

// certificate returns the newest usable certificate.
func (c *credentials) certificate() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.certFile)
	if err == nil && c.cert != nil && info.ModTime().Equal(c.modified) {
		return c.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		if c.cert != nil {
			return c.cert, nil // half-written renewal: the next handshake looks again
		}
		return nil, err
	}
	c.cert, c.modified = &cert, info.ModTime()
	return c.cert, nil
}

func (c *credentials) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{ProtocolRaft, ProtocolRPC},
		ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs:  c.roots,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.certificate()
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := c.identify(state)
			return err
		},
		SessionTicketsDisabled: true, // every connection is judged anew
	}
}

// client verifies the chain itself, because a node is known by its URI and not
// by the host name that was dialled.
func (c *credentials) client(nodeID, protocol string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{protocol},
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection below does it
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.certificate()
		},
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return fmt.Errorf("%w: no certificate", ErrPeer)
			}
			leaf := state.PeerCertificates[0]
			if _, err := leaf.Verify(c.verifyOptions(state.PeerCertificates[1:], x509.ExtKeyUsageServerAuth)); err != nil {
				return fmt.Errorf("%w: %w", ErrPeer, err)
			}
			id, err := c.identify(state)
			if err != nil {
				return err
			}
			if nodeID != "" && id != nodeID {
				return fmt.Errorf("%w: node %q answers where %q was expected", ErrPeer, id, nodeID)
			}
			if state.NegotiatedProtocol != protocol {
				return fmt.Errorf("%w: it does not speak %s", ErrPeer, protocol)
			}
			return nil
		},
	}
}

func (c *credentials) verifyOptions(chain []*x509.Certificate, usage x509.ExtKeyUsage) x509.VerifyOptions {
	intermediates := x509.NewCertPool()
	for _, cert := range chain {
		intermediates.AddCert(cert)
	}
	return x509.VerifyOptions{Roots: c.roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage}}
}

// identify returns the node id of a verified peer of this region.
func (c *credentials) identify(state tls.ConnectionState) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return "", fmt.Errorf("%w: no certificate", ErrPeer)
	}
	region, id, err := nodeName(state.PeerCertificates[0])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if region != c.region {
		return "", fmt.Errorf("%w: node %q belongs to region %q, this is %q", ErrPeer, id, region, c.region)
	}
	return id, nil
}

// nodeName reads the one URI of a node certificate.
func nodeName(cert *x509.Certificate) (region, id string, err error) {
	if len(cert.URIs) != 1 {
		return "", "", fmt.Errorf("certificate has %d URIs, a node's has exactly one", len(cert.URIs))
	}
	u := cert.URIs[0]
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Scheme != spiffeScheme || u.Host != spiffeTrust || len(parts) != 2 || parts[0] == "" || parts[1] == "" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", "", fmt.Errorf("certificate URI %q is not spiffe://meridian/<region>/<node id>", u)
	}
	return parts[0], parts[1], nil
}
