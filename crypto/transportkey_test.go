package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestTransportKey(t *testing.T) {
	k, err := GenerateTransportKey()
	if err != nil {
		t.Fatal(err)
	}
	material, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseTransportKey(material)
	if err != nil {
		t.Fatal(err)
	}
	material.Wipe()
	if material, err = k.Marshal(); err != nil || bytes.Count(material, []byte{0}) == len(material) {
		t.Errorf("wiping what Marshal returned wiped the key itself: %v", err)
	}
	public, err := ParseTransportPublic(k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if public.Fingerprint() != again.Public().Fingerprint() || len(public.Bytes()) != TransportPublicBytes {
		t.Error("the public half is another one after it was marshalled")
	}
	journey := Journey{From: "cn-a", To: "cn-b", Version: 3, Purpose: CarriesDataKeys}
	message, err := public.Seal(journey, []byte("data keys"))
	if err != nil {
		t.Fatal(err)
	}
	if want := len("data keys") + TransportOverhead; len(message) != want {
		t.Errorf("a message of %d bytes; want %d", len(message), want)
	}
	if plaintext, err := again.Open(journey, message); err != nil || string(plaintext) != "data keys" {
		t.Errorf("opened: %q, %v", []byte(plaintext), err)
	}

	for name, other := range map[string]Journey{
		"from":    {From: "cn-c", To: "cn-b", Version: 3, Purpose: CarriesDataKeys},
		"to":      {From: "cn-a", To: "cn-c", Version: 3, Purpose: CarriesDataKeys},
		"ends":    {From: "cn-ac", To: "n-b", Version: 3, Purpose: CarriesDataKeys},
		"version": {From: "cn-a", To: "cn-b", Version: 4, Purpose: CarriesDataKeys},
		"purpose": {From: "cn-a", To: "cn-b", Version: 3, Purpose: CarriesTagKey},
	} {
		if _, err := again.Open(other, message); !errors.Is(err, ErrTransport) {
			t.Errorf("another %s: %v; want ErrTransport", name, err)
		}
	}
	for _, at := range []int{0, transportEncapsulated, len(message) - 1} {
		changed := bytes.Clone(message)
		changed[at] ^= 1
		if _, err := again.Open(journey, changed); !errors.Is(err, ErrTransport) {
			t.Errorf("byte %d changed: %v; want ErrTransport", at, err)
		}
	}
	if _, err := again.Open(journey, message[:transportEncapsulated]); !errors.Is(err, ErrTransport) {
		t.Errorf("cut short: %v; want ErrTransport", err)
	}
	if text := fmt.Sprintf("%v %+v", k, *k); bytes.Contains([]byte(text), material[:4]) || text[:len(redacted)] != redacted {
		t.Errorf("a transport key shows as %s", text)
	}
}

func TestParseTransportKeyRefuses(t *testing.T) {
	k, err := GenerateTransportKey()
	if err != nil {
		t.Fatal(err)
	}
	bytesOf := k.Public().Bytes()
	for name, b := range map[string][]byte{
		"nothing": nil, "short": bytesOf[1:], "long": append(bytes.Clone(bytesOf), 0), "zeros": make([]byte, TransportPublicBytes),
	} {
		if _, err := ParseTransportPublic(b); !errors.Is(err, ErrTransportKey) {
			t.Errorf("public half, %s: %v; want ErrTransportKey", name, err)
		}
	}
	if _, err := ParseTransportKey([]byte("short")); !errors.Is(err, ErrTransportKey) {
		t.Errorf("private half: %v; want ErrTransportKey", err)
	}
}

func FuzzParseTransportPublic(f *testing.F) {
	k, err := GenerateTransportKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Public().Bytes())
	f.Add(make([]byte, TransportPublicBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		public, err := ParseTransportPublic(b)
		if err != nil {
			return
		}
		if !bytes.Equal(public.Bytes(), b) {
			t.Error("a public half has two forms")
		}
		if _, err := public.Seal(Journey{From: "a", To: "b"}, []byte("x")); err != nil {
			t.Errorf("a public half that was taken does not seal: %v", err)
		}
	})
}

func TestDataKeyTags(t *testing.T) {
	key := NewTagKey()
	tag := func(key Secret, place int, dataKey string) string {
		return string(NewDataKeyTags(key).Append(nil, place, []byte(dataKey)))
	}
	reused := NewDataKeyTags(key)
	reused.Append(nil, 9, []byte("another"))
	same := string(reused.Append(nil, 7, []byte("data key")))
	if same != tag(key, 7, "data key") || len(same) != DataKeyTagBytes {
		t.Error("the same data key has two tags")
	}
	for name, other := range map[string]string{
		"data key": tag(key, 7, "data kez"), "place": tag(key, 8, "data key"), "tag key": tag(NewTagKey(), 7, "data key"),
	} {
		if other == same {
			t.Errorf("another %s has the same tag", name)
		}
	}
}
