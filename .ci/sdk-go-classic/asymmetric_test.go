package classic

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
	"github.com/emmansun/gmsm/sm2"
)

// algorithm is one way to use a key of a spec.
type algorithm struct {
	name   string
	most   int // bytes of plaintext, for encryption
	length int // bytes that a ciphertext has more than its plaintext, or has in all where it is fixed
}

// pair is a spec with a usage, and the algorithms that it then has.
type pair struct {
	spec, usage string
	algorithms  []algorithm
}

var signers = []pair{
	{"RSA_2048", "SIGN/VERIFY", []algorithm{{name: "RSA_PSS_SHA_256", length: 256}, {name: "RSA_PKCS1_SHA_256", length: 256}}},
	{"RSA_3072", "SIGN/VERIFY", []algorithm{{name: "RSA_PSS_SHA_256", length: 384}, {name: "RSA_PKCS1_SHA_256", length: 384}}},
	{"EC_P256", "SIGN/VERIFY", []algorithm{{name: "ECDSA_SHA_256"}}},
	{"EC_P256K", "SIGN/VERIFY", []algorithm{{name: "ECDSA_SHA_256"}}},
	{"EC_SM2", "SIGN/VERIFY", []algorithm{{name: "SM2DSA"}}},
}

var encrypters = []pair{
	{"RSA_2048", "ENCRYPT/DECRYPT", []algorithm{{"RSAES_OAEP_SHA_256", 190, 256}, {"RSAES_OAEP_SHA_1", 214, 256}}},
	{"RSA_3072", "ENCRYPT/DECRYPT", []algorithm{{"RSAES_OAEP_SHA_256", 318, 384}, {"RSAES_OAEP_SHA_1", 342, 384}}},
	{"EC_SM2", "ENCRYPT/DECRYPT", []algorithm{{"SM2PKE", 6047, 6144}}},
}

