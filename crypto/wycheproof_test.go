package crypto

import (
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm4"
)

// wycheproofFile is what is used of a file of Project Wycheproof.
type wycheproofFile struct {
	NumberOfTests int               `json:"numberOfTests"`
	TestGroups    []wycheproofGroup `json:"testGroups"`
}

type wycheproofGroup struct {
	KeySize         int                `json:"keySize"` // bits
	IVSize          int                `json:"ivSize"`  // bits
	TagSize         int                `json:"tagSize"` // bits
	Hash            string             `json:"sha"`
	MaskHash        string             `json:"mgfSha"`
	PublicKeyDER    hexBytes           `json:"publicKeyDer"`
	PrivateKeyPKCS8 hexBytes           `json:"privateKeyPkcs8"`
	Tests           []wycheproofVector `json:"tests"`

	private *PrivateKey // once it is read
	public  *PublicKey
}

type wycheproofVector struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Result  string   `json:"result"`

	Key, IV, AAD, Msg, CT, Tag, Label, Sig, IKM, Salt, Info, OKM hexBytes
	Size                                                         int
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// verdict is what the package makes of a vector.
type verdict string

const (
	accepted verdict = "accepted"
	refused  verdict = "refused"
	// outside: the vector asks for what the package does not offer, and the check has seen that it is not to be had.
	outside verdict = "outside"
)

func TestWycheproof(t *testing.T) {
	for _, f := range []struct {
		name     string
		applied  int // how many vectors are not outside
		approved bool
		check    func(*testing.T, *wycheproofGroup, *wycheproofVector) verdict
	}{
		{"aes_gcm", 197, true, checkAESGCM},
		{"rsa_oaep_2048_sha1_mgf1sha1", 29, false, checkOAEP},
		{"rsa_oaep_2048_sha256_mgf1sha256", 29, true, checkOAEP},
		{"rsa_oaep_3072_sha256_mgf1sha256", 29, true, checkOAEP},
		{"rsa_oaep_misc", 12, true, checkOAEP},
		{"rsa_pkcs1_2048", 59, false, checkPKCS1Import},
		{"rsa_pkcs1_3072", 60, false, checkPKCS1Import},
		{"rsa_pkcs1_2048_sig_gen", 8, true, checkPKCS1Sign},
		{"rsa_pkcs1_3072_sig_gen", 8, true, checkPKCS1Sign},
		{"rsa_signature_2048_sha256", 257, true, checkVerify(RSAPKCS1SHA256)},
		{"rsa_signature_3072_sha256", 258, true, checkVerify(RSAPKCS1SHA256)},
		{"rsa_pss_2048_sha256_mgf1_32", 108, true, checkVerify(RSAPSSSHA256)},
		{"rsa_pss_3072_sha256_mgf1_32", 108, true, checkVerify(RSAPSSSHA256)},
		{"rsa_pss_misc", 6, true, checkVerify(RSAPSSSHA256)},
		{"ecdsa_secp256r1_sha256", 484, true, checkVerify(ECDSASHA256)},
		{"ecdsa_secp256k1_sha256", 476, false, checkVerify(ECDSASHA256)},
		{"hmac_sha1", 170, false, checkHMAC(sha1.New)},
		{"hmac_sha256", 174, true, checkHMAC(sha256.New)},
		{"hkdf_sha256", 86, true, checkHKDF},
		{"sm4_gcm", 104, false, checkSM4GCM},
	} {
		t.Run(f.name, func(t *testing.T) {
			var file wycheproofFile
			readWycheproof(t, f.name, &file)
			count := map[verdict]int{}
			for i := range file.TestGroups {
				g := &file.TestGroups[i]
				for j := range g.Tests {
					v := &g.Tests[j]
					got := f.check(t, g, v)
					count[got]++
					if want := v.want(); got != want && got != outside {
						t.Errorf("vector %d (%s, %s %v) is %s, want %s", v.ID, v.Comment, v.Result, v.Flags, got, want)
					}
				}
			}
			if seen := count[accepted] + count[refused] + count[outside]; seen == 0 || seen != file.NumberOfTests {
				t.Errorf("%d vectors were seen, the file says that it has %d", seen, file.NumberOfTests)
			}
			applied := count[accepted] + count[refused]
			if fips140.Enforced() {
				if !f.approved && applied != 0 {
					t.Errorf("%d vectors could be run in FIPS 140-only mode, which approves none of them", applied)
				}
				return
			}
			if applied != f.applied {
				t.Errorf("%d vectors apply (%v), want %d", applied, count, f.applied)
			}
		})
	}
}

