package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// parseQuery decodes a query alone.
func parseQuery(query string) (map[string]string, *Error) {
	var pool exchangePool
	x := pool.take()
	defer pool.release(x)
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
	if err := x.parse(r); err != nil {
		return nil, err
	}
	got := make(map[string]string)
	for _, p := range x.call.Params {
		got[strings.Clone(p.Name)] = strings.Clone(p.Value)
	}
	return got, nil
}

func TestDecoding(t *testing.T) {
	for query, want := range map[string]string{
		"":                    "map[]",
		"&&&":                 "map[]",
		"a=1&b=2":             "map[a:1 b:2]",
		"a":                   "map[a:]",
		"=1":                  "map[:1]",
		"a=b=c":               "map[a:b=c]",
		"a=1;b=2":             "map[a:1;b=2]",
		"a=x+y%20z":           "map[a:x y z]",
		"a=%2B%2b":            "map[a:++]",
		"a=100%2525%2B":       "map[a:100%25+]",
		"%61%3D=%E6%B5%8B":    "map[a=:测]",
		"a=%00":               "map[a:\x00]",
		"A=1&a=2":             "map[A:1 a:2]",
		"Tag.1=x&Tag.10=y":    "map[Tag.1:x Tag.10:y]",
		"a=12345678%419+1234": "map[a:12345678A9 1234]",
	} {
		got, err := parseQuery(query)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v %v, want %s", query, got, err, want)
		}
	}
	for _, query := range []string{"a=%", "a=%4", "a=%4x", "a=%x4", "%zz=1", "a=%ff", "a=\xff", "\xc3=1", "a=1&a=1", "a&a=", "a=1&%61=2"} {
		if got, err := parseQuery(query); err == nil || err.Code != CodeParseRequestParameterException || err.Status != http.StatusBadRequest {
			t.Errorf("%q: %v %v, want a refusal", query, got, err)
		}
	}
}

// naiveDecode is the decoding of parameters said in the plainest way.
func naiveDecode(query string) (map[string]string, bool) {
	params := make(map[string]string)
	unescape := func(s string) (string, bool) {
		var out []byte
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '+':
				out = append(out, ' ')
			case '%':
				if i+2 >= len(s) {
					return "", false
				}
				var b byte
				if n, err := fmt.Sscanf(s[i+1:i+3], "%02x", &b); n != 1 || err != nil || strings.Trim(s[i+1:i+3], "0123456789abcdefABCDEF") != "" {
					return "", false
				}
				out = append(out, b)
				i += 2
			default:
				out = append(out, s[i])
			}
		}
		return string(out), utf8.Valid(out)
	}
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, ok1 := unescape(name)
		v, ok2 := unescape(value)
		if _, twice := params[n]; !ok1 || !ok2 || twice || len(params) == MaxParams {
			return nil, false
		}
		params[n] = v
	}
	return params, true
}

func FuzzDecoding(f *testing.F) {
	for _, seed := range []string{"a=1&b=2", "a=%2B+%E6%B5%8B;x", "a&&=b", "a=%4", "a=1&a=2", "%F0%9F%94%91=%f0%9f%94%91"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		want, ok := naiveDecode(query)
		got, err := parseQuery(query)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, naively %v", query, err, ok)
		}
		if ok && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q: %v, naively %v", query, got, want)
		}
	})
}

// TestParameterLimit sends as many parameters as are allowed, and one more.
func TestParameterLimit(t *testing.T) {
	pairs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "p%d=%d&", i, i)
		}
		return b.String()
	}
	if got, err := parseQuery(pairs(MaxParams)); err != nil || len(got) != MaxParams {
		t.Errorf("%d parameters: %d, %v", MaxParams, len(got), err)
	}
	if _, err := parseQuery(pairs(MaxParams + 1)); err == nil || err.Code != CodeParseRequestParameterException {
		t.Errorf("%d parameters: %v", MaxParams+1, err)
	}
}

// TestBodyLimit sends bodies at the limit and one byte over, with and without a length told ahead.
func TestBodyLimit(t *testing.T) {
	for _, known := range []bool{true, false} {
		for size, status := range map[int]int{MaxBodyBytes: 0, MaxBodyBytes + 1: http.StatusRequestEntityTooLarge} {
			body := "a=" + strings.Repeat("x", size-2)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if !known {
				r.ContentLength = -1
			}
			var pool exchangePool
			x := pool.take()
			err := x.parse(r)
			got := 0
			if err != nil {
				got = err.Status
			}
			if got != status {
				t.Errorf("%d bytes, length known %v: %v", size, known, err)
			}
			if err == nil && x.call.Params.value("a") != body[2:] {
				t.Errorf("%d bytes, length known %v: value is not whole", size, known)
			}
			pool.release(x)
		}
	}
}

func TestBodyTypes(t *testing.T) {
	for _, tc := range []struct {
		types []string
		body  string
		ok    bool
	}{
		{[]string{"application/x-www-form-urlencoded"}, "a=1", true},
		{[]string{"Application/X-WWW-Form-URLEncoded ; charset=GBK"}, "a=1", true},
		{[]string{"application/json"}, "", true},
		{nil, "", true},
		{nil, "a=1", false},
		{[]string{"application/json"}, "{}", false},
		{[]string{"application/x-www-form-urlencoded-not"}, "a=1", false},
		{[]string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded"}, "a=1", false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/", strings.NewReader(tc.body))
			r.Header["Content-Type"] = tc.types
			var pool exchangePool
			x := pool.take()
			if err := x.parse(r); (err == nil) != tc.ok {
				t.Errorf("%s %v %q: %v", method, tc.types, tc.body, err)
			}
			pool.release(x)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Encoding", "gzip")
	var pool exchangePool
	if err := pool.take().parse(r); err == nil || err.Code != CodeParseRequestParameterException {
		t.Errorf("Content-Encoding: %v", err)
	}
}

// TestPlainRun compares the search by words with one by bytes, at every place in a word.
func TestPlainRun(t *testing.T) {
	for size := range 40 {
		for at := range size + 1 {
			for _, c := range []byte{'%', '+', '$', '&', '*', ',', 0xa5, 0xab, 0x24, 0} {
				s := bytes.Repeat([]byte{'x'}, size)
				if at < size {
					s[at] = c
				}
				want := slices.IndexFunc(s, func(c byte) bool { return c == '%' || c == '+' })
				if want < 0 {
					want = size
				}
				if got := plainRun(s); got != want {
					t.Fatalf("%q: %d, want %d", s, got, want)
				}
			}
		}
	}
}

// TestExchangeIsWiped checks that nothing of a request is left in the memory that the next one gets.
func TestExchangeIsWiped(t *testing.T) {
	const canary = "canary-plaintext"
	r := httptest.NewRequest(http.MethodPost, "/?Query="+canary, strings.NewReader("Form="+canary))
	r.Header.Set("Content-Type", formType)
	var pool exchangePool
	x := pool.take()
	if err := x.parse(r); err != nil {
		t.Fatal(err)
	}
	x.signer.begin(nil)
	x.writeV1(r)
	x.answer.begin(false, "")
	x.answer.Text("Plaintext", canary)
	x.answer.Reset()
	small := x.call.Scratch(100)
	copy(small[:100], canary)
	large := x.call.Scratch(minBuffer)
	copy(large[:100], canary)
	buffers := [][]byte{x.decoded, x.body, x.answer.buf, small, large, x.signer.buf[:]}
	pool.release(x)
	for i, b := range buffers {
		if bytes.Contains(b[:cap(b)], []byte(canary)) {
			t.Errorf("buffer %d still holds the plaintext", i)
		}
	}
}
