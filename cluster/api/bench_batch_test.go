package api

import (
	"testing"

	"meridian/cluster/api/batch"
)

// benchmarkRows times a batch action of 500 data keys of 32 bytes, client and HTTP included, and reports what a row takes.
func benchmarkRows(b *testing.B, prepare func(h *batches, rows []sealed) (action string, body []byte, changes []string)) {
	h := newBatches(b)
	h.server.nonces.perKey, h.server.nonces.total = DefaultNoncesPerKey, DefaultNonces
	row := sealed{h.encrypt(b, h.newKey(b), "0123456789abcdef0123456789abcdef", "EncryptionContext", `{"app":"pay"}`), `{"app":"pay"}`}
	rows := make([]sealed, batch.MaxRows)
	for i := range rows {
		rows[i] = row
	}
	action, body, changes := prepare(h, rows)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.rows(b, action, body, changes...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch.MaxRows), "ns/row")
}

func BenchmarkExportDataKeys(b *testing.B) {
	benchmarkRows(b, func(h *batches, rows []sealed) (string, []byte, []string) {
		return "ExportDataKeys", h.exportBody(b, rows...), nil
	})
}

func BenchmarkImportDataKeys(b *testing.B) {
	benchmarkRows(b, func(h *batches, rows []sealed) (string, []byte, []string) {
		message, _ := h.export(b, h.exportBody(b, rows...))
		to := sealedFor{h.newKey(b), `{"app":"pay"}`}
		targets := make([]sealedFor, len(rows))
		for i := range targets {
			targets[i] = to
		}
		return "ImportDataKeys", importBody(b, message, targets...), nil
	})
}

func BenchmarkTagDataKeys(b *testing.B) {
	benchmarkRows(b, func(h *batches, rows []sealed) (string, []byte, []string) {
		message, _ := h.export(b, h.exportBody(b, rows...), paramCarries, carriesTags)
		return "TagDataKeys", append(batch.AppendMessage(nil, message), sealedBody(b, rows...)...), nil
	})
}
