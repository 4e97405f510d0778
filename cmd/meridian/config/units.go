package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes.
type Size int64

// Binary units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

var sizeUnits = []struct {
	suffix string
	bytes  Size
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3},
	{"B", 1},
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range sizeUnits[:4] {
		if s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// ParseSize reads a whole number with a unit: B, KiB, MiB, GiB, TiB or the
// decimal KB, MB, GB, TB. Zero needs none.
func ParseSize(text string) (Size, error) {
	if text == "0" {
		return 0, nil
	}
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		switch {
		case err != nil || n < 0:
			return 0, fmt.Errorf("%q is not a size such as 64MiB", text)
		case n > math.MaxInt64/int64(u.bytes):
			return 0, fmt.Errorf("%q is too large", text)
		}
		return Size(n) * u.bytes, nil
	}
	if isNumber(text) {
		return 0, fmt.Errorf("%s needs a unit, such as %sMiB", text, text)
	}
	return 0, fmt.Errorf("%q is not a size such as 64MiB", text)
}

// parseDuration reads a duration with its unit, such as 500ms or 2m30s, and of
// days as 30d. Zero needs none. Negative ones have no use here.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok && isNumber(days) {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n > math.MaxInt64/int64(24*time.Hour) {
			return 0, fmt.Errorf("%q is too long", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && isNumber(text):
		return 0, fmt.Errorf("%s needs a unit, such as %ss", text, text)
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration such as 500ms, 2s or 15m", text)
	case d < 0:
		return 0, errors.New("a duration cannot be negative")
	}
	return d, nil
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
