package crypto

import (
	"fmt"
	"testing"
)

var benchHeader = Header{Algorithm: AlgorithmXAES256GCM, Region: "eu-central-1", KeyID: KeyID{1}, VersionID: VersionID{2}}

const benchContext = `{"tenant":"acme","purpose":"invoice"}`

func benchmarkSeal(b *testing.B, size int, context string) {
	x := mustXAES(b, counting(0, KeyBytes))
	plaintext := make([]byte, size)
	dst := make([]byte, 0, MaxBlobBytes)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		c, err := ParseContext([]byte(context))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := SealBlob(dst, x, benchHeader, c, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkOpen(b *testing.B, size int, context string) {
	x := mustXAES(b, counting(0, KeyBytes))
	c, err := ParseContext([]byte(context))
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := SealBlob(nil, x, benchHeader, c, make([]byte, size))
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, MaxBlobBytes)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		c, err := ParseContext([]byte(context))
		if err != nil {
			b.Fatal(err)
		}
		blob, err := ParseBlob(sealed)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := blob.Open(dst, x, c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal32(b *testing.B)          { benchmarkSeal(b, 32, "") }
func BenchmarkSeal4096(b *testing.B)        { benchmarkSeal(b, 4096, "") }
func BenchmarkSeal32Context(b *testing.B)   { benchmarkSeal(b, 32, benchContext) }
func BenchmarkSeal4096Context(b *testing.B) { benchmarkSeal(b, 4096, benchContext) }
func BenchmarkOpen32(b *testing.B)          { benchmarkOpen(b, 32, "") }
func BenchmarkOpen4096(b *testing.B)        { benchmarkOpen(b, 4096, "") }
func BenchmarkOpen32Context(b *testing.B)   { benchmarkOpen(b, 32, benchContext) }

func BenchmarkParseContext(b *testing.B) {
	long := "{"
	for i := range 100 {
		long += fmt.Sprintf(`"name %d":"a value with an escape \u0026 so that it has to be decoded",`, i*7919%100)
	}
	long = long[:len(long)-1] + "}"
	for _, text := range []string{"{}", benchContext, long} {
		b.Run(fmt.Sprintf("%dB", len(text)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseContext([]byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSM4 is the same under XSM4-GCM.
func BenchmarkSM4(b *testing.B) {
	x, _ := testXSM4(b)
	h := benchHeader
	h.Algorithm = AlgorithmXSM4GCM
	for _, size := range []int{32, 4096} {
		dst, plaintext := make([]byte, 0, MaxBlobBytes), make([]byte, size)
		b.Run(fmt.Sprintf("Seal%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SealBlob(dst, x, h, Context{}, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPair is what the operations of key pairs cost, and what a cache miss costs after the unwrapping.
func BenchmarkPair(b *testing.B) {
	digest := make([]byte, DigestBytes)
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, a := range pairAlgorithms {
		if a.Available() != nil {
			continue
		}
		k := testPair(b, a)
		for _, s := range a.SignatureSchemes() {
			signature := mustSign(b, k, s, digest)
			run(fmt.Sprintf("%v/%s/Sign", a, s), func() error { _, err := k.Sign(s, digest); return err })
			run(fmt.Sprintf("%v/%s/Verify", a, s), func() error { _, err := k.Public().Verify(s, digest, signature); return err })
		}
		for _, s := range a.EncryptionSchemes() {
			if s.Available() != nil {
				continue
			}
			ciphertext := mustEncrypt(b, k.Public(), s, digest)
			run(fmt.Sprintf("%v/%s/Encrypt", a, s), func() error { _, err := k.Public().Encrypt(s, digest); return err })
			run(fmt.Sprintf("%v/%s/Decrypt", a, s), func() error { _, err := k.Decrypt(s, ciphertext); return err })
		}
		material := mustMarshal(b, k)
		run(fmt.Sprintf("%v/Parse", a), func() error { _, err := ParsePrivateKey(a, material); return err })
	}
}

// BenchmarkNewXAES is what a cache miss costs after the unwrapping.
func BenchmarkNewXAES(b *testing.B) {
	key := counting(0, KeyBytes)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewXAES(key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	k, err := GenerateKeyring()
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	binding := Binding{Region: "eu-central-1", KeyID: KeyID{1}, VersionID: VersionID{2}, Purpose: PurposeMaterial}
	wrapped, err := k.Wrap(binding, counting(0, KeyBytes))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Unwrap(binding, wrapped); err != nil {
			b.Fatal(err)
		}
	}
}
