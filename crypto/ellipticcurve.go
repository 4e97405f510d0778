package crypto

import "encoding/asn1"

// pointBytes is the length of an uncompressed point of each curve here: 0x04 || x || y (SEC 1 section 2.3.3).
const pointBytes = 1 + 32 + 32

// uncompressed is the first byte of an uncompressed point.
const uncompressed = 0x04

// scalarBytes is the length of a private key of each curve here.
const scalarBytes = 32

// curve returns the object identifier and the name of an algorithm's curve.
func (a Algorithm) curve() (oid asn1.ObjectIdentifier, name string) {
	switch a {
	case AlgorithmECP256:
		return oidP256, "NIST P-256"
	case AlgorithmECP256K:
		return oidSecp256k1, "secp256k1"
	}
	return oidSM2, "SM2"
}

// parsePoint reads the public key of an elliptic curve.
func parsePoint(a Algorithm, info subjectPublicKeyInfo) (*PublicKey, error) {
	want, name := a.curve()
	if !info.Algorithm.Algorithm.Equal(oidEC) {
		return nil, badPublicKey("no key of an elliptic curve")
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &oid); err != nil || len(rest) != 0 || !oid.Equal(want) {
		return nil, badPublicKey("not on the curve %s, given by its name", name)
	}
	point := info.PublicKey.Bytes
	if len(point) != pointBytes || point[0] != uncompressed {
		return nil, badPublicKey("no uncompressed point")
	}
	var half publicHalf
	var err error
	switch a {
	case AlgorithmECP256:
		half, err = parseP256Public(point)
	case AlgorithmECP256K:
		half, err = parseSecp256k1Public(point)
	case AlgorithmSM2:
		half, err = parseSM2Public(point)
	}
	if err != nil {
		return nil, badPublicKey("no point of the curve %s", name)
	}
	return newPointKey(a, half, point)
}

// newPointKey encodes the public key of an elliptic curve from its uncompressed point.
func newPointKey(a Algorithm, half publicHalf, point []byte) (*PublicKey, error) {
	oid, _ := a.curve()
	parameters, err := asn1.Marshal(oid)
	if err != nil {
		return nil, err
	}
	return newPublicKey(a, half, oidEC, parameters, point)
}
