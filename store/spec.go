package store

import "meridian/crypto"

// external is the origin of keys whose material is imported.
const external = "EXTERNAL"

// specAlgorithm returns the algorithm that every version of a key has, by the
// KeySpec of the API; 0 for one that is unknown.
func specAlgorithm(spec string) crypto.Algorithm {
	switch orUsual(spec, usualSpec) {
	case "Aliyun_AES_256":
		return crypto.AlgorithmXAES256GCM
	case "Aliyun_SM4":
		return crypto.AlgorithmXSM4GCM
	case "RSA_2048":
		return crypto.AlgorithmRSA2048
	case "RSA_3072":
		return crypto.AlgorithmRSA3072
	case "EC_P256":
		return crypto.AlgorithmECP256
	case "EC_P256K":
		return crypto.AlgorithmECP256K
	case "EC_SM2":
		return crypto.AlgorithmSM2
	}
	return 0
}

// Algorithm returns the algorithm that every version of the key has.
func (k *Key) Algorithm() crypto.Algorithm { return specAlgorithm(k.Spec) }

// symmetric reports whether the keys of a spec are symmetric.
func symmetric(spec string) bool { return specAlgorithm(spec).Symmetric() }

// fitsSpec refuses a version of another algorithm than its key's.
func fitsSpec(spec string, algorithm uint32) error {
	if a := specAlgorithm(spec); a == 0 || uint32(a) != algorithm {
		return invalid("algorithm %d of a version, spec %q of its key", algorithm, spec)
	}
	return nil
}
