package api

import (
	"strings"
	"testing"
)

// Every action that takes a key tells a key, an alias and a version that are not there apart from those that are, and
// an alias where it takes none.
func TestNamesThatAreNotThere(t *testing.T) {
	h := newHarness(t, Limits{})
	const gone = "11111111-2222-4333-8444-555555555555"
	for i := range Actions() {
		a := &Actions()[i]
		for _, spec := range a.Params {
			name := a.Name + " " + spec.Name
			ask := func(value, code string) {
				t.Helper()
				p := with(scenes[a.Name](t, h), spec.Name, value)
				if a.Name == "SetDeletionProtection" { // the ARN would contradict
					p = with(p, "ProtectedResourceArn", "-", spec.Name, value)
				}
				if r := h.fails(t, code, a.Name, p); !strings.Contains(r.message(), value) && code != CodeUnsupportedAlias && code != CodeInvalidParameter {
					t.Errorf("%s: message %q does not name %s", name, r.message(), value)
				}
			}
			switch {
			case spec.Type == TypeKeyID && spec.Name != "SourceKeyId" && spec.Name != "ProtectedResourceArn":
				ask(gone, CodeForbiddenKeyNotFound)
				if spec.Alias {
					ask("alias/not-there", CodeForbiddenAliasNotFound)
				} else {
					ask("alias/not-there", CodeUnsupportedAlias)
				}
			case spec.Type == TypeVersionID:
				ask(gone, CodeForbiddenKeyVersionNotFound)
			case spec.Name == "ResourceId" && spec.Required:
				spec.Name = "ResourceId.1"
				ask(gone, CodeForbiddenKeyNotFound)
				ask("alias/not-there", CodeInvalidParameter)
			}
		}
	}
	// A blob may name a key that is gone.
	for _, action := range []string{"Decrypt", "ReEncrypt", "ExportDataKey"} {
		p := with(scenes[action](t, h), "CiphertextBlob", blobNaming(t, gone), "SourceKeyId", "-", "EncryptionContext", "-")
		h.fails(t, CodeForbiddenKeyNotFound, action, p)
	}
	p := with(scenes["ExportDataKey"](t, h), "CiphertextBlob", blobOf(t, "cn-shanghai-self", gone))
	h.fails(t, CodeInvalidParameterWrongRegion, "ExportDataKey", p)
}

// Nobody learns by any action whether a key is there that he may not see.
func TestPermissionComesFirstEverywhere(t *testing.T) {
	h := newHarness(t, Limits{})
	const gone = "11111111-2222-4333-8444-555555555555"
	for i := range Actions() {
		a := &Actions()[i]
		if len(a.RAM) == 0 {
			continue
		}
		p := scenes[a.Name](t, h)
		h.identity.Root = false
		there := h.call(t, a.Name, p)
		absent := there
		for _, name := range []string{"KeyId", "DestinationKeyId", "ResourceId.1"} {
			if p[name] != "" {
				absent = h.call(t, a.Name, with(p, name, gone, "ProtectedResourceArn", "-"))
				absent.body["Message"] = strings.ReplaceAll(absent.message(), gone, p[name])
			}
		}
		h.identity.Root = true
		switch {
		case a.Name == "ListTagResources": // what may not be seen is left out
			if len(there.list("TagResources", "TagResource", "TagKey")) != 0 || absent.code != "" {
				t.Errorf("%s: %s, %s", a.Name, there.raw, absent.raw)
			}
		case there.code != CodeForbiddenNoPermission || absent.code != there.code || absent.message() != there.message():
			t.Errorf("%s: %s, %s", a.Name, there.raw, absent.raw)
		}
	}
}
