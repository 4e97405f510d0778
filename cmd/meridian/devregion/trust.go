package devregion

import (
	"os"
	"path/filepath"
	"slices"
)

// systemBundles is where systems keep the authorities that they trust, in one
// file.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // SUSE
	"/etc/ssl/cert.pem",                  // macOS, BSD
}

// TrustFile is the region's CA file and the system's authorities in one file, for
// programs that can be told but one. It lies beside the CA file.
func TrustFile(caFile string) string { return filepath.Join(filepath.Dir(caFile), "trust.pem") }

// trustBundle is the system's authorities and ca. Variables such as
// SSL_CERT_FILE replace what a client trusts: with the CA alone it could reach
// nothing but the region.
func trustBundle(ca []byte) []byte {
	for _, path := range systemBundles {
		if system, err := os.ReadFile(path); err == nil {
			return slices.Concat(system, []byte("\n"), ca)
		}
	}
	return ca
}
