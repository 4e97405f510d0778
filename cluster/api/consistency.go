package api

import (
	"net/http"
	"strconv"

	"meridian/cluster"
)

// Headers of a request that ask for more than every answer gives: one that is never from before an acknowledged write.
// They are not parameters of the API, so that its clients can send them without knowing about them, and they can only
// make an answer fresher.
const (
	// HeaderConsistency takes ConsistencyLinearizable: the leader is asked how far the region is.
	HeaderConsistency = "X-Meridian-Consistency"
	// HeaderMinIndex takes an index, as X-Meridian-Index of an earlier answer told it: the answer is not from before.
	HeaderMinIndex = "X-Meridian-Min-Index"

	ConsistencyLinearizable = "linearizable"
)

// readOptions reads both headers. They count for what a request reads; a write is decided by the region in any case.
func readOptions(h http.Header) (o cluster.ReadOptions, _ *Error) {
	if values := h[HeaderConsistency]; len(values) > 0 {
		if len(values) > 1 || values[0] != ConsistencyLinearizable {
			return o, errInvalid(HeaderConsistency, "the only value is "+ConsistencyLinearizable)
		}
		o.Linearizable = true
	}
	if values := h[HeaderMinIndex]; len(values) > 0 {
		index, err := strconv.ParseUint(values[0], 10, 64)
		if len(values) > 1 || err != nil {
			return o, errInvalid(HeaderMinIndex, "one whole number is expected, from X-Meridian-Index of an earlier answer")
		}
		o.MinIndex = index
	}
	return o, nil
}
