package api

import (
	"math"
	"strconv"
	"time"
)

// decimal formats a number for a message.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// parseDecimal reads decimal digits and nothing else, up to limit.
func parseDecimal(text string, limit int64) (int64, bool) {
	if text == "" {
		return 0, false
	}
	n := int64(0)
	for i := range len(text) {
		digit := int64(text[i]) - '0'
		if digit < 0 || digit > 9 || n > (limit-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// integerFault checks an integer of at most 32 bits.
func integerFault(value string, low, high int64) string {
	return wholeFault(value, low, high, math.MaxInt32)
}

// longFault checks an integer of at most 63 bits.
func longFault(value string, low, high int64) string {
	return wholeFault(value, low, high, math.MaxInt64)
}

func wholeFault(value string, low, high, most int64) string {
	if high == 0 {
		high = most
	}
	n, ok := parseDecimal(value, most)
	if !ok || n < low || n > high {
		return "it must be a whole number from " + decimal(low) + " to " + decimal(high)
	}
	return ""
}

// integer returns the value of a checked integer or long parameter, or what is said if it was not sent.
func (p Params) integer(name string, absent int64) int64 {
	n, ok := parseDecimal(p.value(name), math.MaxInt64)
	if !ok {
		return absent
	}
	return n
}

const secondsPerDay = 24 * 3600

// maxDurationSeconds keeps a duration far from the end of time.Duration.
const maxDurationSeconds = 100 * 365 * secondsPerDay

// parseDuration reads ^[1-9][0-9]*[dhms]$.
func parseDuration(value string) (time.Duration, bool) {
	if len(value) < 2 || value[0] == '0' {
		return 0, false
	}
	units := map[byte]int64{'d': secondsPerDay, 'h': 3600, 'm': 60, 's': 1}
	unit, known := units[value[len(value)-1]]
	if !known {
		return 0, false
	}
	n, ok := parseDecimal(value[:len(value)-1], maxDurationSeconds/unit)
	return time.Duration(n*unit) * time.Second, ok
}

// durationFault checks a duration against limits in seconds.
func durationFault(value string, low, high int64) string {
	d, ok := parseDuration(value)
	if seconds := int64(d / time.Second); !ok || seconds < low || high > 0 && seconds > high {
		return "it must be a number and d, h, m or s, from " + dayWords(low) + " to " + dayWords(high)
	}
	return ""
}

// dayWords writes whole days as 7d.
func dayWords(seconds int64) string { return decimal(seconds/secondsPerDay) + "d" }
