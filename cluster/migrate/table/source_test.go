package table

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://app:s3cret@db.internal:5433/keys?sslmode=require": "postgres://db.internal:5433/keys",
		"postgresql://app@/keys?host=/run/pg&port=5432":               "postgres:///run/pg:5432/keys",
		"mysql://app:s3cret@db.internal/keys":                         "mysql://db.internal:3306/keys",
		"mariadb://app@[::1]:3307/keys?tls=true":                      "mysql://[::1]:3307/keys",
		"mysql://app:s3cret@localhost/keys?socket=/run/mysql.sock":    "mysql:///run/mysql.sock/keys",
		"postgres:///keys?host=/run/pg&user=me@corp&port=1":           "postgres:///run/pg:1/keys",
		"mysql://me%40corp:s3cret%2F%3F%23@host/keys":                 "mysql://host:3306/keys",
	} {
		s, err := ParseSource(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, shown := range []string{s.String(), fmt.Sprintf("%v %+v %#v %s", s, s, s, s)} {
			if strings.Contains(shown, "s3cret") || !strings.Contains(shown, want) {
				t.Errorf("%s is shown as %s", text, shown)
			}
		}
	}
}

func TestParseSourceMistakes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                        "begins with",
		"keys":                                    "begins with",
		"sqlite://s3cret":                         "begins with",
		"app:s3cret@tcp(host)/keys":               "begins with",
		"mysql://app:s3cret@host/":                "names no database",
		"mysql://app:s3%ret@host/keys":            "%XX",
		"postgres://app:s3%ret@host/keys":         "%XX",
		"postgres://app:s3cret@host:port/keys":    "no URL of PostgreSQL",
		"mysql://app:s3cret@host:port/keys":       "%XX",
		"mysql://a:s3cret@h/k?timeout=x":          "parameters",
		"mysql://a:s3cret@h/k?tls=unknown":        "parameters",
		"mysql://a:s3cret@h/k?ssl-ca=/none":       "ssl-ca",
		"mysql://a:s3cret@h/k?ssl-ca=" + empty:    "no certificate",
		"postgres://a:s3cret@h/k?sslmode=unknown": "no URL of PostgreSQL",

		"postgres://sec:Zq7@s3cret/Tail@127.0.0.1/postgres": "@ %40",
		"postgres://sec:Zq7@s3cret@127.0.0.1/postgres":      "@ %40",
		"mysql://sec:12/s3cret@127.0.0.1/keys":              "/ %2F",
		"mysql://sec:12?s3cret@127.0.0.1/keys":              "? %3F",
		"postgres://sec:12?x=1&s3cret@127.0.0.1/keys":       "? %3F",
		"postgres://sec:12#s3cret@127.0.0.1/keys":           "# %23",
	} {
		_, err := ParseSource(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "s3%ret")) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// What our SQL relies on cannot be turned off in the URL.
func TestMySQLParameters(t *testing.T) {
	s, err := ParseSource("mysql://app@host/keys?multiStatements=true&AutoCommit=0&interpolateParams=false&clientFoundRows=true&charset=gbk&collation=gbk_chinese_ci&timeout=3s")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.mysql
	if cfg.MultiStatements || !cfg.InterpolateParams || cfg.ClientFoundRows || cfg.Collation != "utf8mb4_bin" || cfg.Params["autocommit"] != "1" || cfg.Params["AutoCommit"] != "" || cfg.Timeout != 3*time.Second {
		t.Errorf("%+v", cfg)
	}
	if !strings.Contains(cfg.Params["sql_mode"], "@@sql_mode") {
		t.Errorf("sql_mode is %s", cfg.Params["sql_mode"])
	}
	if dsn := cfg.FormatDSN(); strings.Contains(dsn, "gbk") {
		t.Errorf("another character set is left: %s", dsn)
	}
}

// PostgreSQL takes what is sent as UTF-8, whatever the database has.
func TestPostgresEncoding(t *testing.T) {
	for text, fits := range map[string]bool{"": true, "?client_encoding=utf-8": true, "?client_encoding=UTF8": true, "?client_encoding=latin1": false, "?client_encoding=auto": false} {
		s, err := ParseSource("postgres://app@host/keys" + text)
		if (err == nil) != fits || fits && s.postgres.RuntimeParams["client_encoding"] != "UTF8" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHasPassword(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://app@host/keys":                 false,
		"postgres:///keys?host=/run":               false,
		"mysql://host/keys?timeout=1s":             false,
		"postgres://app:x@host/keys":               true,
		"postgres://app:@host/keys":                true,
		"postgres://host/keys?user=app&password=x": true,
		"postgres://host/keys?pass%77ord=x":        true,
		"postgres://host/keys?SSLPassword=x":       true,
		"postgres://app:%zz@host/keys":             true, // nobody knows
		"mysql://app:s3cret@host/keys":             true,
	} {
		if got := HasPassword(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// No error repeats a password, however broken the URL is.
func FuzzParseSource(f *testing.F) {
	f.Add("postgres://app:", "@host/keys")
	f.Add("mysql://app:", "@host/keys?x=y")
	f.Add("mysql://%", "")
	f.Add("mysql://app:1/", "@host/keys")
	f.Add("postgres://app:1#", "@host/keys")
	const canary = "c4n4ryPa55"
	f.Fuzz(func(t *testing.T, before, after string) {
		s, err := ParseSource(before + canary + after)
		_, user, ok := strings.Cut(before, "://")
		if !ok || !strings.Contains(user, ":") || !strings.HasPrefix(after, "@") || strings.ContainsAny(user, "?@ ") {
			return // the canary is no password
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
		if err == nil && strings.Contains(s.String(), canary) {
			t.Errorf("%v", s)
		}
	})
}
