package classic

import (
	"bytes"
	"net/http"
	"slices"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/kms"
)

// versions rotates a symmetric key by hand, and gives an asymmetric one a second pair. A region of meridian dev allows a
// new version at any time.
func versions(c, _ *caller) {
	key := c.createKey(nil)
	alias := "alias/classic-" + randomHex(8)
	c.createAlias(alias, key.KeyId)
	text := []byte("older than the key's version")
	blobs := []string{c.encrypt(alias, text, payments).CiphertextBlob}
	ids := []string{key.PrimaryKeyVersion}
	for _, name := range []string{key.KeyId, alias, key.Arn} {
		made := c.createVersion(name)
		if made.KeyId != key.KeyId || slices.Contains(ids, made.KeyVersionId) {
			c.Errorf("CreateKeyVersion answers %+v", made)
		}
		ids = append([]string{made.KeyVersionId}, ids...)
		c.wantVersion(key.KeyId, alias, made)
		sealed := c.encrypt(alias, text, payments)
		if sealed.KeyVersionId != made.KeyVersionId {
			c.Errorf("sealed under version %s, want %s", sealed.KeyVersionId, made.KeyVersionId)
		}
		blobs = append(blobs, sealed.CiphertextBlob)
	}
	for _, blob := range blobs {
		if got := c.decrypt(blob, payments); !bytes.Equal(got, text) {
			c.Errorf("opens to %q", got)
		}
	}
	var listed []string
	for _, version := range c.listVersions(alias) {
		listed = append(listed, version.KeyVersionId)
	}
	if !slices.Equal(listed, ids) {
		c.Errorf("the versions are %v, want %v", listed, ids)
	}
	unknown := kms.CreateDescribeKeyVersionRequest()
	unknown.KeyId, unknown.KeyVersionId = key.KeyId, noKey
	refused(c, c.client.DescribeKeyVersion, unknown.RpcRequest, unknown, http.StatusNotFound, "Forbidden.KeyVersionNotFound")
	secondPair(c)
}

func (c *caller) createVersion(key string) kms.KeyVersion {
	c.Helper()
	request := kms.CreateCreateKeyVersionRequest()
	request.KeyId = key
	return must(c, c.client.CreateKeyVersion, request.RpcRequest, request).KeyVersion
}

// wantVersion insists that each node knows the version and takes it for the primary one.
func (c *caller) wantVersion(key, name string, want kms.KeyVersion) {
	c.Helper()
	c.moment(want.CreationDate)
	for range c.region.Endpoints {
		request := kms.CreateDescribeKeyVersionRequest()
		request.KeyId, request.KeyVersionId = name, want.KeyVersionId
		if got := must(c, c.client.DescribeKeyVersion, request.RpcRequest, request).KeyVersion; got != want {
			c.Errorf("version %+v, want %+v", got, want)
		}
		if got := c.describe(key); got.PrimaryKeyVersion != want.KeyVersionId || got.LastRotationDate != want.CreationDate {
			c.Errorf("the primary version is %s of %s, want %s of %s", got.PrimaryKeyVersion, got.LastRotationDate, want.KeyVersionId, want.CreationDate)
		}
	}
}

// listVersions turns pages of two.
func (c *caller) listVersions(key string) (versions []kms.KeyVersion) {
	c.Helper()
	for page := 1; ; page++ {
		request := kms.CreateListKeyVersionsRequest()
		request.KeyId, request.PageNumber, request.PageSize = key, requests.NewInteger(page), requests.NewInteger(2)
		answer := must(c, c.client.ListKeyVersions, request.RpcRequest, request)
		versions = append(versions, answer.KeyVersions.KeyVersion...)
		if len(answer.KeyVersions.KeyVersion) == 2 && len(versions) < answer.TotalCount {
			continue
		}
		if len(versions) != answer.TotalCount || answer.PageNumber != page || answer.PageSize != 2 {
			c.Errorf("%d versions on page %d of %d, want %d", len(versions), answer.PageNumber, page, answer.TotalCount)
		}
		return versions
	}
}

// secondPair has both versions of an asymmetric key sign; neither signs for the other.
func secondPair(c *caller) {
	c.Helper()
	first := newKeyPair(c, pair{spec: "EC_P256", usage: "SIGN/VERIFY"})
	second := first
	second.version = c.createVersion(first.alias).KeyVersionId
	second.public = c.publicKey(second.id, second.version)
	ecdsa := algorithm{name: "ECDSA_SHA_256"}
	first.signs(c, ecdsa)
	second.signs(c, ecdsa)
	digest := first.digest(c, ecdsa.name, "message")
	sign := kms.CreateAsymmetricSignRequest()
	sign.KeyId, sign.KeyVersionId, sign.Algorithm, sign.Digest = first.id, first.version, ecdsa.name, encode(digest)
	signature := c.decode(must(c, c.client.AsymmetricSign, sign.RpcRequest, sign).Value)
	second.verifies(c, ecdsa.name, digest, signature, false)
	if c.describe(first.id).PrimaryKeyVersion != "" {
		c.Errorf("an asymmetric key has a primary version")
	}
}
