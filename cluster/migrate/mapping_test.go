package migrate

import "testing"

func TestMapping(t *testing.T) {
	for _, c := range []struct {
		rules []string
		names []string
		want  string
	}{
		{nil, []string{"11111111-2222-4333-8444-555555555555", "alias/pay"}, "alias/pay"},
		{nil, []string{"11111111-2222-4333-8444-555555555555"}, ""},
		{nil, []string{"alias/b", "alias/a"}, "alias/a"},
		{[]string{"alias/b => alias/x", "alias/* => alias/*"}, []string{"alias/b", "alias/a"}, "alias/x"},
		{[]string{"alias/*-hz => alias/*-sh"}, []string{"alias/pay-hz"}, "alias/pay-sh"},
		{[]string{"alias/*-hz => alias/*-sh"}, []string{"alias/-hz"}, "alias/-sh"},
		{[]string{"alias/a*a => alias/*"}, []string{"alias/a"}, ""}, // the star stands for no text twice
		{[]string{"* => alias/all"}, []string{"11111111-2222-4333-8444-555555555555"}, "alias/all"},
		{[]string{" id1=>id2 "}, []string{"id1"}, "id2"},
		{[]string{"id1 => id2"}, []string{"id10"}, ""},
		{[]string{"acs:kms:cn-a:1:key/id1 => alias/x"}, []string{"id1", "alias/a"}, "alias/x"},
		{[]string{"acs:kms:cn-a:1:alias/a => acs:kms:cn-b:1:alias/x"}, []string{"id1", "alias/a"}, "acs:kms:cn-b:1:alias/x"},
		{[]string{"acs:kms:cn-a:1:alias/*-hz => alias/*-sh"}, []string{"alias/pay-hz"}, "alias/pay-sh"},
		{[]string{"acs:kms:cn-a:1:alias/a => alias/x"}, []string{"id1", "alias/b"}, ""},
	} {
		m, err := ParseMapping(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.Target(c.names); got != c.want || ok != (c.want != "") {
			t.Errorf("%q of %q: %q, want %q", c.rules, c.names, got, c.want)
		}
	}
	for _, bad := range []string{
		"", "a", "a =>", "=> b", "a** => b", "a* => b**", "a => b*",
		"acs:kms:cn-a => b", "acs:kms:cn-a:1:key/ => b", "acs:kms:cn-a:1:id => b", "acs:kms::1:key/id => b", "acs:kms:cn-a:1:key/alias/a => b", "acs:kms:* => b",
	} {
		if _, err := ParseMapping([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// An ARN tells of which region a key is, so that one of the wrong side is found before rows are read.
func TestMappingOfAnotherRegion(t *testing.T) {
	m, err := ParseMapping([]string{"alias/a => alias/b", "acs:kms:cn-a:1:key/id => acs:kms:cn-b:1:alias/x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckSource("cn-a"); err != nil {
		t.Error(err)
	}
	if err := m.CheckSource("cn-b"); err == nil || err.Error() != "id is named as a key of region cn-a, and the rows are from cn-b" {
		t.Error(err)
	}
}
