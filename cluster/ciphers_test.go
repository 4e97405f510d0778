package cluster

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// cipherFixture is a store with one key of one version.
func cipherFixture(t testing.TB) (c *ciphers, ring *crypto.Keyring, v *store.View, key crypto.KeyID, version crypto.VersionID) {
	t.Helper()
	return cipherFixtureOf(t, crypto.AlgorithmXAES256GCM)
}

// specOf are the specs of the API.
var specOf = map[crypto.Algorithm]string{
	crypto.AlgorithmXAES256GCM: "Aliyun_AES_256", crypto.AlgorithmXSM4GCM: "Aliyun_SM4", crypto.AlgorithmRSA2048: "RSA_2048",
	crypto.AlgorithmRSA3072: "RSA_3072", crypto.AlgorithmECP256: "EC_P256", crypto.AlgorithmECP256K: "EC_P256K", crypto.AlgorithmSM2: "EC_SM2",
}

func cipherFixtureOf(t testing.TB, algorithm crypto.Algorithm) (c *ciphers, ring *crypto.Keyring, v *store.View, key crypto.KeyID, version crypto.VersionID) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ring, err := crypto.GenerateKeyring()
	must(err)
	t.Cleanup(ring.Close)
	key, version = crypto.NewKeyID(), crypto.NewVersionID()
	material := crypto.NewMaterial(algorithm)
	if !algorithm.Symmetric() {
		pair, err := crypto.GenerateKey(algorithm)
		must(err)
		material, err = pair.Marshal()
		must(err)
	}
	wrapped, err := ring.Wrap(crypto.MaterialOf("r1", key, version, algorithm), material)
	must(err)
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "state.db"), InitialMmapSize: 1 << 20})
	must(err)
	t.Cleanup(func() { _ = s.Close() })
	id := func(b byte) []byte { x := make([]byte, 16); x[0] = b; return x }
	var entries []store.Entry
	for i, c := range []*storepb.Command{
		{Body: &storepb.Command_InitRegion{InitRegion: &storepb.InitRegion{ClusterId: id(1), DataEpoch: id(2), Region: "r1", Account: "1",
			Keyrings: []*storepb.WrappedKeyring{{Provider: "file", KeyId: "k", Ciphertext: []byte("c")}}, Canary: []byte("c"), FeatureLevel: store.FeatureLevel}}},
		{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{KeyId: key[:], VersionId: version[:], Spec: specOf[algorithm],
			Algorithm: uint32(algorithm), Wrapped: wrapped, Creator: "1"}}},
	} {
		c.Version, c.Id, c.StampUnixMs, c.Origin = store.CommandVersion, id(byte(10+i)), time.Now().UnixMilli(), &storepb.Origin{Node: "a"}
		data, err := proto.Marshal(c)
		must(err)
		entries = append(entries, store.Entry{Index: uint64(i + 1), Term: 1, Data: data})
	}
	results, err := s.Apply(entries)
	must(err)
	for _, r := range results {
		if r.Code != storepb.Code_OK {
			t.Fatalf("fixture: %v", r)
		}
	}
	v, err = s.View()
	must(err)
	t.Cleanup(v.Close)
	c, err = newCiphers("r1", 100)
	must(err)
	t.Cleanup(c.close)
	return c, ring, v, key, version
}

func TestCipherIsKeptUntilItsKeyIsDropped(t *testing.T) {
	c, ring, v, key, version := cipherFixture(t)
	first, err := c.cipher(ring, v, key, version)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.cipher(ring, v, key, version); err != nil || again != first {
		t.Errorf("not kept: %v", err)
	}
	c.drop(v.Index(), crypto.NewKeyID())
	if again, _ := c.cipher(ring, v, key, version); again != first {
		t.Error("another key's drop took it away")
	}
	c.drop(v.Index(), key)
	if again, err := c.cipher(ring, v, key, version); err != nil || again == first {
		t.Errorf("still there after the drop: %v", err)
	}
	if _, err := c.cipher(ring, v, key, crypto.NewVersionID()); !errors.Is(err, store.ErrVersionNotFound) {
		t.Errorf("unknown version: %v", err)
	}
}

// Material that was read before a drop must not come in after it.
func TestDropWinsOverALateReader(t *testing.T) {
	c, ring, v, key, version := cipherFixture(t)
	drops := c.drops.Load()
	x, err := c.cipher(ring, v, key, version)
	if err != nil {
		t.Fatal(err)
	}
	c.drop(v.Index(), key)
	c.keep(drops, key, readyVersion{id: version, cipher: x})
	if _, ok := c.cache.GetIfPresent(key); ok {
		t.Error("dropped material came back")
	}
}