// acceptable says what is made of vectors that Wycheproof leaves open, by their flag.
var acceptable = map[string]verdict{
	"MissingNull": refused, // a DigestInfo without its NULL: older software made it, nothing does today, and leniency here has let forgeries in
}

// otherSalts are the vectors of PSS that are invalid for who wants a salt of 32 bytes. The package signs with one and
// verifies any: whether a signature of the real service has one is not documented.
const otherSalts = "s_len changed to "

// want returns the verdict that the vector demands.
func (v *wycheproofVector) want() verdict {
	switch v.Result {
	case "valid":
		return accepted
	case "invalid":
		if strings.HasPrefix(v.Comment, otherSalts) {
			return accepted
		}
		return refused
	}
	for _, flag := range v.Flags {
		if want, ok := acceptable[flag]; ok {
			return want
		}
	}
	return "decided"
}

func readWycheproof(t *testing.T, name string, to *wycheproofFile) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "wycheproof", name+"_test.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(unzipped).Decode(to); err != nil {
		t.Fatal(err)
	}
}

// notApproved says whether err is the refusal of FIPS 140-only mode, in that mode.
func notApproved(err error) bool { return errors.Is(err, ErrNotApproved) && fips140.Enforced() }

// rsaOf returns the algorithm of RSA keys of so many bits.
func rsaOf(bits int) (Algorithm, bool) {
	switch bits {
	case 2048:
		return AlgorithmRSA2048, true
	case 3072:
		return AlgorithmRSA3072, true
	}
	return 0, false
}

// pair returns the private key of a group, nil if it is of no kind that the package has.
func (g *wycheproofGroup) pair(t *testing.T) *PrivateKey {
	t.Helper()
	a, ok := rsaOf(g.KeySize)
	if !ok || g.private != nil {
		return g.private
	}
	key, err := ParsePrivateKey(a, g.PrivateKeyPKCS8)
	if err != nil {
		if !errors.Is(err, ErrPrivateKey) {
			t.Fatalf("a private key is refused with %v", err)
		}
		return nil
	}
	g.private = key
	return key
}

// oaepSchemes are those of the package by hash and mask.
var oaepSchemes = map[[2]string]EncryptionScheme{{"SHA-256", "SHA-256"}: RSAESOAEPSHA256, {"SHA-1", "SHA-1"}: RSAESOAEPSHA1}

func checkOAEP(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	key := g.pair(t)
	if key == nil {
		return outside // 1024, 2688, 3104, 4032, 4096, 8192 bits
	}
	s, ok := oaepSchemes[[2]string{g.Hash, g.MaskHash}]
	if !ok || len(v.Label) != 0 {
		// Another pair of hashes, or a label: nothing that the package has may take it for its own.
		for _, s := range key.Algorithm().EncryptionSchemes() {
			if got, err := key.Decrypt(s, v.CT); got != nil || !errors.Is(err, ErrDecrypt) && !notApproved(err) {
				t.Errorf("vector %d: %s, %s and a label of %d bytes, decrypts with %s: %v", v.ID, g.Hash, g.MaskHash, len(v.Label), s, err)
			}
		}
		return outside
	}
	got, err := key.Decrypt(s, v.CT)
	switch {
	case notApproved(err):
		return outside
	case err == nil && !got.Equal(v.Msg):
		t.Errorf("vector %d decrypts to something else", v.ID)
	case err == nil:
		return accepted
	case err != ErrDecrypt || got != nil:
		t.Errorf("vector %d is refused with %v", v.ID, err)
	}
	return refused
}

func checkPKCS1Import(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	key := g.pair(t)
	if key == nil {
		return outside
	}
	size := len(v.Msg)
	if v.Result != "valid" {
		size = KeyBytes
	}
	if size < minImportBytes {
		if _, err := key.DecryptImport(RSAESPKCS1v15, v.CT, size); err == nil {
			t.Errorf("vector %d: material of %d bytes was taken", v.ID, size)
		}
		return outside
	}
	switch got, err := key.DecryptImport(RSAESPKCS1v15, v.CT, size); {
	case notApproved(err):
		return outside
	case err == nil && got.Equal(v.Msg):
		return accepted
	case err != ErrDecrypt || got != nil:
		t.Errorf("vector %d: %d bytes, %v", v.ID, len(got), err)
	}
	return refused
}

// checkPKCS1Sign compares signatures, which this scheme determines.
func checkPKCS1Sign(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	key := g.pair(t)
	if key == nil || g.Hash != "SHA-256" {
		return outside // small exponents, other hashes
	}
	digest := sha256.Sum256(v.Msg)
	got, err := key.Sign(RSAPKCS1SHA256, digest[:])
	if err != nil {
		t.Fatalf("vector %d: %v", v.ID, err)
	}
	if !bytes.Equal(got, v.Sig) {
		return refused
	}
	return accepted
}

