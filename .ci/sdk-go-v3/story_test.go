// Package v3 runs the main job of two regions with the current Go SDK, unchanged:
// github.com/alibabacloud-go/kms-20160120/v3, with either transport and both of its signatures.
package v3

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
)

func TestStory(t *testing.T) {
	west, east := twoRegions(t)
	for _, v := range []variant{{"http", ""}, {"https", ""}, {"http", "v2"}, {"https", "v2"}} {
		t.Run(v.name(), func(t *testing.T) {
			s := &story{T: t, variant: v, west: west, east: east, name: "alias/v3-" + randomHex(8)}
			for node := range 3 {
				s.w[node] = v.newClient(t, west, node, west.AccessKeyID, west.AccessKeySecret)
				s.e[node] = v.newClient(t, east, node, east.AccessKeyID, east.AccessKeySecret)
			}
			s.run()
		})
	}
}

// story is one run of the main job; each step goes to another node than the one before.
type story struct {
	*testing.T
	variant
	west, east region
	w, e       [3]*kms.Client // a client for each node of west and east
	name       string         // the alias, the same in both regions
}

var (
	payments = map[string]any{"app": "payments", "ordre": "n° 7 & 8 = <15>"}
	reports  = map[string]any{"app": "reports"}
)

func (s *story) run() {
	westKey := s.createKey(s.w[0], s.west, "payments of "+s.west.ID)
	eastKey := s.createKey(s.e[1], s.east, "payments of "+s.east.ID)
	archive := s.createKey(s.e[2], s.east, "archive")
	s.createAlias(s.w[1], westKey)
	s.createAlias(s.e[2], eastKey)

	text := []byte("what the application stores")
	blob := s.encrypt(s.w[2], s.name, text, payments)
	for _, node := range s.w {
		s.wantPlaintext("decrypt", s.decrypt(node, blob, payments), text)
	}

	dataKey, sealed := s.generateDataKey(s.w[0], payments)
	opened := s.decrypt(s.w[1], sealed, payments)
	s.wantPlaintext("the data key on another node", opened, dataKey)
	moved := s.encrypt(s.e[0], s.name, opened, payments)
	s.wantPlaintext("the data key in the other region", s.decrypt(s.e[2], moved, payments), dataKey)
	archived := s.reEncrypt(s.e[1], moved, payments, archive, reports)
	s.wantPlaintext("the data key under another key and context", s.decrypt(s.e[0], archived, reports), dataKey)

	s.lists(westKey)
	s.states(westKey, blob, text)
	s.refusals(westKey, blob, archived)
	s.deletion(archive, archived)
}

func (s *story) createKey(client *kms.Client, r region, description string) string {
	s.Helper()
	answer, err := client.CreateKey(&kms.CreateKeyRequest{Description: tea.String(description)})
	s.ok("CreateKey", err)
	m := answer.Body.KeyMetadata
	if tea.StringValue(m.KeyState) != "Enabled" || tea.StringValue(m.Description) != description ||
		tea.StringValue(m.Arn) != fmt.Sprintf("acs:kms:%s:%s:key/%s", r.ID, r.Account, tea.StringValue(m.KeyId)) {
		s.Fatalf("CreateKey answers %v", m)
	}
	return tea.StringValue(m.KeyId)
}

func (s *story) createAlias(client *kms.Client, key string) {
	s.Helper()
	_, err := client.CreateAlias(&kms.CreateAliasRequest{AliasName: tea.String(s.name), KeyId: tea.String(key)})
	s.ok("CreateAlias", err)
}

func (s *story) encrypt(client *kms.Client, key string, text []byte, context map[string]any) string {
	s.Helper()
	blob, err := tryEncrypt(client, key, text, context)
	s.ok("Encrypt", err)
	return blob
}

func tryEncrypt(client *kms.Client, key string, text []byte, context map[string]any) (string, error) {
	answer, err := client.Encrypt(&kms.EncryptRequest{
		KeyId: tea.String(key), Plaintext: tea.String(base64.StdEncoding.EncodeToString(text)), EncryptionContext: context})
	if err != nil {
		return "", err
	}
	return tea.StringValue(answer.Body.CiphertextBlob), nil
}

func (s *story) decrypt(client *kms.Client, blob string, context map[string]any) []byte {
	s.Helper()
	text, err := tryDecrypt(client, blob, context)
	s.ok("Decrypt", err)
	return text
}

