package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Every value is in a step that holds it, and steps follow each other without gaps.
func TestBucketsHoldTheirValues(t *testing.T) {
	for i := range len(Histogram{}.counts) {
		if got := bucket(upper(i)); got != i {
			t.Fatalf("the last value of step %d (%d) is in step %d", i, upper(i), got)
		}
		if i > 0 {
			if got := bucket(upper(i-1) + 1); got != i {
				t.Fatalf("the value behind step %d is in step %d", i-1, got)
			}
		}
	}
	if got := bucket(math.MaxUint64); got != len(Histogram{}.counts)-1 {
		t.Errorf("the largest value is in step %d", got)
	}
}

// A quantile is the value of its rank, rounded up by less than 1/128.
func TestQuantilesOfRandomDurations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h, half Histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2 + 13)) // about 0.4 ms, with a long tail
		all = append(all, d)
		if len(all)%2 == 0 {
			h.Record(d)
		} else {
			half.Record(d)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*(1+1.0/128) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != uint64(len(all)) {
		t.Errorf("max %v of %d, want %v of %d", h.Max(), h.Count(), all[len(all)-1], len(all))
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Mean() != 0 {
		t.Error("an empty histogram has a value")
	}
	h.Record(-1)
	if h.Quantile(1) != 0 || h.Count() != 1 {
		t.Error("a negative duration does not count as zero")
	}
}
