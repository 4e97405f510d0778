// Package crypto holds the cryptography of a key region and nothing else: it knows no storage, no network and no clock.
//
// Keys form a hierarchy. A root key, kept outside the region's data by a provider of package seal, wraps the region's
// [Keyring] of key-encryption keys (KEKs). A KEK wraps the material of every key version, tied to its place by a
// [Binding]. A key version's material, held as a ready [XAES], seals callers' data into a [Blob] under an encryption
// [Context].
//
// Everything is XAES-256-GCM over the AES and GCM of the Go Cryptographic Module, so that GODEBUG=fips140=only works.
package crypto
