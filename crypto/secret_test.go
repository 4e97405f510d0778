package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// plantedSecret has a recognisable form in every notation that a leak could have.
var plantedSecret = Secret("planted-secret-0123456789")

// leaks says in which notation text shows the planted secret.
func leaks(text string) string {
	b := []byte(plantedSecret)
	decimal := strings.Trim(fmt.Sprint(b[:8]), "[]")
	for name, form := range map[string]string{
		"raw": string(b[:8]), "hex": hex.EncodeToString(b[:6]), "upper hex": strings.ToUpper(hex.EncodeToString(b[:6])), "spaced hex": "70 6c 61 6e",
		"Go syntax": "0x70, 0x6c", "decimal": decimal, "decimal list": strings.ReplaceAll(decimal, " ", ", "), "JSON list": strings.ReplaceAll(decimal, " ", ","),
		"Base64": base64.StdEncoding.EncodeToString(b)[:8], "binary": "1110000 1101100", "octal": "160 154",
	} {
		if strings.Contains(text, form) {
			return name
		}
	}
	return ""
}

func TestSecretIsRedactedByEveryVerb(t *testing.T) {
	type holder struct {
		Key  Secret
		Name string
	}
	for name, value := range map[string]any{
		"secret": plantedSecret, "pointer": &plantedSecret, "struct": holder{plantedSecret, "n"}, "pointer to struct": &holder{plantedSecret, "n"},
		"slice": []Secret{plantedSecret}, "map": map[string]Secret{"k": plantedSecret}, "interface": []any{plantedSecret},
	} {
		for _, verb := range "vsqxXdobcUtgeT" {
			for _, flag := range []string{"", "+", "#", " ", "0", "-", "30", ".2", "# "} {
				text := fmt.Sprintf("%"+flag+string(verb), value)
				if form := leaks(text); form != "" {
					t.Errorf("%%%s%c of %s leaks in %s: %s", flag, verb, name, form, text)
				}
				if name == "secret" && verb != 'T' && text != redacted {
					t.Errorf("%%%s%c of a secret is %q, want %q", flag, verb, text, redacted)
				}
			}
		}
		if text := fmt.Sprint(value) + fmt.Sprintln(value); leaks(text) != "" {
			t.Errorf("Print of %s leaks: %s", name, text)
		}
		if err := fmt.Errorf("failed on %v and %x", value, value); leaks(err.Error()) != "" {
			t.Errorf("an error with %s leaks: %v", name, err)
		}
	}
	if plantedSecret.String() != redacted || plantedSecret.GoString() != redacted {
		t.Error("String or GoString show something else")
	}
}

func TestSecretIsRedactedByEncoders(t *testing.T) {
	type holder struct {
		XMLName struct{} `xml:"h" json:"-"`
		Key     Secret
		Keys    []Secret
		Any     any
	}
	value := holder{Key: plantedSecret, Keys: []Secret{plantedSecret}, Any: plantedSecret}
	var out bytes.Buffer
	for name, handler := range map[string]slog.Handler{"text": slog.NewTextHandler(&out, nil), "JSON": slog.NewJSONHandler(&out, nil)} {
		out.Reset()
		log := slog.New(handler).With("with", plantedSecret)
		log.Info("m", "secret", plantedSecret, "pointer", &plantedSecret, "struct", value, "list", []Secret{plantedSecret}, slog.Group("g", "s", plantedSecret), "err", errors.New(plantedSecret.String()))
		if form := leaks(out.String()); form != "" || !strings.Contains(out.String(), redacted) {
			t.Errorf("slog's %s handler leaks in %s: %s", name, form, out.String())
		}
	}
	if text, err := json.Marshal(value); err != nil || leaks(string(text)) != "" || strings.Count(string(text), redacted) != 3 {
		t.Errorf("JSON: %s, %v", text, err)
	}
	if text, err := xml.Marshal(value); err != nil || leaks(string(text)) != "" || strings.Count(string(text), redacted) != 3 {
		t.Errorf("XML: %s, %v", text, err)
	}
	out.Reset()
	if err := gob.NewEncoder(&out).Encode(map[string]Secret{"k": plantedSecret}); err != nil || leaks(out.String()) != "" {
		t.Errorf("gob: %q, %v", out.String(), err)
	}
	if text, err := plantedSecret.MarshalText(); err != nil || string(text) != redacted {
		t.Errorf("MarshalText: %q, %v", text, err)
	}
}

func TestHoldersOfKeysRedactThemselves(t *testing.T) {
	k, err := GenerateKeyring()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	values := []any{k, mustXAES(t, testKey), k.arena, testPair(t, AlgorithmRSA2048), testPair(t, AlgorithmECP256)}
	for _, a := range []Algorithm{AlgorithmXSM4GCM, AlgorithmECP256K, AlgorithmSM2} {
		if a.Available() != nil {
			continue
		}
		if a.Symmetric() {
			values = append(values, mustCipher(t, a, testKey[:a.MaterialBytes()]))
		} else {
			values = append(values, testPair(t, a))
		}
	}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%q", "%s"} {
			if text := fmt.Sprintf(verb, value); text != redacted {
				t.Errorf("%s of %T is %s", verb, value, text)
			}
		}
		if text, err := json.Marshal(value); err != nil || string(text) != "{}" {
			t.Errorf("JSON of %T is %s, %v", value, text, err)
		}
	}
}

func TestSecretWipe(t *testing.T) {
	s := Secret("secret")
	alias := s[:]
	s.Wipe()
	if !bytes.Equal(alias, make([]byte, 6)) {
		t.Errorf("after Wipe the bytes are %q", []byte(alias))
	}
	Secret(nil).Wipe()
}

func TestSecretEqual(t *testing.T) {
	s := Secret("secret")
	for other, want := range map[string]bool{"secret": true, "secreT": false, "secre": false, "secrets": false, "": false} {
		if got := s.Equal([]byte(other)); got != want {
			t.Errorf("Equal(%q) = %v", other, got)
		}
	}
	if !Secret(nil).Equal(nil) {
		t.Error("two empty secrets differ")
	}
}