func tryDecrypt(client *kms.Client, blob string, context map[string]any) ([]byte, error) {
	answer, err := client.Decrypt(&kms.DecryptRequest{CiphertextBlob: tea.String(blob), EncryptionContext: context})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(tea.StringValue(answer.Body.Plaintext))
}

func (s *story) generateDataKey(client *kms.Client, context map[string]any) (plaintext []byte, blob string) {
	s.Helper()
	answer, err := client.GenerateDataKey(&kms.GenerateDataKeyRequest{
		KeyId: tea.String(s.name), NumberOfBytes: tea.Int32(32), EncryptionContext: context})
	s.ok("GenerateDataKey", err)
	plaintext, err = base64.StdEncoding.DecodeString(tea.StringValue(answer.Body.Plaintext))
	if err != nil || len(plaintext) != 32 {
		s.Fatalf("GenerateDataKey answers a data key of %d bytes (%v), want 32", len(plaintext), err)
	}
	return plaintext, tea.StringValue(answer.Body.CiphertextBlob)
}

func (s *story) reEncrypt(client *kms.Client, blob string, from map[string]any, key string, to map[string]any) string {
	s.Helper()
	answer, err := client.ReEncrypt(&kms.ReEncryptRequest{
		CiphertextBlob: tea.String(blob), SourceEncryptionContext: from,
		DestinationKeyId: tea.String(key), DestinationEncryptionContext: to})
	s.ok("ReEncrypt", err)
	if got := tea.StringValue(answer.Body.KeyId); got != key {
		s.Errorf("ReEncrypt answers key %s, want %s", got, key)
	}
	return tea.StringValue(answer.Body.CiphertextBlob)
}

// lists reads back what was made, by description, list and region.
func (s *story) lists(key string) {
	s.Helper()
	described, err := s.w[2].DescribeKey(&kms.DescribeKeyRequest{KeyId: tea.String(s.name)})
	s.ok("DescribeKey", err)
	if got := tea.StringValue(described.Body.KeyMetadata.KeyId); got != key {
		s.Errorf("DescribeKey of the alias answers key %s, want %s", got, key)
	}

	listed, err := s.w[0].ListKeys(&kms.ListKeysRequest{PageSize: tea.Int32(100)})
	s.ok("ListKeys", err)
	if total := int(tea.Int32Value(listed.Body.TotalCount)); total == 0 || len(listed.Body.Keys.Key) != min(total, 100) {
		s.Errorf("ListKeys answers %d of %d keys", len(listed.Body.Keys.Key), total)
	}

	aliases, err := s.w[1].ListAliasesByKeyId(&kms.ListAliasesByKeyIdRequest{KeyId: tea.String(key)})
	s.ok("ListAliasesByKeyId", err)
	if a := aliases.Body.Aliases.Alias; len(a) != 1 || tea.StringValue(a[0].AliasName) != s.name || tea.StringValue(a[0].KeyId) != key {
		s.Errorf("ListAliasesByKeyId answers %v, want %s", a, s.name)
	}

	known, err := s.w[1].DescribeRegions()
	s.ok("DescribeRegions", err)
	if r := known.Body.Regions.Region; len(r) != 2 || tea.StringValue(r[0].RegionId) != s.west.ID || tea.StringValue(r[1].RegionId) != s.east.ID {
		s.Errorf("DescribeRegions answers %v, want %s and %s", r, s.west.ID, s.east.ID)
	}
}

// states disables and enables a key; every node knows it as soon as the call returns.
func (s *story) states(key, blob string, text []byte) {
	s.Helper()
	_, err := s.w[0].DisableKey(&kms.DisableKeyRequest{KeyId: tea.String(key)})
	s.ok("DisableKey", err)
	for _, node := range s.w {
		_, err := tryEncrypt(node, s.name, text, nil)
		s.refused("Encrypt with a disabled key", err, http.StatusConflict, "Rejected.Disabled")
		_, err = tryDecrypt(node, blob, payments)
		s.refused("Decrypt with a disabled key", err, http.StatusConflict, "Rejected.Disabled")
	}
	_, err = s.w[2].EnableKey(&kms.EnableKeyRequest{KeyId: tea.String(key)})
	s.ok("EnableKey", err)
	for _, node := range s.w {
		s.wantPlaintext("decrypt with the key enabled again", s.decrypt(node, blob, payments), text)
	}
}

