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
