// Package classic runs the main job of two regions with the classic Go SDK, unchanged:
// github.com/aliyun/alibaba-cloud-sdk-go/services/kms, with either transport, both answer formats and both methods.
package classic

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
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

func TestStory(t *testing.T) {
	west, east := twoRegions(t)
	for _, scheme := range []string{"http", "https"} {
		for _, format := range []string{"JSON", "XML"} {
			for _, method := range []string{"GET", "POST"} {
				v := variant{scheme, format, method}
				t.Run(fmt.Sprintf("%s %s %s", scheme, format, method), func(t *testing.T) {
					s := &story{T: t, variant: v, west: west, east: east, name: "alias/classic-" + randomHex(8)}
					s.client[0] = newClient(t, west, west.AccessKeyID, west.AccessKeySecret)
					s.client[1] = newClient(t, east, east.AccessKeyID, east.AccessKeySecret)
					s.run()
				})
			}
		}
	}
}

// story is one run of the main job; each step goes to another node than the one before.
type story struct {
	*testing.T
	variant
	west, east region
	client     [2]*kms.Client // of west and east
	name       string         // the alias, the same in both regions
}

const (
	westSide = iota
	eastSide
)

const (
	payments = `{"app":"payments","ordre":"n° 7 & 8 = <15>"}`
	reports  = `{"app":"reports"}`
)

func (s *story) run() {
	westKey := s.createKey(westSide, 0, "payments of "+s.west.ID)
	eastKey := s.createKey(eastSide, 1, "payments of "+s.east.ID)
	archive := s.createKey(eastSide, 2, "archive")
	s.createAlias(westSide, 1, s.name, westKey)
	s.createAlias(eastSide, 2, s.name, eastKey)

	text := []byte("what the application stores")
	blob := s.encrypt(westSide, 2, s.name, text, payments)
	for node := range 3 {
		s.wantPlaintext("decrypt", s.decrypt(westSide, node, blob, payments), text)
	}

	dataKey, sealed := s.generateDataKey(westSide, 0, s.name, payments)
	opened := s.decrypt(westSide, 1, sealed, payments)
	s.wantPlaintext("the data key on another node", opened, dataKey)
	moved := s.encrypt(eastSide, 0, s.name, opened, payments)
	s.wantPlaintext("the data key in the other region", s.decrypt(eastSide, 2, moved, payments), dataKey)
	archived := s.reEncrypt(eastSide, 1, moved, payments, archive, reports)
	s.wantPlaintext("the data key under another key and context", s.decrypt(eastSide, 0, archived, reports), dataKey)

	s.lists(westKey)
	s.states(westKey, blob, text)
	s.refusals(westKey, blob, archived)
	s.deletion(archive, archived)
}

func (s *story) createKey(side, node int, description string) string {
	s.Helper()
	request := kms.CreateCreateKeyRequest()
	request.Description = description
	s.at(request.RpcRequest, side, node)
	answer, err := s.client[side].CreateKey(request)
	s.ok("CreateKey", err)
	m := answer.KeyMetadata
	if m.KeyState != "Enabled" || m.KeySpec != "Aliyun_AES_256" || m.Description != description || m.PrimaryKeyVersion == "" ||
		m.Arn != fmt.Sprintf("acs:kms:%s:%s:key/%s", s.region(side).ID, s.region(side).Account, m.KeyId) {
		s.Fatalf("CreateKey answers %+v", m)
	}
	if _, err := time.Parse(time.RFC3339, m.CreationDate); err != nil {
		s.Errorf("CreationDate: %v", err)
	}
	return m.KeyId
}

func (s *story) createAlias(side, node int, name, key string) {
	s.Helper()
	request := kms.CreateCreateAliasRequest()
	request.AliasName, request.KeyId = name, key
	s.at(request.RpcRequest, side, node)
	_, err := s.client[side].CreateAlias(request)
	s.ok("CreateAlias", err)
}

func (s *story) encrypt(side, node int, key string, text []byte, context string) string {
	s.Helper()
	blob, err := s.tryEncrypt(s.client[side], side, node, key, text, context)
	s.ok("Encrypt", err)
	return blob
}

func (s *story) tryEncrypt(client *kms.Client, side, node int, key string, text []byte, context string) (string, error) {
	request := kms.CreateEncryptRequest()
	request.KeyId, request.Plaintext, request.EncryptionContext = key, base64.StdEncoding.EncodeToString(text), context
	s.at(request.RpcRequest, side, node)
	answer, err := client.Encrypt(request)
	if err != nil {
		return "", err
	}
	return answer.CiphertextBlob, nil
}

func (s *story) decrypt(side, node int, blob, context string) []byte {
	s.Helper()
	text, err := s.tryDecrypt(side, node, blob, context)
	s.ok("Decrypt", err)
	return text
}

func (s *story) tryDecrypt(side, node int, blob, context string) ([]byte, error) {
	request := kms.CreateDecryptRequest()
	request.CiphertextBlob, request.EncryptionContext = blob, context
	s.at(request.RpcRequest, side, node)
	answer, err := s.client[side].Decrypt(request)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Plaintext)
}

