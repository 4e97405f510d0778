package store

import "meridian/crypto"

// What the algorithms of key versions are called here.
const (
	xaes     = crypto.Algorithm(1)
	xsm4     = crypto.Algorithm(2)
	rsa2048  = crypto.Algorithm(3)
	rsa3072  = crypto.Algorithm(4)
	ecP256   = crypto.Algorithm(5)
	ecP256K  = crypto.Algorithm(6)
	ecSM2    = crypto.Algorithm(7)
	external = "EXTERNAL"
)

// specAlgorithm returns the algorithm that every version of a key has, by the
// KeySpec of the API; false for one that is unknown.
func specAlgorithm(spec string) (a crypto.Algorithm, ok bool) {
	switch orUsual(spec, usualSpec) {
	case "Aliyun_AES_256":
		return xaes, true
	case "Aliyun_SM4":
		return xsm4, true
	case "RSA_2048":
		return rsa2048, true
	case "RSA_3072":
		return rsa3072, true
	case "EC_P256":
		return ecP256, true
	case "EC_P256K":
		return ecP256K, true
	case "EC_SM2":
		return ecSM2, true
	}
	return 0, false
}

// symmetric reports whether the keys of a spec are symmetric.
func symmetric(spec string) bool {
	a, _ := specAlgorithm(spec)
	return a == xaes || a == xsm4
}

// fitsSpec refuses a version of another algorithm than its key's.
func fitsSpec(spec string, algorithm uint32) error {
	if a, ok := specAlgorithm(spec); !ok || uint32(a) != algorithm {
		return invalid("algorithm %d of a version, spec %q of its key", algorithm, spec)
	}
	return nil
}
