package api

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"meridian/cluster/api/ceiling"
	"meridian/crypto"
)

// discardWriter is a ResponseWriter that keeps the status and nothing else.
type discardWriter struct {
	header http.Header
	status int
	bytes  int
}

func (w *discardWriter) Header() http.Header { return w.header }

func (w *discardWriter) WriteHeader(status int) { w.status = status }

func (w *discardWriter) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return len(b), nil
}

func (w *discardWriter) reset() {
	clear(w.header)
	w.status, w.bytes = http.StatusOK, 0
}

// benchmarkHandler times a handler on signed GET requests, each with a nonce of its own, which are made while the clock
// stands still. net/http's own work is not in it.
func benchmarkHandler(b *testing.B, handler http.Handler, next func() *http.Request) {
	b.Helper()
	const batch = 1024
	requests := make([]*http.Request, 0, batch)
	w := &discardWriter{header: make(http.Header)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%batch == 0 {
			b.StopTimer()
			requests = requests[:0]
			for range batch {
				requests = append(requests, next())
			}
			b.StartTimer()
		}
		w.reset()
		handler.ServeHTTP(w, requests[i%batch])
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}

// benchmarkAction times an action on a real store, V1 and V3.
func benchmarkAction(b *testing.B, action string, make func(h *harness, key string) params) {
	for _, w := range []wire{{method: http.MethodGet}, {method: http.MethodPost, v3: true}} {
		b.Run(strings.ReplaceAll(w.String(), " ", "_"), func(b *testing.B) {
			h := newHarness(b, Limits{})
			h.server.nonces.perKey, h.server.nonces.total = DefaultNoncesPerKey, DefaultNonces
			p := make(h, h.newKey(b))
			benchmarkHandler(b, h.server, func() *http.Request { return h.request(w, action, p) })
		})
	}
}

func benchmarkEncrypt(b *testing.B, size int) {
	benchmarkAction(b, "Encrypt", func(_ *harness, key string) params {
		return params{"KeyId": key, "Plaintext": benchmarkPlaintext(size)}
	})
}

// benchmarkPlaintext is Base64 of bytes of every value, so that + and / are as frequent as they are in random data.
func benchmarkPlaintext(size int) string {
	plaintext := make([]byte, size)
	for i := range plaintext {
		plaintext[i] = byte(i*167 + 13)
	}
	return base64.StdEncoding.EncodeToString(plaintext)
}

func BenchmarkEncrypt32(b *testing.B)   { benchmarkEncrypt(b, 32) }
func BenchmarkEncrypt4096(b *testing.B) { benchmarkEncrypt(b, 4096) }

func BenchmarkDecrypt32(b *testing.B) {
	benchmarkAction(b, "Decrypt", func(h *harness, key string) params {
		return params{"CiphertextBlob": h.encrypt(b, key, strings.Repeat("x", 32))}
	})
}

func BenchmarkDecrypt4096(b *testing.B) {
	benchmarkAction(b, "Decrypt", func(h *harness, key string) params {
		return params{"CiphertextBlob": h.encrypt(b, key, strings.Repeat("x", 4096))}
	})
}

func BenchmarkGenerateDataKey(b *testing.B) {
	benchmarkAction(b, "GenerateDataKey", func(_ *harness, key string) params { return params{"KeyId": key} })
}

// A signature of the quickest spec, EC_P256; a decryption of the most used, RSA_2048.

func BenchmarkAsymmetricSign(b *testing.B) {
	benchmarkAction(b, "AsymmetricSign", func(h *harness, _ string) params {
		return with(h.pair(b, "EC_P256", usageSign, "ECDSA_SHA_256"), "Digest", zeros(digestBytes))
	})
}

func BenchmarkAsymmetricDecrypt(b *testing.B) {
	benchmarkAction(b, "AsymmetricDecrypt", func(h *harness, _ string) params {
		p := h.pair(b, "RSA_2048", usageEncrypt, "RSAES_OAEP_SHA_256")
		sealed := h.ok(b, "AsymmetricEncrypt", with(p, "Plaintext", b64(strings.Repeat("x", 32))))
		return with(p, "CiphertextBlob", sealed.text("CiphertextBlob"))
	})
}

// BenchmarkCeiling times the bar that the others are measured against, on the same requests.
func BenchmarkCeiling(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"32", 32}, {"4096", 4096}} {
		b.Run(size.name, func(b *testing.B) {
			h := newHarness(b, Limits{})
			handler, err := ceiling.New(testAccessKey, crypto.Secret(testSecret))
			if err != nil {
				b.Fatal(err)
			}
			p := params{"KeyId": h.newKey(b), "Plaintext": benchmarkPlaintext(size.bytes)}
			benchmarkHandler(b, handler, func() *http.Request { return h.request(wire{method: http.MethodGet}, "Encrypt", p) })
		})
	}
}
