// Package crypto holds the cryptography of a key region and nothing else: it knows no storage, no network and no clock.
//
// Keys form a hierarchy. A root key, kept outside the region's data by a provider of package seal, wraps the region's
// [Keyring] of key-encryption keys (KEKs). A KEK wraps the material of every key version, tied to its place by a
// [Binding]. What the version's [Algorithm] is decides what becomes of its material: a ready [Cipher], which seals
// callers' data into a [Blob] under an encryption [Context], or a [PrivateKey], which signs and decrypts.
//
// The keyring, the blobs of XAES-256-GCM, RSA and ECDSA on NIST P-256 use the Go Cryptographic Module only, so that they
// work with GODEBUG=fips140=only. SM2, SM3, SM4 (github.com/emmansun/gmsm) and secp256k1 (github.com/decred/dcrd) lie
// outside it: in that mode they are refused with [ErrNotApproved], as are OAEP with SHA-1 and PKCS #1 v1.5 encryption.
package crypto