// refusals are the mistakes that a caller can make, each with the code that SDKs switch on.
func (s *story) refusals(key, blob, eastBlob string) {
	s.Helper()
	_, err := tryEncrypt(s.newClient(s.T, s.west, 0, s.west.AccessKeyID, "not the secret"), key, []byte("x"), payments)
	s.refused("a wrong secret", err, http.StatusBadRequest, "SignatureDoesNotMatch")
	if err != nil && !strings.Contains(err.Error(), "server string to sign is:") {
		s.Errorf("the refusal does not show what the server signed: %v", err)
	}
	_, err = tryEncrypt(s.newClient(s.T, s.west, 0, "nobody", "not the secret"), key, []byte("x"), nil)
	s.refused("an unknown access key", err, http.StatusNotFound, "InvalidAccessKeyId.NotFound")
	_, err = tryEncrypt(s.w[1], "00000000-0000-4000-8000-000000000000", []byte("x"), nil)
	s.refused("an unknown key", err, http.StatusNotFound, "Forbidden.KeyNotFound")
	_, err = tryEncrypt(s.w[1], s.name+"-no", []byte("x"), nil)
	s.refused("an unknown alias", err, http.StatusNotFound, "Forbidden.AliasNotFound")
	_, err = tryDecrypt(s.w[2], blob, reports)
	s.refused("a wrong context", err, http.StatusBadRequest, "InvalidParameter")
	_, err = tryDecrypt(s.w[2], blob, nil)
	s.refused("a missing context", err, http.StatusBadRequest, "InvalidParameter")
	_, err = tryDecrypt(s.w[0], eastBlob, reports)
	s.refused("a blob of the other region", err, http.StatusBadRequest, "InvalidParameter.WrongRegion")
	if err != nil && !strings.Contains(err.Error(), s.east.ID) {
		s.Errorf("the refusal does not name region %s: %v", s.east.ID, err)
	}
	full := make([]byte, 4096)
	_, err = rand.Read(full)
	s.ok("random bytes", err)
	s.wantPlaintext("4,096 bytes", s.decrypt(s.w[1], s.encrypt(s.w[0], key, full, payments), payments), full)
	_, err = tryEncrypt(s.w[0], key, append(full, 0), payments)
	s.refused("4,097 bytes", err, http.StatusBadRequest, "InvalidParameter")
	_, err = s.w[2].CreateAlias(&kms.CreateAliasRequest{AliasName: tea.String(s.name), KeyId: tea.String(key)})
	s.refused("an alias that exists", err, http.StatusBadRequest, "AliasAlreadyExists")
}

// deletion plans the end of a key, takes it back, and plans it again; the alias goes with DeleteAlias.
func (s *story) deletion(key, blob string) {
	s.Helper()
	for round := range 2 {
		_, err := s.e[round].ScheduleKeyDeletion(&kms.ScheduleKeyDeletionRequest{KeyId: tea.String(key), PendingWindowInDays: tea.Int32(7)})
		s.ok("ScheduleKeyDeletion", err)
		_, err = tryDecrypt(s.e[2], blob, reports)
		s.refused("Decrypt with a key that is to be deleted", err, http.StatusConflict, "Rejected.PendingDeletion")
		if round == 0 {
			_, err = s.e[2].CancelKeyDeletion(&kms.CancelKeyDeletionRequest{KeyId: tea.String(key)})
			s.ok("CancelKeyDeletion", err)
			s.decrypt(s.e[0], blob, reports)
		}
	}
	_, err := s.e[1].DeleteAlias(&kms.DeleteAliasRequest{AliasName: tea.String(s.name)})
	s.ok("DeleteAlias", err)
	_, err = tryEncrypt(s.e[0], s.name, []byte("x"), nil)
	s.refused("a deleted alias", err, http.StatusNotFound, "Forbidden.AliasNotFound")
}

func (s *story) ok(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

func (s *story) wantPlaintext(what string, got, want []byte) {
	s.Helper()
	if !bytes.Equal(got, want) {
		s.Fatalf("%s: %x, want %x", what, got, want)
	}
}

// refused wants an error of the service.
func (s *story) refused(what string, err error, status int, code string) {
	s.Helper()
	var answer *tea.SDKError
	switch {
	case !errors.As(err, &answer):
		s.Errorf("%s: error %v, want %s", what, err, code)
	case tea.StringValue(answer.Code) != code || tea.IntValue(answer.StatusCode) != status:
		s.Errorf("%s: code %s, status %d, want %s, %d: %v", what, tea.StringValue(answer.Code), tea.IntValue(answer.StatusCode), code, status, err)
	}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
