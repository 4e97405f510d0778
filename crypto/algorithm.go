package crypto

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"slices"
)

// Algorithm says what a key version is and what it can do. It stands in records, in bindings and, if it is symmetric, in
// blobs: the numbers never change. The key version's record decides which one is used; a blob's must equal it.
type Algorithm byte

// The algorithms, with the key specs of the API that they belong to.
const (
	AlgorithmXAES256GCM Algorithm = 1 // Aliyun_AES_256
	AlgorithmXSM4GCM    Algorithm = 2 // Aliyun_SM4
	AlgorithmRSA2048    Algorithm = 3 // RSA_2048
	AlgorithmRSA3072    Algorithm = 4 // RSA_3072
	AlgorithmECP256     Algorithm = 5 // EC_P256: NIST P-256
	AlgorithmECP256K    Algorithm = 6 // EC_P256K: secp256k1
	AlgorithmSM2        Algorithm = 7 // EC_SM2
)

// EncryptionScheme is a way to encrypt under a public key, by the API's name.
type EncryptionScheme string

// The encryption schemes. The label of OAEP is empty and its MGF1 uses the hash of the scheme.
const (
	RSAESOAEPSHA256 EncryptionScheme = "RSAES_OAEP_SHA_256"
	RSAESOAEPSHA1   EncryptionScheme = "RSAES_OAEP_SHA_1"
	RSAESPKCS1v15   EncryptionScheme = "RSAES_PKCS1_V1_5" // of key material that is imported, see [PrivateKey.DecryptImport]
	SM2PKE          EncryptionScheme = "SM2PKE"           // GB/T 32918.4, as 0x04 || x || y || C3 || C2
)

// SignatureScheme is a way to sign a digest, by the API's name.
type SignatureScheme string

// The signature schemes. Each signs a digest of DigestBytes.
const (
	RSAPSSSHA256   SignatureScheme = "RSA_PSS_SHA_256" // MGF1 with SHA-256; signs with a salt of 32 bytes, verifies any
	RSAPKCS1SHA256 SignatureScheme = "RSA_PKCS1_SHA_256"
	ECDSASHA256    SignatureScheme = "ECDSA_SHA_256" // ASN.1 DER
	SM2DSA         SignatureScheme = "SM2DSA"        // GB/T 32918.2, ASN.1 DER; the digest is SM3 over Z(A) and the message
)

// DigestBytes is the length of the digest that every signature scheme takes.
const DigestBytes = 32

var (
	// ErrAlgorithm says that no algorithm has this number, or that this one cannot do what was asked.
	ErrAlgorithm = errors.New("crypto: no such algorithm here")
	// ErrScheme says that the key has no such scheme.
	ErrScheme = errors.New("crypto: the key has no such scheme")
	// ErrNotApproved says that the process runs in FIPS 140-only mode (GODEBUG=fips140=only), which forbids this.
	ErrNotApproved = errors.New("crypto: not approved in FIPS 140-only mode")
)

// algorithmInfo describes an algorithm.
type algorithmInfo struct {
	name       string
	material   int  // bytes, of a symmetric one
	approved   bool // by FIPS 140-3
	rsaBits    int  // of an RSA modulus
	encryption []EncryptionScheme
	signature  []SignatureScheme
}

// algorithms is indexed by number, and never changed.
var algorithms = [...]algorithmInfo{
	AlgorithmXAES256GCM: {name: "XAES-256-GCM", material: KeyBytes, approved: true},
	AlgorithmXSM4GCM:    {name: "XSM4-GCM", material: xsm4KeyBytes},
	AlgorithmRSA2048:    {name: "RSA-2048", approved: true, rsaBits: 2048, encryption: rsaEncryption, signature: rsaSignature},
	AlgorithmRSA3072:    {name: "RSA-3072", approved: true, rsaBits: 3072, encryption: rsaEncryption, signature: rsaSignature},
	AlgorithmECP256:     {name: "EC-P256", approved: true, signature: []SignatureScheme{ECDSASHA256}},
	AlgorithmECP256K:    {name: "EC-P256K", signature: []SignatureScheme{ECDSASHA256}},
	AlgorithmSM2:        {name: "EC-SM2", encryption: []EncryptionScheme{SM2PKE}, signature: []SignatureScheme{SM2DSA}},
}

