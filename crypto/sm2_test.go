package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// sm2Standard is the key pair of the examples of GB/T 32918.5, appendices A to C.
func sm2Standard(t *testing.T) *PrivateKey {
	t.Helper()
	skipUnlessAvailable(t, AlgorithmSM2)
	k, err := ParsePrivateKey(AlgorithmSM2, mustHex(t, "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"))
	if err != nil {
		t.Fatal(err)
	}
	const point = "04" + "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" + "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
	if der := hex.EncodeToString(k.Public().DER()); !strings.HasSuffix(der, point) {
		t.Errorf("the public key is %s, published %s", der, point)
	}
	return k
}

// TestSM3Standard runs the examples of GB/T 32905, appendix A.
func TestSM3Standard(t *testing.T) {
	for text, want := range map[string]string{
		"abc":                      "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
		strings.Repeat("abcd", 16): "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
	} {
		sum := sm3.Sum([]byte(text))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("SM3 of %q is %s", text, got)
		}
	}
}

// TestSM2SignatureStandard runs the example of GB/T 32918.5, appendix A.2: the digest that a caller makes, and the
// signature.
func TestSM2SignatureStandard(t *testing.T) {
	k := sm2Standard(t)
	za, err := sm2.CalculateZA(k.public.half.(*sm2Public).key, []byte("1234567812345678"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(za); got != "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3" {
		t.Errorf("Z(A) is %s", got)
	}
	digest := sm3.Sum(append(za, "message digest"...))
	if got := hex.EncodeToString(digest[:]); got != "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640" {
		t.Errorf("the digest is %s", got)
	}
	signature := mustHex(t, "3046"+
		"022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"+
		"022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")
	if !verifies(t, k.Public(), SM2DSA, digest[:], signature) {
		t.Error("the published signature does not verify")
	}
	// With the published nonce the library makes the published signature: it draws the nonce and nothing else.
	nonce := mustHex(t, "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21")
	for range 20 { // it may first draw a byte, at random, so that nobody relies on this
		got, err := sm2.SignASN1(bytes.NewReader(nonce), k.half.(*sm2Private).key, digest[:], nil)
		if err == nil && bytes.Equal(got, signature) {
			return
		}
	}
	t.Error("the published nonce never makes the published signature")
}

// TestSM2EncryptionStandard runs the example of GB/T 32918.5, appendix C.2.
func TestSM2EncryptionStandard(t *testing.T) {
	k := sm2Standard(t)
	ciphertext := mustHex(t, "04"+
		"04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"+
		"e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"+
		"59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"+
		"21886ca989ca9c7d58087307ca93092d651efa")
	got, err := k.Decrypt(SM2PKE, ciphertext)
	if err != nil || string(got) != "encryption standard" {
		t.Errorf("decrypts to %q, %v", []byte(got), err)
	}
	nonce, err := sm2.NewPrivateKey(mustHex(t, "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.public.half.(*sm2Public).encryptWith(nonce, []byte("encryption standard"))
	if err != nil || !bytes.Equal(again, ciphertext) {
		t.Errorf("with the published nonce: %x, %v", again, err)
	}
}

// The library and the package read each other where the library is right: on plaintexts of some length.
func TestSM2EncryptionWithTheLibrary(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	half, public := k.half.(*sm2Private).key, k.public.half.(*sm2Public).key
	for _, size := range []int{16, 32, 33, 100, maxSM2Plaintext} {
		text := counting(byte(size), size)
		if got, err := sm2.Decrypt(half, mustEncrypt(t, k.Public(), SM2PKE, text)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes: the library decrypts to %d, %v", size, len(got), err)
		}
		ciphertext, err := sm2.Encrypt(rand.Reader, public, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decrypt(SM2PKE, ciphertext); err != nil || !got.Equal(text) {
			t.Errorf("%d bytes: what the library encrypted decrypts to %d, %v", size, len(got), err)
		}
	}
}

// Plaintexts of one byte are where a mask of zeros and a ciphertext of zeros come up: one in 256.
func TestSM2SmallestPlaintexts(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	zeros := 0
	for i := 0; i < 1000 || zeros == 0; i++ {
		plaintext := []byte{byte(i)}
		ciphertext := mustEncrypt(t, k.Public(), SM2PKE, plaintext)
		if ciphertext[sm2Overhead] == 0 {
			zeros++
		}
		if ciphertext[sm2Overhead] == plaintext[0] {
			t.Fatalf("byte %d lies open: its mask is 0", i)
		}
		if got, err := k.Decrypt(SM2PKE, ciphertext); err != nil || !got.Equal(plaintext) {
			t.Fatalf("byte %d, C2 %x: %v", i, ciphertext[sm2Overhead:], err)
		}
	}
}

// A mask of zeros is refused (GB/T 32918.4, step B4), although its C3 is right: no honest sender makes one.
func TestSM2MaskOfZerosIsRefused(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	for {
		sender, err := GenerateKey(AlgorithmSM2)
		if err != nil {
			t.Fatal(err)
		}
		half, public := sender.half.(*sm2Private), k.public.half.(*sm2Public)
		shared := sm2Shared(public.key, half.scalar)
		if sm3.Kdf(shared, 1)[0] != 0 {
			continue
		}
		if ciphertext, err := public.encryptWith(half.key, []byte("m")); ciphertext != nil || err != nil {
			t.Errorf("encrypted to %x, %v", ciphertext, err)
		}
		der := sender.Public().DER()
		c3 := sm3.Sum(slices.Concat(shared[:32], []byte("m"), shared[32:]))
		ciphertext := append(append(der[len(der)-pointBytes:], c3[:]...), 'm')
		if got, err := k.Decrypt(SM2PKE, ciphertext); got != nil || !errors.Is(err, ErrDecrypt) {
			t.Errorf("decrypts to %q, %v", []byte(got), err)
		}
		return
	}
}

// The API has one form of a ciphertext. The others, which the library also reads, are refused.
func TestSM2CiphertextsOfOtherForms(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	public := k.public.half.(*sm2Public).key
	text := []byte("a text that is long enough")
	encrypt := func(opts *sm2.EncrypterOpts) []byte {
		ciphertext, err := sm2.Encrypt(rand.Reader, public, text, opts)
		if err != nil {
			t.Fatal(err)
		}
		return ciphertext
	}
	for name, ciphertext := range map[string][]byte{
		"ASN.1":           encrypt(sm2.ASN1EncrypterOpts),
		"compressed":      encrypt(sm2.NewPlainEncrypterOpts(sm2.MarshalCompressed, sm2.C1C3C2)),
		"C1 || C2 || C3":  encrypt(sm2.NewPlainEncrypterOpts(sm2.MarshalUncompressed, sm2.C1C2C3)),
		"no plaintext":    encrypt(nil)[:sm2Overhead],
		"above the limit": make([]byte, 6145),
	} {
		refusedCiphertext(t, k, SM2PKE, name, ciphertext)
	}
	ours := encrypt(sm2.NewPlainEncrypterOpts(sm2.MarshalUncompressed, sm2.C1C3C2))
	if got, err := k.Decrypt(SM2PKE, ours); err != nil || !got.Equal(text) {
		t.Errorf("the form of the API: %v", err)
	}
	offCurve := bytes.Clone(ours)
	offCurve[pointBytes-1] ^= 1
	refusedCiphertext(t, k, SM2PKE, "a point off the curve", offCurve)
	refusedCiphertext(t, k, SM2PKE, "a point of zeros", append(append([]byte{4}, make([]byte, 64)...), ours[pointBytes:]...))
	// One byte above what the API takes is refused however well it is made.
	long, err := sm2.Encrypt(rand.Reader, public, make([]byte, maxSM2Plaintext+1), nil)
	if err != nil {
		t.Fatal(err)
	}
	refusedCiphertext(t, k, SM2PKE, "6048 bytes", long)
}
