package api

import (
	"meridian/crypto"
	"meridian/store"
)

// Key specs of the API.
const (
	specAES256  = "Aliyun_AES_256"
	specSM4     = "Aliyun_SM4"
	specRSA2048 = "RSA_2048"
	specRSA3072 = "RSA_3072"
	specECP256  = "EC_P256"
	specECP256K = "EC_P256K"
	specSM2     = "EC_SM2"
)

// keySpec is a key spec and how its versions work.
type keySpec struct {
	name      string
	algorithm crypto.Algorithm
}

// keySpecs are the key specs of the API in the order of its documents.
var keySpecs = []keySpec{
	{specAES256, crypto.AlgorithmXAES256GCM},
	{specSM4, crypto.AlgorithmXSM4GCM},
	{specRSA2048, crypto.AlgorithmRSA2048},
	{specRSA3072, crypto.AlgorithmRSA3072},
	{specECP256, crypto.AlgorithmECP256},
	{specECP256K, crypto.AlgorithmECP256K},
	{specSM2, crypto.AlgorithmSM2},
}

var keySpecNames = func() (names []string) {
	for _, s := range keySpecs {
		names = append(names, s.name)
	}
	return names
}()

// algorithmOf is how the versions of keys of a spec work; 0 for an unknown spec.
func algorithmOf(spec string) crypto.Algorithm {
	for _, s := range keySpecs {
		if s.name == spec {
			return s.algorithm
		}
	}
	return 0
}

// usages are what keys of an algorithm can be for; the first is what they are for if nobody says.
func usages(a crypto.Algorithm) (all []string) {
	if a.Symmetric() || len(a.EncryptionSchemes()) > 0 {
		all = append(all, usageEncrypt)
	}
	if len(a.SignatureSchemes()) > 0 {
		all = append(all, usageSign)
	}
	return all
}

// isSymmetric reports whether the symmetric actions can use a key.
func isSymmetric(k *store.Key) bool { return k.Spec == specAES256 || k.Spec == specSM4 }

// Algorithms of the asymmetric actions, in the order of the API's documents.
var (
	encryptionSchemes = []string{string(crypto.RSAESOAEPSHA256), string(crypto.RSAESOAEPSHA1), string(crypto.SM2PKE)}
	signatureSchemes  = []string{string(crypto.RSAPSSSHA256), string(crypto.RSAPKCS1SHA256), string(crypto.ECDSASHA256), string(crypto.SM2DSA)}
)

// Key usages, origins and protection levels of the API.
const (
	usageEncrypt   = "ENCRYPT/DECRYPT"
	usageSign      = "SIGN/VERIFY"
	originOwn      = "Aliyun_KMS"
	originExternal = "EXTERNAL"
	levelSoftware  = "SOFTWARE"
	levelHSM       = "HSM"
)