// asymmetricKeys uses each spec with each of its algorithms, and has other libraries judge what comes back.
func asymmetricKeys(c, _ *caller) {
	for _, p := range signers {
		key := newKeyPair(c, p)
		for _, a := range p.algorithms {
			key.signs(c, a)
		}
		key.doesNotEncrypt(c)
	}
	for _, p := range encrypters {
		key := newKeyPair(c, p)
		for _, a := range p.algorithms {
			key.encrypts(c, a)
		}
		key.doesNotSign(c, p.spec)
	}
	for _, wrong := range []struct{ spec, usage string }{{"EC_P256", "ENCRYPT/DECRYPT"}, {"Aliyun_AES_256", "SIGN/VERIFY"}} {
		request := kms.CreateCreateKeyRequest()
		request.KeySpec, request.KeyUsage = wrong.spec, wrong.usage
		refused(c, c.client.CreateKey, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
}

// keyPair is an asymmetric key of the service with one version.
type keyPair struct {
	alias, id, version string
	public             publicKey
}

func newKeyPair(c *caller, p pair) keyPair {
	c.Helper()
	made := c.createKeyOf(p.spec, p.usage)
	if made.KeySpec != p.spec || made.KeyUsage != p.usage || made.PrimaryKeyVersion != "" || made.AutomaticRotation != "Disabled" {
		c.Errorf("CreateKey answers %+v", made)
	}
	versions := c.listVersions(made.KeyId)
	if len(versions) != 1 {
		c.Fatalf("a new key has the versions %v", versions)
	}
	key := keyPair{"alias/classic-" + randomHex(8), made.KeyId, versions[0].KeyVersionId, publicKey{}}
	c.createAlias(key.alias, key.id)
	key.public = c.publicKey(key.alias, key.version)
	return key
}

// publicKey asks each node for it, and insists on one answer.
func (c *caller) publicKey(key, version string) publicKey {
	c.Helper()
	var text string
	for range c.region.Endpoints {
		request := kms.CreateGetPublicKeyRequest()
		request.KeyId, request.KeyVersionId = key, version
		answer := must(c, c.client.GetPublicKey, request.RpcRequest, request)
		if text != "" && answer.PublicKey != text {
			c.Errorf("another node has another public key:\n%s\n%s", answer.PublicKey, text)
		}
		text = answer.PublicKey
	}
	public, err := parsePublicKey(text)
	if err != nil {
		c.Fatal(err)
	}
	return public
}

// signs has each node sign, verifies outside, and has the others verify.
func (k keyPair) signs(c *caller, a algorithm) {
	c.Helper()
	for node := range c.region.Endpoints {
		digest := k.digest(c, a.name, fmt.Sprintf("message %d for %s", node, a.name))
		request := kms.CreateAsymmetricSignRequest()
		request.KeyId, request.KeyVersionId, request.Algorithm, request.Digest = k.alias, k.version, a.name, encode(digest)
		answer := must(c, c.client.AsymmetricSign, request.RpcRequest, request)
		signature := c.decode(answer.Value)
		if err := k.public.verify(a.name, digest, signature); err != nil {
			c.Errorf("%s: signature %x: %v", a.name, signature, err)
		}
		if answer.KeyId != k.id || answer.KeyVersionId != k.version || (a.length > 0 && len(signature) != a.length) || (a.length == 0 && len(signature) > 72) {
			c.Errorf("%s: %d bytes of key %s, version %s", a.name, len(signature), answer.KeyId, answer.KeyVersionId)
		}
		k.verifies(c, a.name, digest, signature, true)
		k.verifies(c, a.name, digest, signature, true)
		other := bytes.Clone(digest)
		other[31] ^= 1
		k.verifies(c, a.name, other, signature, false)
	}
	for _, length := range []int{31, 33} {
		request := kms.CreateAsymmetricSignRequest()
		request.KeyId, request.KeyVersionId, request.Algorithm, request.Digest = k.id, k.version, a.name, encode(make([]byte, length))
		refused(c, c.client.AsymmetricSign, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
}

// digest is what the algorithm signs of a message.
func (k keyPair) digest(c *caller, algorithm, message string) []byte {
	c.Helper()
	if algorithm != "SM2DSA" {
		digest := sha256.Sum256([]byte(message))
		return digest[:]
	}
	digest, err := sm2.CalculateSM2Hash(k.public.ec, []byte(message), nil)
	if err != nil {
		c.Fatal(err)
	}
	return digest
}

func (k keyPair) verifies(c *caller, algorithm string, digest, signature []byte, want bool) {
	c.Helper()
	request := kms.CreateAsymmetricVerifyRequest()
	request.KeyId, request.KeyVersionId, request.Algorithm = k.id, k.version, algorithm
	request.Digest, request.Value = encode(digest), encode(signature)
	if answer := must(c, c.client.AsymmetricVerify, request.RpcRequest, request); answer.Value != want || answer.KeyId != k.id {
		c.Errorf("%s: AsymmetricVerify answers %v, want %v", algorithm, answer.Value, want)
	}
}

// encrypts has each node encrypt and others decrypt, and each decrypt what was encrypted outside.
func (k keyPair) encrypts(c *caller, a algorithm) {
	c.Helper()
	full := make([]byte, a.most)
	if _, err := rand.Read(full); err != nil {
		c.Fatal(err)
	}
	for _, text := range [][]byte{{0}, []byte("a data key of thirty-two bytes.."), full} {
		request := k.encryption(a.name, text)
		answer := must(c, c.client.AsymmetricEncrypt, request.RpcRequest, request)
		sealed := c.decode(answer.CiphertextBlob)
		want := a.length
		if a.name == "SM2PKE" {
			want = len(text) + 97
		}
		if answer.KeyId != k.id || answer.KeyVersionId != k.version || len(sealed) != want {
			c.Errorf("%s: %d bytes become %d of key %s, want %d", a.name, len(text), len(sealed), answer.KeyId, want)
		}
		ciphertexts := [][]byte{sealed, sealed}
		if len(text) > 1 || a.name != "SM2PKE" { // of one byte, gmsm v0.41.1 encrypts one in 256 so that nobody can decrypt it
			outside, err := k.public.encrypt(a.name, text)
			if err != nil {
				c.Fatal(err)
			}
			ciphertexts = append(ciphertexts, outside)
		}
		for _, ciphertext := range ciphertexts {
			request := k.decryption(a.name, ciphertext)
			if got := c.decode(must(c, c.client.AsymmetricDecrypt, request.RpcRequest, request).Plaintext); !bytes.Equal(got, text) {
				c.Errorf("%s: %x opens to %x", a.name, text, got)
			}
		}
		sealed[len(sealed)-1] ^= 1
		damaged := k.decryption(a.name, sealed)
		refused(c, c.client.AsymmetricDecrypt, damaged.RpcRequest, damaged, http.StatusBadRequest, "InvalidParameter")
	}
	long := k.encryption(a.name, append(full, 0))
	refused(c, c.client.AsymmetricEncrypt, long.RpcRequest, long, http.StatusBadRequest, "InvalidParameter")
}

func (k keyPair) encryption(algorithm string, text []byte) *kms.AsymmetricEncryptRequest {
	request := kms.CreateAsymmetricEncryptRequest()
	request.KeyId, request.KeyVersionId, request.Algorithm, request.Plaintext = k.alias, k.version, algorithm, encode(text)
	return request
}

func (k keyPair) decryption(algorithm string, ciphertext []byte) *kms.AsymmetricDecryptRequest {
	request := kms.CreateAsymmetricDecryptRequest()
	request.KeyId, request.KeyVersionId, request.Algorithm, request.CiphertextBlob = k.id, k.version, algorithm, encode(ciphertext)
	return request
}

// doesNotEncrypt asks a signer for what it is not for.
func (k keyPair) doesNotEncrypt(c *caller) {
	c.Helper()
	asymmetric := k.encryption("RSAES_OAEP_SHA_256", []byte("text"))
	refused(c, c.client.AsymmetricEncrypt, asymmetric.RpcRequest, asymmetric, http.StatusBadRequest, "Rejected.UnsupportedOperation")
	symmetric := encryptRequest(k.id, []byte("text"), "")
	refused(c, c.client.Encrypt, symmetric.RpcRequest, symmetric, http.StatusBadRequest, "UnsupportedOperation")
}

// doesNotSign asks an encrypter for what it is not for, and for a version and an algorithm that it has not.
func (k keyPair) doesNotSign(c *caller, spec string) {
	c.Helper()
	sign := kms.CreateAsymmetricSignRequest()
	sign.KeyId, sign.KeyVersionId, sign.Algorithm, sign.Digest = k.id, k.version, "RSA_PSS_SHA_256", encode(make([]byte, 32))
	refused(c, c.client.AsymmetricSign, sign.RpcRequest, sign, http.StatusBadRequest, "Rejected.UnsupportedOperation")
	fit, misfit := "RSAES_OAEP_SHA_256", "SM2PKE"
	if spec == "EC_SM2" {
		fit, misfit = misfit, fit
	}
	wrong := k.encryption(misfit, []byte("text"))
	refused(c, c.client.AsymmetricEncrypt, wrong.RpcRequest, wrong, http.StatusBadRequest, "InvalidParameter")
	unknown := k
	unknown.version = noKey
	nowhere := unknown.encryption(fit, []byte("text"))
	refused(c, c.client.AsymmetricEncrypt, nowhere.RpcRequest, nowhere, http.StatusNotFound, "Forbidden.KeyVersionNotFound")
}

// pairStates turns key pairs off, and plans their deletion: each node refuses them, and the public half, at once.
func pairStates(c, _ *caller) {
	signer := newKeyPair(c, pair{spec: "EC_P256", usage: "SIGN/VERIFY"})
	encrypter := newKeyPair(c, pair{spec: "RSA_2048", usage: "ENCRYPT/DECRYPT"})
	const oaep = "RSAES_OAEP_SHA_256"
	sealed, err := encrypter.public.encrypt(oaep, []byte("text"))
	if err != nil {
		c.Fatal(err)
	}
	wantRefused := func(code string) {
		c.Helper()
		for range c.region.Endpoints {
			encrypt, decrypt := encrypter.encryption(oaep, []byte("text")), encrypter.decryption(oaep, sealed)
			refused(c, c.client.AsymmetricEncrypt, encrypt.RpcRequest, encrypt, http.StatusConflict, code)
			refused(c, c.client.AsymmetricDecrypt, decrypt.RpcRequest, decrypt, http.StatusConflict, code)
			signer.refuses(c, code)
		}
	}
	for _, key := range []string{signer.id, encrypter.id} {
		c.disable(key)
	}
	wantRefused("Rejected.Disabled")
	for _, key := range []string{signer.id, encrypter.id} {
		c.enable(key)
	}
	signer.signs(c, algorithm{name: "ECDSA_SHA_256"})
	for _, key := range []string{signer.id, encrypter.id} {
		c.scheduleDeletion(key)
	}
	wantRefused("Rejected.PendingDeletion")

	symmetric := c.createKey(nil)
	public := kms.CreateGetPublicKeyRequest()
	public.KeyId, public.KeyVersionId = symmetric.KeyId, symmetric.PrimaryKeyVersion
	refused(c, c.client.GetPublicKey, public.RpcRequest, public, http.StatusBadRequest, "Rejected.UnsupportedOperation")
}

func (k keyPair) refuses(c *caller, code string) {
	c.Helper()
	sign := kms.CreateAsymmetricSignRequest()
	sign.KeyId, sign.KeyVersionId, sign.Algorithm, sign.Digest = k.alias, k.version, "ECDSA_SHA_256", encode(make([]byte, 32))
	refused(c, c.client.AsymmetricSign, sign.RpcRequest, sign, http.StatusConflict, code)
	verify := kms.CreateAsymmetricVerifyRequest()
	verify.KeyId, verify.KeyVersionId, verify.Algorithm = k.alias, k.version, "ECDSA_SHA_256"
	verify.Digest, verify.Value = encode(make([]byte, 32)), encode(make([]byte, 70))
	refused(c, c.client.AsymmetricVerify, verify.RpcRequest, verify, http.StatusConflict, code)
	public := kms.CreateGetPublicKeyRequest()
	public.KeyId, public.KeyVersionId = k.alias, k.version
	refused(c, c.client.GetPublicKey, public.RpcRequest, public, http.StatusConflict, code)
	version := kms.CreateCreateKeyVersionRequest()
	version.KeyId = k.alias
	refused(c, c.client.CreateKeyVersion, version.RpcRequest, version, http.StatusConflict, code)
}
