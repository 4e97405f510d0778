package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A key whose alias is refused after all is put away again, unless the alias may
// be there; each time the message names the key and what to do.
func TestKeyCreateWithoutItsAlias(t *testing.T) {
	const id = "7c1e0000-0000-4000-8000-000000000001"
	refuse := func(status int, code, message string) string {
		return fmt.Sprintf(`%d {"Code":%q,"Message":%q,"RequestId":"r"}`, status, code, message)
	}
	taken := refuse(409, "AliasAlreadyExists", "The alias alias/a exists already.")
	none := refuse(404, "Forbidden.AliasNotFound", "There is no alias alias/a.")
	key := fmt.Sprintf(`200 {"KeyMetadata":{"KeyId":%q},"RequestId":"r"}`, id)
	for _, tc := range []struct {
		name    string
		answers map[string]string // of actions
		called  string
		exit    int
		says    []string
	}{
		{"taken before", map[string]string{"DescribeKey": key}, "DescribeKey", exitFailed,
			[]string{"alias/a is taken, by key " + id + "; nothing was made", "meridian alias retarget"}},
		{"taken meanwhile", map[string]string{"DescribeKey": none, "CreateKey": key, "CreateAlias": taken, "ScheduleKeyDeletion": "200 {}"},
			"DescribeKey CreateKey CreateAlias ScheduleKeyDeletion", exitFailed,
			[]string{"key " + id + " was made", "is deleted in 7 days", "meridian key undelete " + id, "exists already"}},
		{"taken meanwhile, and the key stays", map[string]string{"DescribeKey": none, "CreateKey": key, "CreateAlias": taken, "ScheduleKeyDeletion": refuse(403, "Forbidden.NoPermission", "no")},
			"DescribeKey CreateKey CreateAlias ScheduleKeyDeletion", exitFailed,
			[]string{"key " + id + " was made without alias/a and could not be put away (Forbidden.NoPermission)", "meridian key delete " + id, "exists already"}},
		{"unknown", map[string]string{"DescribeKey": none, "CreateKey": key, "CreateAlias": refuse(503, "ServiceUnavailableTemporary", "no leader")},
			"DescribeKey CreateKey CreateAlias", exitUnavailable,
			[]string{"whether alias/a names it is unknown", "meridian key describe " + id, "meridian alias create alias/a " + id}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			isolate(t)
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
			var called []string
			node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				action := r.Header.Get("x-acs-action")
				called = append(called, action)
				var status int
				answer := tc.answers[action]
				fmt.Sscan(answer, &status)
				_, body, _ := strings.Cut(answer, " ")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			defer node.Close()
			var errors bytes.Buffer
			root := newRoot()
			root.SetArgs([]string{"key", "create", "--alias", "alias/a", "--endpoint", node.URL})
			root.SetOut(&errors)
			code := reportError(&errors, root.Execute())
			if code != tc.exit || strings.Join(called, " ") != tc.called {
				t.Errorf("exit code %d after %s, want %d after %s", code, called, tc.exit, tc.called)
			}
			if !slices.Contains(called, "DescribeKey") {
				t.Error("the alias was not looked up")
			}
			for _, want := range tc.says {
				if !strings.Contains(errors.String(), want) {
					t.Errorf("%q is missing in: %s", want, errors.String())
				}
			}
		})
	}
}
