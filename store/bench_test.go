package store

import (
	"testing"
)

// What every call of the hot path does: take the view, look a key and its
// version up, give the view back.
func BenchmarkViewKey(b *testing.B) {
	r := newRegion(b)
	for n := range 100 {
		r.ok(createKey(n))
	}
	key, ver := id(7), version(7)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v, err := r.store.View()
			if err != nil {
				b.Fatal(err)
			}
			k, err := v.Key(key)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := v.Version(key, ver); err != nil || k.State != Enabled {
				b.Fatal(err, k.State)
			}
			v.Close()
		}
	})
}

// A view of one's own, as readers get while a write is under way.
func BenchmarkPrivateView(b *testing.B) {
	r := newRegion(b)
	r.ok(createKey(1))
	b.ReportAllocs()
	for b.Loop() {
		v, err := r.store.privateView()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Key(id(1)); err != nil {
			b.Fatal(err)
		}
		v.Close()
	}
}

func benchmarkApply(b *testing.B, batch int) {
	r := newRegion(b)
	r.sync(true)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r.stamp++ // a millisecond
		entries := make([]Entry, batch)
		for i := range entries {
			n++
			entries[i] = r.entry(r.command(createKey(n)))
		}
		if _, err := r.store.Apply(entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/command")
}

func BenchmarkApply1(b *testing.B)  { benchmarkApply(b, 1) }
func BenchmarkApply64(b *testing.B) { benchmarkApply(b, 64) }

// A read in which the memo has nothing.
func BenchmarkReadKey(b *testing.B) {
	r := newRegion(b)
	for n := range 1000 {
		r.ok(createKey(n))
	}
	v := r.view()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if _, err := v.readKey(id(n % 1000)); err != nil {
			b.Fatal(err)
		}
	}
}