func (s *story) generateDataKey(side, node int, key, context string) (plaintext []byte, blob string) {
	s.Helper()
	request := kms.CreateGenerateDataKeyRequest()
	request.KeyId, request.EncryptionContext, request.KeySpec = key, context, "AES_256"
	s.at(request.RpcRequest, side, node)
	answer, err := s.client[side].GenerateDataKey(request)
	s.ok("GenerateDataKey", err)
	plaintext, err = base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil || len(plaintext) != 32 {
		s.Fatalf("GenerateDataKey answers a data key of %d bytes (%v), want 32", len(plaintext), err)
	}
	return plaintext, answer.CiphertextBlob
}

func (s *story) reEncrypt(side, node int, blob, from, key, to string) string {
	s.Helper()
	request := kms.CreateReEncryptRequest()
	request.CiphertextBlob, request.SourceEncryptionContext = blob, from
	request.DestinationKeyId, request.DestinationEncryptionContext = key, to
	s.at(request.RpcRequest, side, node)
	answer, err := s.client[side].ReEncrypt(request)
	s.ok("ReEncrypt", err)
	if answer.KeyId != key {
		s.Errorf("ReEncrypt answers key %s, want %s", answer.KeyId, key)
	}
	return answer.CiphertextBlob
}

// lists reads back what was made, by description, list and region.
func (s *story) lists(key string) {
	s.Helper()
	describe := kms.CreateDescribeKeyRequest()
	describe.KeyId = s.name
	s.at(describe.RpcRequest, westSide, 2)
	described, err := s.client[westSide].DescribeKey(describe)
	s.ok("DescribeKey", err)
	if described.KeyMetadata.KeyId != key {
		s.Errorf("DescribeKey of the alias answers key %s, want %s", described.KeyMetadata.KeyId, key)
	}

	keys := kms.CreateListKeysRequest()
	keys.PageSize = requests.NewInteger(100)
	s.at(keys.RpcRequest, westSide, 0)
	listed, err := s.client[westSide].ListKeys(keys)
	s.ok("ListKeys", err)
	if listed.TotalCount == 0 || len(listed.Keys.Key) != min(listed.TotalCount, 100) || listed.Keys.Key[0].KeyArn == "" {
		s.Errorf("ListKeys answers %d of %d keys: %+v", len(listed.Keys.Key), listed.TotalCount, listed.Keys)
	}

	names := kms.CreateListAliasesByKeyIdRequest()
	names.KeyId = key
	s.at(names.RpcRequest, westSide, 1)
	aliases, err := s.client[westSide].ListAliasesByKeyId(names)
	s.ok("ListAliasesByKeyId", err)
	if len(aliases.Aliases.Alias) != 1 || aliases.Aliases.Alias[0].AliasName != s.name || aliases.Aliases.Alias[0].KeyId != key {
		s.Errorf("ListAliasesByKeyId answers %+v, want %s", aliases.Aliases, s.name)
	}

	regions := kms.CreateDescribeRegionsRequest()
	s.at(regions.RpcRequest, westSide, 1)
	known, err := s.client[westSide].DescribeRegions(regions)
	s.ok("DescribeRegions", err)
	if r := known.Regions.Region; len(r) != 2 || r[0].RegionId != s.west.ID || r[1].RegionId != s.east.ID {
		s.Errorf("DescribeRegions answers %+v, want %s and %s", r, s.west.ID, s.east.ID)
	}
}

// states disables and enables a key; every node knows it as soon as the call returns.
func (s *story) states(key, blob string, text []byte) {
	s.Helper()
	disable := kms.CreateDisableKeyRequest()
	disable.KeyId = key
	s.at(disable.RpcRequest, westSide, 0)
	_, err := s.client[westSide].DisableKey(disable)
	s.ok("DisableKey", err)
	for node := range 3 {
		_, err := s.tryEncrypt(s.client[westSide], westSide, node, s.name, text, "")
		s.refused("Encrypt with a disabled key", err, http.StatusConflict, "Rejected.Disabled")
		_, err = s.tryDecrypt(westSide, node, blob, payments)
		s.refused("Decrypt with a disabled key", err, http.StatusConflict, "Rejected.Disabled")
	}
	enable := kms.CreateEnableKeyRequest()
	enable.KeyId = key
	s.at(enable.RpcRequest, westSide, 2)
	_, err = s.client[westSide].EnableKey(enable)
	s.ok("EnableKey", err)
	for node := range 3 {
		s.wantPlaintext("decrypt with the key enabled again", s.decrypt(westSide, node, blob, payments), text)
	}
}

