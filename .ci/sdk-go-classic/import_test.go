package classic

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// wrappings are the ways in which key material may come. The public service has SM2PKE for its HSMs alone; here it is
// refused, as are RSA keys of another size.
var wrappings = []string{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSAES_PKCS1_V1_5"}

// imports gives a key its material from outside, takes it away and gives it back; in one wrapping, another in each run,
// with every mistake there is. Each ticket costs the service an RSA key.
func imports(c, _ *caller) {
	thorough := wrappings[c.next]
	for _, wrapping := range wrappings {
		importOne(c, wrapping)
	}
	importMistakes(c, thorough)
	external := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId
	for _, wrong := range [][2]string{{"RSAES_OAEP_SHA_512", "RSA_2048"}, {"RSAES_OAEP_SHA_256", "RSA_4096"}, {"SM2PKE", "EC_SM2"}, {"RSAES_OAEP_SHA_256", "EC_SM2"}} {
		request := parametersRequest(external, wrong[0])
		request.WrappingKeySpec = wrong[1]
		refused(c, c.client.GetParametersForImport, request.RpcRequest, request, http.StatusBadRequest, "InvalidParameter")
	}
	own := c.createKey(nil).KeyId
	parameters := parametersRequest(own, wrappings[0])
	refused(c, c.client.GetParametersForImport, parameters.RpcRequest, parameters, http.StatusBadRequest, "Unsupported.Origin")
	remove := kms.CreateDeleteKeyMaterialRequest()
	remove.KeyId = own
	refused(c, c.client.DeleteKeyMaterial, remove.RpcRequest, remove, http.StatusBadRequest, "Unsupported.Origin")
	asymmetric := kms.CreateCreateKeyRequest()
	asymmetric.KeySpec, asymmetric.Origin = "RSA_2048", "EXTERNAL"
	refused(c, c.client.CreateKey, asymmetric.RpcRequest, asymmetric, http.StatusBadRequest, "InvalidParameter")
}

// importOne imports, and imports again: the same material opens what it sealed, and no other is taken.
func importOne(c *caller, wrapping string) {
	c.Helper()
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" })
	if key.KeyState != "PendingImport" || key.Origin != "EXTERNAL" || key.PrimaryKeyVersion != "" {
		c.Errorf("CreateKey answers %+v", key)
	}
	c.wantPendingImport(key.KeyId)
	material, text := randomBytes(c, 32), []byte("sealed under imported material")
	c.give(c.ticket(key.KeyId, wrapping), material)
	if made := c.describe(key.KeyId); made.KeyState != "Enabled" || made.PrimaryKeyVersion == "" || made.MaterialExpireTime != "" {
		c.Errorf("after the import: %+v", made)
	}
	blob := c.encrypt(key.KeyId, text, payments).CiphertextBlob
	c.takeAway(key.KeyId)
	c.wantPendingImport(key.KeyId)
	for range c.region.Endpoints {
		request := decryptRequest(blob, payments)
		refused(c, c.client.Decrypt, request.RpcRequest, request, http.StatusConflict, "Rejected.PendingImport")
	}
	c.takeAway(key.KeyId) // nothing to take is no mistake
	c.refuseMaterial(c.ticket(key.KeyId, wrapping), randomBytes(c, 32), "InvalidKeyMaterial")
	c.give(c.ticket(key.KeyId, wrapping), material)
	for range c.region.Endpoints {
		if got := c.decrypt(blob, payments); !bytes.Equal(got, text) {
			c.Errorf("opens to %q", got)
		}
	}
}

// importMistakes are material of another length or another key's, and tokens that are used up or another key's.
func importMistakes(c *caller, wrapping string) {
	c.Helper()
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId
	material := randomBytes(c, 32)
	c.refuseMaterial(c.ticket(key, wrapping), material[:31], "InvalidKeyMaterial")
	c.refuseMaterial(c.ticket(key, wrapping), append(bytes.Clone(material), 0), "InvalidKeyMaterial")
	first := c.ticket(key, wrapping)
	c.give(first, material)
	c.refuseMaterial(first, material, "InvalidImportToken")
	blob := c.encrypt(key, []byte("text"), "").CiphertextBlob
	c.give(c.ticket(key, wrapping), material) // the same again, over what is there
	c.decrypt(blob, "")
	c.refuseMaterial(c.ticket(key, wrapping), randomBytes(c, 32), "InvalidKeyMaterial")
	swapped := c.ticket(c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId, wrapping)
	swapped.key = key
	c.refuseMaterial(swapped, material, "InvalidImportToken")
	mixed := c.ticket(key, wrapping)
	mixed.public = c.ticket(key, wrapping).public // the material does not open with the key of its token
	c.refuseMaterial(mixed, material, "InvalidKeyMaterial")
	c.decrypt(blob, "")
}

// oneToken uses one token on all nodes at once: it is good for one import, whichever comes first.
func oneToken(c, _ *caller) {
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId
	t, material := c.ticket(key, wrappings[0]), randomBytes(c, 32)
	results := make(chan error, len(c.region.Endpoints))
	for node := range c.region.Endpoints {
		request := c.importRequest(t, material)
		c.to(c.T, request.RpcRequest, c.region, node)
		client := newCaller(c.T, c.variant, c.region, node, c.transport).client
		go func() {
			_, err := client.ImportKeyMaterial(request)
			results <- err
		}()
	}
	imported := 0
	for range c.region.Endpoints {
		if err := <-results; err == nil {
			imported++
		} else {
			c.wantRefusal("ImportKeyMaterial", err, http.StatusBadRequest, "InvalidImportToken")
		}
	}
	if imported != 1 {
		c.Errorf("one token was good for %d imports", imported)
	}
	c.decrypt(c.encrypt(key, []byte("text"), "").CiphertextBlob, "")
}

// importStates takes and gives material while the key is disabled or waits for its end.
func importStates(c, _ *caller) {
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId
	material := randomBytes(c, 32)
	c.give(c.ticket(key, wrappings[0]), material)
	blob := c.encrypt(key, []byte("text"), "").CiphertextBlob
	version := kms.CreateCreateKeyVersionRequest()
	version.KeyId = key
	refused(c, c.client.CreateKeyVersion, version.RpcRequest, version, http.StatusBadRequest, "Unsupported.Origin")

	c.disable(key)
	c.give(c.ticket(key, wrappings[0]), material)
	if got := c.describe(key).KeyState; got != "Disabled" {
		c.Errorf("an import leaves a disabled key %s", got)
	}
	c.enable(key)
	c.decrypt(blob, "")

	c.scheduleDeletion(key)
	end := c.describe(key).DeleteDate
	late := c.importRequest(c.ticket(key, wrappings[0]), material)
	refused(c, c.client.ImportKeyMaterial, late.RpcRequest, late, http.StatusConflict, "Rejected.StateModifiedFailed")
	c.takeAway(key)
	if got := c.describe(key); got.KeyState != "PendingDeletion" || got.DeleteDate != end {
		c.Errorf("without its material the key is %s until %s, want PendingDeletion until %s", got.KeyState, got.DeleteDate, end)
	}
	cancel := kms.CreateCancelKeyDeletionRequest()
	cancel.KeyId = key
	must(c, c.client.CancelKeyDeletion, cancel.RpcRequest, cancel)
	c.wantPendingImport(key)
	c.give(c.ticket(key, wrappings[0]), material)
	c.decrypt(blob, "")
}

// ticket is what an import needs: a public key and a token that belong together.
type ticket struct {
	key, wrapping, token string
	public               publicKey
}

func parametersRequest(key, wrapping string) *kms.GetParametersForImportRequest {
	request := kms.CreateGetParametersForImportRequest()
	request.KeyId, request.WrappingAlgorithm, request.WrappingKeySpec = key, wrapping, "RSA_2048"
	return request
}

func (c *caller) ticket(key, wrapping string) ticket {
	c.Helper()
	request := parametersRequest(key, wrapping)
	answer := must(c, c.client.GetParametersForImport, request.RpcRequest, request)
	left := time.Until(c.moment(answer.TokenExpireTime))
	if answer.KeyId != key || left < 23*time.Hour || left > 24*time.Hour {
		c.Errorf("parameters for key %s, good for %v", answer.KeyId, left)
	}
	if strings.Contains(answer.PublicKey, "BEGIN") {
		c.Errorf("the public key is PEM: %s", answer.PublicKey)
	}
	public, err := parsePublicKeyInfo(c.decode(answer.PublicKey))
	if err != nil || public.rsa == nil || public.rsa.Size() != 256 {
		c.Fatalf("the public key is no RSA key of 2048 bits: %v", err)
	}
	return ticket{key, wrapping, answer.ImportToken, public}
}

func (c *caller) importRequest(t ticket, material []byte) *kms.ImportKeyMaterialRequest {
	c.Helper()
	wrapped, err := t.public.encrypt(t.wrapping, material)
	if err != nil {
		c.Fatal(err)
	}
	request := kms.CreateImportKeyMaterialRequest()
	request.KeyId, request.ImportToken, request.EncryptedKeyMaterial = t.key, t.token, encode(wrapped)
	request.KeyMaterialExpireUnix = requests.NewInteger(0)
	return request
}

func (c *caller) give(t ticket, material []byte) {
	c.Helper()
	request := c.importRequest(t, material)
	must(c, c.client.ImportKeyMaterial, request.RpcRequest, request)
}

func (c *caller) refuseMaterial(t ticket, material []byte, code string) {
	c.Helper()
	request := c.importRequest(t, material)
	refused(c, c.client.ImportKeyMaterial, request.RpcRequest, request, http.StatusBadRequest, code)
}

func (c *caller) takeAway(key string) {
	c.Helper()
	request := kms.CreateDeleteKeyMaterialRequest()
	request.KeyId = key
	must(c, c.client.DeleteKeyMaterial, request.RpcRequest, request)
}

// wantPendingImport insists that each node says so and seals nothing.
func (c *caller) wantPendingImport(key string) {
	c.Helper()
	for range c.region.Endpoints {
		if got := c.describe(key); got.KeyState != "PendingImport" {
			c.Errorf("key %s, want PendingImport", got.KeyState)
		}
		request := encryptRequest(key, []byte("text"), "")
		refused(c, c.client.Encrypt, request.RpcRequest, request, http.StatusConflict, "Rejected.PendingImport")
	}
}

// expiry gives material that ends by itself, and changes when.
func expiry(c, _ *caller) {
	key := c.createKey(func(r *kms.CreateKeyRequest) { r.Origin = "EXTERNAL" }).KeyId
	material := randomBytes(c, 32)
	until := func(moment time.Time) *kms.ImportKeyMaterialRequest {
		request := c.importRequest(c.ticket(key, wrappings[0]), material)
		request.KeyMaterialExpireUnix = requests.NewInteger64(moment.Unix())
		return request
	}
	past := until(time.Now().Add(-time.Minute))
	refused(c, c.client.ImportKeyMaterial, past.RpcRequest, past, http.StatusBadRequest, "InvalidParameter")
	for _, days := range []int{1, 400} {
		end := time.Now().AddDate(0, 0, days).Truncate(time.Second)
		request := until(end)
		must(c, c.client.ImportKeyMaterial, request.RpcRequest, request)
		for range c.region.Endpoints {
			if got := c.describe(key).MaterialExpireTime; !c.moment(got).Equal(end) {
				c.Errorf("the material expires on %s, want %v", got, end.UTC())
			}
		}
	}
	c.give(c.ticket(key, wrappings[0]), material)
	if got := c.describe(key).MaterialExpireTime; got != "" {
		c.Errorf("the material expires on %s, want never", got)
	}
	if c.variant != (variant{"http", "JSON", "GET"}) {
		return // one run waits for an end to come
	}
	// A short life, and then the key waits for its material again on each node.
	short := until(time.Now().Add(time.Hour))
	short.KeyMaterialExpireUnix = requests.NewInteger64(time.Now().Add(5 * time.Second).Unix())
	must(c, c.client.ImportKeyMaterial, short.RpcRequest, short)
	blob := c.encrypt(key, []byte("short-lived"), "").CiphertextBlob
	deadline := time.Now().Add(30 * time.Second)
	for gone := 0; gone < len(c.region.Endpoints); {
		switch state := c.describe(key).KeyState; {
		case state == "PendingImport":
			gone++
		case time.Now().After(deadline):
			c.Fatalf("25 s after the end of its material the key is %s", state)
		default:
			gone = 0
			time.Sleep(200 * time.Millisecond)
		}
	}
	for range c.region.Endpoints {
		request := decryptRequest(blob, "")
		refused(c, c.client.Decrypt, request.RpcRequest, request, http.StatusConflict, "Rejected.PendingImport")
	}
}

func randomBytes(c *caller, n int) []byte {
	c.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		c.Fatal(err)
	}
	return b
}