// A reader whose view is from before a key went out of use gets its cipher, but
// leaves no material behind, however late it comes.
func TestDropWinsOverAnOlderView(t *testing.T) {
	c, ring, v, key, version := cipherFixture(t)
	c.drop(v.Index()+1, key)
	if _, err := c.cipher(ring, v, key, version); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.cache.GetIfPresent(key); ok {
		t.Error("material came back from a view from before the drop")
	}
}

func TestCipherUnderAnotherKeyring(t *testing.T) {
	c, _, v, key, version := cipherFixture(t)
	other, err := crypto.GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.cipher(other, v, key, version); !errors.Is(err, errMaterial) || errors.Is(err, store.ErrDamaged) {
		t.Errorf("another keyring: %v, want errMaterial, which does not end the process", err)
	}
	other.Close()
	if _, err := c.cipher(other, v, key, version); !errors.Is(err, ErrSealed) {
		t.Errorf("closed keyring: %v, want ErrSealed", err)
	}
}

func TestVersionOfAnUnknownAlgorithm(t *testing.T) {
	c, ring, _, key, version := cipherFixture(t)
	_, err := c.open(ring, &store.Version{KeyID: key, ID: version, Algorithm: 99, Wrapped: []byte("wrapped")})
	if !errors.Is(err, errAlgorithm) || errors.Is(err, store.ErrDamaged) {
		t.Fatalf("error %v, want errAlgorithm, which does not end the process", err)
	}
	for _, part := range []string{key.String(), version.String(), "algorithm 99"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// Ciphers and key pairs are kept alike, and neither is given for the other.
func TestVersionsOfEveryAlgorithm(t *testing.T) {
	for _, a := range []crypto.Algorithm{
		crypto.AlgorithmXAES256GCM, crypto.AlgorithmXSM4GCM, crypto.AlgorithmRSA2048, crypto.AlgorithmRSA3072,
		crypto.AlgorithmECP256, crypto.AlgorithmECP256K, crypto.AlgorithmSM2,
	} {
		t.Run(a.String(), func(t *testing.T) {
			c, ring, v, key, version := cipherFixtureOf(t, a)
			x, noCipher := c.cipher(ring, v, key, version)
			private, noPair := c.privateKey(ring, v, key, version)
			if a.Symmetric() {
				if noCipher != nil || x.Algorithm() != a || !errors.Is(noPair, errAlgorithm) {
					t.Fatalf("%v; %v", noCipher, noPair)
				}
				if again, err := c.cipher(ring, v, key, version); err != nil || again != x {
					t.Errorf("not kept: %v", err)
				}
			} else {
				if noPair != nil || private.Algorithm() != a || !errors.Is(noCipher, errAlgorithm) {
					t.Fatalf("%v; %v", noCipher, noPair)
				}
				if again, err := c.privateKey(ring, v, key, version); err != nil || again != private {
					t.Errorf("not kept: %v", err)
				}
			}
			c.drop(v.Index()+1, key)
			if _, err := c.get(ring, v, key, version); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.cache.GetIfPresent(key); ok {
				t.Error("material came back from a view from before the drop")
			}
		})
	}
}

// Material of another key, or altered, opens nothing.
func TestVersionThatDoesNotOpen(t *testing.T) {
	for _, a := range []crypto.Algorithm{crypto.AlgorithmXSM4GCM, crypto.AlgorithmECP256} {
		c, ring, v, key, version := cipherFixtureOf(t, a)
		record, err := v.Version(key, version)
		if err != nil {
			t.Fatal(err)
		}
		other := *record
		other.ID = crypto.NewVersionID()
		if _, err := c.open(ring, &other); !errors.Is(err, errMaterial) {
			t.Errorf("%v of another version: %v, want errMaterial", a, err)
		}
		// It opens, and is none of the algorithm that its record says.
		wrapped, err := ring.Wrap(crypto.MaterialOf("r1", key, version, a), []byte("no material"))
		if err != nil {
			t.Fatal(err)
		}
		other = *record
		other.Wrapped = wrapped
		if _, err := c.open(ring, &other); !errors.Is(err, errMaterial) {
			t.Errorf("%v of no material: %v, want errMaterial", a, err)
		}
	}
}

// The hot path of every crypto call: a cipher that is ready.
func BenchmarkCipher(b *testing.B) {
	c, ring, v, key, version := cipherFixture(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.cipher(ring, v, key, version); err != nil {
			b.Fatal(err)
		}
	}
}