// refusals are the mistakes that a caller can make, each with the code that SDKs switch on.
func (s *story) refusals(key, blob, eastBlob string) {
	s.Helper()
	_, err := s.tryEncrypt(newClient(s.T, s.west, s.west.AccessKeyID, "not the secret"), westSide, 0, key, []byte("x"), payments)
	s.refused("a wrong secret", err, http.StatusBadRequest, "SignatureDoesNotMatch")
	var answer *sdkerrors.ServerError
	if s.format == "JSON" && errors.As(err, &answer) && !strings.HasPrefix(answer.Recommend(), "InvalidAccessKeySecret") {
		s.Errorf("the SDK takes a wrong secret for: %q\n%s", answer.Recommend(), answer.Message())
	}
	_, err = s.tryEncrypt(newClient(s.T, s.west, "nobody", "not the secret"), westSide, 0, key, []byte("x"), "")
	s.refused("an unknown access key", err, http.StatusNotFound, "InvalidAccessKeyId.NotFound")
	_, err = s.tryEncrypt(s.client[westSide], westSide, 1, "00000000-0000-4000-8000-000000000000", []byte("x"), "")
	s.refused("an unknown key", err, http.StatusNotFound, "Forbidden.KeyNotFound")
	_, err = s.tryEncrypt(s.client[westSide], westSide, 1, s.name+"-no", []byte("x"), "")
	s.refused("an unknown alias", err, http.StatusNotFound, "Forbidden.AliasNotFound")
	_, err = s.tryDecrypt(westSide, 2, blob, reports)
	s.refused("a wrong context", err, http.StatusBadRequest, "InvalidParameter")
	_, err = s.tryDecrypt(westSide, 2, blob, "")
	s.refused("a missing context", err, http.StatusBadRequest, "InvalidParameter")
	_, err = s.tryDecrypt(westSide, 0, eastBlob, reports)
	s.refused("a blob of the other region", err, http.StatusBadRequest, "InvalidParameter.WrongRegion")
	if err != nil && !strings.Contains(err.Error(), s.east.ID) {
		s.Errorf("the refusal does not name region %s: %v", s.east.ID, err)
	}
	full := make([]byte, 4096)
	_, err = rand.Read(full)
	s.ok("random bytes", err)
	s.wantPlaintext("4,096 bytes", s.decrypt(westSide, 1, s.encrypt(westSide, 0, key, full, payments), payments), full)
	_, err = s.tryEncrypt(s.client[westSide], westSide, 0, key, append(full, 0), payments)
	s.refused("4,097 bytes", err, http.StatusBadRequest, "InvalidParameter")

	again := kms.CreateCreateAliasRequest()
	again.AliasName, again.KeyId = s.name, key
	s.at(again.RpcRequest, westSide, 2)
	_, err = s.client[westSide].CreateAlias(again)
	s.refused("an alias that exists", err, http.StatusBadRequest, "AliasAlreadyExists")
}

// deletion plans the end of a key, takes it back, and plans it again; the alias goes with DeleteAlias.
func (s *story) deletion(key, blob string) {
	s.Helper()
	for round := range 2 {
		plan := kms.CreateScheduleKeyDeletionRequest()
		plan.KeyId, plan.PendingWindowInDays = key, requests.NewInteger(7)
		s.at(plan.RpcRequest, eastSide, round)
		_, err := s.client[eastSide].ScheduleKeyDeletion(plan)
		s.ok("ScheduleKeyDeletion", err)
		_, err = s.tryDecrypt(eastSide, 2, blob, reports)
		s.refused("Decrypt with a key that is to be deleted", err, http.StatusConflict, "Rejected.PendingDeletion")
		if round == 0 {
			cancel := kms.CreateCancelKeyDeletionRequest()
			cancel.KeyId = key
			s.at(cancel.RpcRequest, eastSide, 2)
			_, err = s.client[eastSide].CancelKeyDeletion(cancel)
			s.ok("CancelKeyDeletion", err)
			s.decrypt(eastSide, 0, blob, reports)
		}
	}
	remove := kms.CreateDeleteAliasRequest()
	remove.AliasName = s.name
	s.at(remove.RpcRequest, eastSide, 1)
	_, err := s.client[eastSide].DeleteAlias(remove)
	s.ok("DeleteAlias", err)
	_, err = s.tryEncrypt(s.client[eastSide], eastSide, 0, s.name, []byte("x"), "")
	s.refused("a deleted alias", err, http.StatusNotFound, "Forbidden.AliasNotFound")
}

func (s *story) region(side int) region {
	if side == westSide {
		return s.west
	}
	return s.east
}

func (s *story) at(request *requests.RpcRequest, side, node int) {
	s.Helper()
	s.to(s.T, request, s.region(side), node)
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

// refused wants an error of the service. The SDK reads code and message only out of JSON; of an XML answer it keeps the text.
func (s *story) refused(what string, err error, status int, code string) {
	s.Helper()
	var answer *sdkerrors.ServerError
	switch {
	case !errors.As(err, &answer):
		s.Errorf("%s: error %v, want %s", what, err, code)
	case answer.HttpStatus() != status:
		s.Errorf("%s: status %d, want %d: %v", what, answer.HttpStatus(), status, err)
	case s.format == "JSON" && (answer.ErrorCode() != code || answer.RequestId() == ""):
		s.Errorf("%s: code %s, request %q, want %s: %v", what, answer.ErrorCode(), answer.RequestId(), code, err)
	case s.format == "XML" && !strings.Contains(answer.Message(), "<Code>"+code+"</Code>"):
		s.Errorf("%s: %v, want %s", what, err, code)
	}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