// signer returns the public key of a group, nil if it is of no kind that the package has.
func (g *wycheproofGroup) signer(t *testing.T) *PublicKey {
	t.Helper()
	if g.public != nil {
		return g.public
	}
	if a, ok := rsaOf(g.KeySize); ok {
		key, err := ParsePublicKey(a, g.PublicKeyDER)
		if err != nil && (!errors.Is(err, ErrPublicKey) || !strings.Contains(err.Error(), "exponent")) {
			t.Fatalf("a public key of %d bits is refused with %v", g.KeySize, err)
		}
		g.public = key
		return key
	}
	for _, a := range []Algorithm{AlgorithmECP256, AlgorithmECP256K} {
		key, err := ParsePublicKey(a, g.PublicKeyDER)
		if err == nil || notApproved(err) {
			g.public = key
			return key
		}
	}
	t.Fatal("a public key is refused")
	return nil
}

func checkVerify(s SignatureScheme) func(*testing.T, *wycheproofGroup, *wycheproofVector) verdict {
	return func(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
		if g.Hash != "SHA-256" {
			return outside // a digest of another length
		}
		key := g.signer(t)
		if key == nil {
			return outside // an exponent of 3, or a curve that is not approved
		}
		digest := sha256.Sum256(v.Msg)
		ok, err := key.Verify(s, digest[:], v.Sig)
		if err != nil {
			t.Fatalf("vector %d: %v", v.ID, err)
		}
		if g.MaskHash != "" && g.MaskHash != g.Hash {
			if ok {
				t.Errorf("vector %d, whose mask is of %s, verifies", v.ID, g.MaskHash)
			}
			return outside
		}
		if !ok {
			return refused
		}
		return accepted
	}
}

// checkAESGCM runs the AES-GCM that XAES stands on, in the form in which XAES uses it. XAES itself draws nonces and
// derives keys, so that vectors with chosen ones cannot reach it.
func checkAESGCM(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	if g.IVSize != 8*(NonceBytes-halfNonce) || g.TagSize != 8*TagBytes {
		return outside // nonces of other lengths
	}
	block, err := aes.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gcm.Open(nil, nil, slices.Concat(v.IV, v.CT, v.Tag), v.AAD)
	if err != nil {
		return refused
	}
	if !bytes.Equal(got, v.Msg) {
		t.Errorf("vector %d opens to something else", v.ID)
	}
	return accepted
}

// checkSM4GCM runs the SM4-GCM that XSM4 stands on.
func checkSM4GCM(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	if notApproved(AlgorithmXSM4GCM.Available()) {
		return outside
	}
	block, err := sm4.NewCipher(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, g.IVSize/8)
	if g.IVSize == 0 {
		if err == nil {
			t.Errorf("vector %d: a nonce without bytes was taken", v.ID)
		}
		return refused
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := gcm.Open(nil, v.IV, slices.Concat(v.CT, v.Tag), v.AAD)
	if err != nil {
		return refused
	}
	if !bytes.Equal(got, v.Msg) || !bytes.Equal(gcm.Seal(nil, v.IV, v.Msg, v.AAD), slices.Concat(v.CT, v.Tag)) {
		t.Errorf("vector %d opens or seals to something else", v.ID)
	}
	return accepted
}

// minApprovedKey is the shortest key of HMAC and HKDF in FIPS 140-only mode, in bytes.
const minApprovedKey = 112 / 8

// checkHMAC runs HMAC-SHA-256, which fingerprints use, and HMAC-SHA-1, which is here for those who sign requests.
func checkHMAC(h func() hash.Hash) func(*testing.T, *wycheproofGroup, *wycheproofVector) verdict {
	return func(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
		if fips140.Enforced() && (len(v.Key) < minApprovedKey || h().Size() == sha1.Size) {
			return outside
		}
		mac := hmac.New(h, v.Key)
		mac.Write(v.Msg)
		if !hmac.Equal(mac.Sum(nil)[:g.TagSize/8], v.Tag) {
			return refused
		}
		return accepted
	}
}

func checkHKDF(t *testing.T, g *wycheproofGroup, v *wycheproofVector) verdict {
	if fips140.Enforced() && len(v.IKM) < minApprovedKey {
		return outside
	}
	got, err := hkdf.Key(sha256.New, v.IKM, v.Salt, string(v.Info), v.Size)
	if err != nil || !bytes.Equal(got, v.OKM) {
		return refused
	}
	return accepted
}
