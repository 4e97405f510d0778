package api

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"meridian/cluster/api/batch"
)

var writePage = flag.Bool("api.page", false, "write docs/api.md anew from the action table")

// TestAPIPage: docs/api.md is what the action table says. Written anew by
//
//	go test ./cluster/api -run TestAPIPage -api.page
func TestAPIPage(t *testing.T) {
	const path = "../../docs/api.md"
	want := apiPage()
	if *writePage {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(want, string(page)); d != "" {
		t.Errorf("docs/api.md is not what the table says (-table +page); go test ./cluster/api -run TestAPIPage -api.page writes it:\n%s", d)
	}
}

// apiPage writes the whole page.
func apiPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The API, action by action

Written from the action table, which drives the service: what stands here is what it checks. The protocol is the Alibaba Cloud KMS RPC API, version %s: signed `+
		"`GET` or `POST` requests on path `/`"+`, answered in JSON or, with `+"`Format=XML`"+`, in XML. Every answer has a `+"`RequestId`"+` besides what is listed.

- **read** actions answer from the node's own state, **write** actions go through the log of the region, **crypto** actions use key material on the node that is asked.
- A parameter that is needed and absent or empty gives `+"`MissingParameter`"+`, a value outside its limits `+"`InvalidParameter`"+`, and the message names the parameter. Parameters that are not listed are ignored. Binary values are standard Base64 with padding.
- A key id is a UUID; its ARN is `+"`acs:kms:REGION:ACCOUNT:key/KEYID`"+`. Where an alias is taken it is `+"`alias/NAME`"+` or its ARN.
- `+"`DryRun=true`"+` does everything but the work and always fails: with `+"`DryRunOperationError`"+` where the call would have succeeded.
- Errors that every action may answer with: %s, and those of the signature.

| action | kind | permission |
| --- | --- | --- |
`, KMSVersion, codeList(everyAction))
	for _, a := range Actions() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", a.Name, strings.ToLower(a.Name), a.Kind, permissions(a.RAM))
	}
	for i := range Actions() {
		documentAction(&b, &Actions()[i])
	}
	documentOwn(&b)
	documentSpecs(&b)
	documentErrors(&b)
	return b.String()
}

// documentOwn writes what no other service has.
func documentOwn(b *strings.Builder) {
	fmt.Fprintf(b, `
## Meridian's own actions

They move data keys in batches from one region to another, and have an API version of their own: %s. They are signed and authorized like every other action.

| action | kind | permission |
| --- | --- | --- |
`, MeridianVersion)
	for _, a := range MeridianActions() {
		fmt.Fprintf(b, "| [%s](#%s) | %s | %s |\n", a.Name, strings.ToLower(a.Name), a.Kind, permissions(a.RAM))
	}
	fmt.Fprintf(b, `
A batch action takes rows in a body of type `+"`%s`"+`, signed with V3, and its parameters in the query; it answers rows of the same type. A body has at most %d rows and %d bytes. Package `+"`cluster/api/batch`"+` says what rows look like. What is wrong with one row is its outcome, with a code and a message, and stops no other; what is wrong with the whole call is an error as of every other action. Permission and state of the key are judged for each row.

Data keys are encrypted in the source under HPKE (RFC 9180, MLKEM768-P256, HKDF-SHA-256, AES-256-GCM) to the transport key of the destination, bound to both regions; who moves them has no key to it, but says under which key they are sealed, and so can read them if it may decrypt or export with any key of the destination. Both sides answer a tag of each data key, the first 16 bytes of an HMAC-SHA-256 under a key that the source draws for each call and that only the two regions have: the destination makes its tag of the blob that it sealed, after it opened it again. Equal tags are equal data keys.
`, batch.ContentType, batch.MaxRows, batch.MaxBytes)
	for i := range MeridianActions() {
		documentAction(b, &MeridianActions()[i])
	}
}

// everyAction are the codes that no entry of the table lists.
var everyAction = []string{
	CodeMissingParameter, CodeInvalidParameter, CodeForbiddenNoPermission, CodeRejectedThrottling, CodeServiceUnavailableTemporary, CodeInternalFailure,
}

func documentAction(b *strings.Builder, a *Action) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", a.Name, a.Summary)
	if len(a.Params) > 0 {
		b.WriteString("\n| parameter | type | needed | values | if absent |\n| --- | --- | --- | --- | --- |\n")
		for _, p := range a.Params {
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", p.Name, p.Type, needed(p), cell(values(p)), p.Default)
		}
	}
	if len(a.Answers) > 0 {
		b.WriteString("\n| answer | type | |\n| --- | --- | --- |\n")
		for _, m := range a.Answers {
			fmt.Fprintf(b, "| %s | %s | %s |\n", m.Path, m.Type, cell(m.Note))
		}
	}
	if states := stateWords(a.States); states != "" {
		fmt.Fprintf(b, "\nRefused by the state of the key: %s.\n", states)
	}
	if len(a.Errors) > 0 {
		codes := slices.Compact(slices.Sorted(slices.Values(a.Errors)))
		fmt.Fprintf(b, "\nErrors: %s.\n", codeList(codes))
	}
}

func needed(p ParamSpec) string {
	switch {
	case p.OnlyIf != "":
		return "with " + p.OnlyIf
	case p.Required:
		return "yes"
	}
	return ""
}

// values says what a parameter may be: its words or limits, then its note.
func values(p ParamSpec) string {
	var parts []string
	switch {
	case p.Unserved != "" || p.Refused != "":
		return cmp.Or(p.Note, p.Unserved+p.Refused)
	case len(p.Enum) > 0:
		parts = append(parts, orList(p.Enum))
	case p.Type == TypeDuration:
		parts = append(parts, "a number and d, h, m or s, "+span(time.Duration(p.Min)*time.Second)+" to "+span(time.Duration(p.Max)*time.Second))
	case p.Type == TypeInteger || p.Type == TypeLong:
		if p.Max == 0 {
			parts = append(parts, "from "+decimal(p.Min))
		} else {
			parts = append(parts, decimal(p.Min)+" to "+decimal(p.Max))
		}
	case p.Max > 0 && p.Min == p.Max:
		parts = append(parts, decimal(p.Max)+" "+unit(p.Type))
	case p.Max > 0:
		parts = append(parts, "at most "+decimal(p.Max)+" "+unit(p.Type))
	}
	if p.Note != "" {
		parts = append(parts, p.Note)
	}
	return strings.Join(parts, "; ")
}

func span(d time.Duration) string { return decimal(int64(d.Hours()/24)) + "d" }

// unit is what Max counts.
func unit(t ParamType) string {
	switch t {
	case TypeString:
		return "characters"
	case TypeList, TypeStructList:
		return "entries"
	}
	return "bytes"
}

func permissions(need RAM) string {
	var all []string
	for _, p := range need {
		all = append(all, "`"+p.Action+"` on `"+p.Resource.String()+"`")
	}
	if all == nil {
		return "a valid signature"
	}
	return strings.Join(all, ", ")
}

func stateWords(r StateRule) string {
	var all []string
	for _, s := range []struct{ state, code string }{
		{"Enabled", r.Enabled}, {"Disabled", r.Disabled}, {"PendingDeletion", r.PendingDeletion}, {"PendingImport", r.PendingImport},
	} {
		if s.code != "" {
			all = append(all, s.state+" with `"+s.code+"`")
		}
	}
	return strings.Join(all, ", ")
}

func codeList(codes []string) string { return "`" + strings.Join(codes, "`, `") + "`" }

// cell makes a text fit for a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func documentSpecs(b *strings.Builder) {
	b.WriteString("\n## Key specs\n\n| KeySpec | usages | algorithms of the asymmetric actions | in FIPS-only mode |\n| --- | --- | --- | --- |\n")
	for _, s := range keySpecs {
		algorithms := append(words(s.algorithm.EncryptionSchemes()), words(s.algorithm.SignatureSchemes())...)
		for i, e := range s.algorithm.EncryptionSchemes() {
			algorithms[i] += " (at most " + decimal(int64(s.algorithm.MaxPlaintext(e))) + " bytes)"
		}
		served := "served"
		if !approvedSpecs[s.name] {
			served = "refused"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", s.name, strings.Join(usages(s.algorithm), ", "), strings.Join(algorithms, ", "), served)
	}
	b.WriteString("\nFIPS-only mode is `GODEBUG=fips140=only`. There RSAES_OAEP_SHA_1 and RSAES_PKCS1_V1_5 are refused as well, and requests are signed with HMAC-SHA256 or ACS3-HMAC-SHA256.\n")
}

// approvedSpecs are the specs that work in FIPS-only mode; TestInFIPSOnlyMode holds it against what the service does there.
var approvedSpecs = map[string]bool{specAES256: true, specRSA2048: true, specRSA3072: true, specECP256: true}

func documentErrors(b *strings.Builder) {
	b.WriteString("\n## Errors\n\n| code | status | message |\n| --- | --- | --- |\n")
	for _, code := range slices.Sorted(maps.Keys(errorKinds)) {
		kind := errorKinds[code]
		fmt.Fprintf(b, "| `%s` | %d %s | %s |\n", code, kind.status, http.StatusText(kind.status), cell(kind.message))
	}
}