var (
	rsaEncryption = []EncryptionScheme{RSAESOAEPSHA256, RSAESOAEPSHA1}
	rsaSignature  = []SignatureScheme{RSAPSSSHA256, RSAPKCS1SHA256}
)

// info returns the description of an algorithm; the zero value if there is none.
func (a Algorithm) info() algorithmInfo {
	if int(a) < len(algorithms) {
		return algorithms[a]
	}
	return algorithmInfo{}
}

// String returns the algorithm's name.
func (a Algorithm) String() string {
	if name := a.info().name; name != "" {
		return name
	}
	return fmt.Sprintf("algorithm %d", byte(a))
}

// Symmetric says whether a key version of this algorithm seals blobs, with a [Cipher]. The others are key pairs.
func (a Algorithm) Symmetric() bool { return a.MaterialBytes() != 0 }

// MaterialBytes returns the length of the material of a symmetric algorithm, 0 for any other.
func (a Algorithm) MaterialBytes() int { return a.info().material }

// Available returns nil if the process may use the algorithm. Errors: [ErrNotApproved], [ErrAlgorithm].
func (a Algorithm) Available() error {
	info := a.info()
	if info.name == "" {
		return fmt.Errorf("%w: %v", ErrAlgorithm, a)
	}
	return approved(info.approved, info.name)
}

// EncryptionSchemes returns the schemes of a key pair, in the order of the API's documents. [RSAESPKCS1v15] is in none.
func (a Algorithm) EncryptionSchemes() []EncryptionScheme { return slices.Clone(a.info().encryption) }

// SignatureSchemes returns the schemes of a key pair, in the order of the API's documents.
func (a Algorithm) SignatureSchemes() []SignatureScheme { return slices.Clone(a.info().signature) }

// MaxPlaintext returns how many bytes the scheme encrypts at most, 0 if the algorithm does not have it.
func (a Algorithm) MaxPlaintext(s EncryptionScheme) int {
	info := a.info()
	if !slices.Contains(info.encryption, s) {
		return 0
	}
	if s == SM2PKE {
		return maxSM2Plaintext
	}
	return info.rsaBits/8 - 2*oaepHash(s).Size() - 2 // RFC 8017 section 7.1.1
}

// CiphertextBytes returns the length of the ciphertext of so many bytes of plaintext, 0 if they cannot be encrypted.
func (a Algorithm) CiphertextBytes(s EncryptionScheme, plaintext int) int {
	if plaintext < 0 || plaintext > a.MaxPlaintext(s) {
		return 0
	}
	if s == SM2PKE {
		if plaintext == 0 {
			return 0
		}
		return sm2Overhead + plaintext
	}
	return a.info().rsaBits / 8
}

// Available returns nil if the process may use the scheme. Errors: [ErrNotApproved], [ErrScheme].
func (s EncryptionScheme) Available() error {
	switch s {
	case RSAESOAEPSHA256:
		return nil
	case RSAESOAEPSHA1, RSAESPKCS1v15, SM2PKE:
		return approved(false, string(s))
	}
	return ErrScheme
}

// Available returns nil if the process may use the scheme. Errors: [ErrNotApproved], [ErrScheme]. Whether it may use
// the key is [Algorithm.Available]'s to say.
func (s SignatureScheme) Available() error {
	switch s {
	case RSAPSSSHA256, RSAPKCS1SHA256, ECDSASHA256:
		return nil
	case SM2DSA:
		return approved(false, string(s))
	}
	return ErrScheme
}

// approved returns the error for what FIPS 140-3 does not approve, where that counts.
func approved(by bool, what string) error {
	if by || !fips140.Enforced() {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotApproved, what)
}

// encrypts returns nil if a key of this algorithm may use the scheme now.
func (a Algorithm) encrypts(s EncryptionScheme) error {
	if !slices.Contains(a.info().encryption, s) {
		return ErrScheme
	}
	if err := a.Available(); err != nil {
		return err
	}
	return s.Available()
}

// signs returns nil if a key of this algorithm may use the scheme on the digest now.
func (a Algorithm) signs(s SignatureScheme, digest []byte) error {
	if !slices.Contains(a.info().signature, s) {
		return ErrScheme
	}
	if err := a.Available(); err != nil {
		return err
	}
	if err := s.Available(); err != nil {
		return err
	}
	if len(digest) != DigestBytes {
		return ErrDigestLength
	}
	return nil
}
