// Package cse has the object store's SDK encrypt objects on the client under Meridian keys, unchanged:
// github.com/aliyun/aliyun-oss-go-sdk/oss/crypto, whose KMS master cipher wraps a content key and an IV for each object.
package cse

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	osscrypto "github.com/aliyun/aliyun-oss-go-sdk/oss/crypto"
)

const bucketName = "backups"

// Headers of an encrypted object.
const (
	keyHeader   = metaPrefix + "Client-Side-Encryption-Key"
	startHeader = metaPrefix + "Client-Side-Encryption-Start"
	wrapHeader  = metaPrefix + "Client-Side-Encryption-Wrap-Alg"
	cekHeader   = metaPrefix + "Client-Side-Encryption-Cek-Alg"
)

// bucket is the SDK's encrypting bucket, with keys from one node.
type bucket struct {
	*osscrypto.CryptoBucket
	t *testing.T
}

// openBucket returns the bucket whose new objects are encrypted under the key. What describes the key is kept with each
// object; for objects with another description, keys says which key it is.
func openBucket(t *testing.T, s *objectStore, client kmsClient, key string, description map[string]string, keys keyring) bucket {
	t.Helper()
	master, err := osscrypto.CreateMasterAliKms(description, key, client.Client)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := oss.New(s.URL, "storage user", "storage secret")
	if err != nil {
		t.Fatal(err)
	}
	crypto, err := osscrypto.GetCryptoBucket(plain, bucketName, osscrypto.CreateAesCtrCipher(master),
		osscrypto.SetAliKmsClient(client.Client), osscrypto.SetMasterCipherManager(keys))
	if err != nil {
		t.Fatal(err)
	}
	return bucket{crypto, t}
}

// keyring says which key a description means.
type keyring map[string]string

const purpose = "purpose"

// GetMasterKey implements the SDK's MasterCipherManager.
func (k keyring) GetMasterKey(description map[string]string) ([]string, error) {
	return []string{k[description[purpose]]}, nil
}

func (b bucket) put(name string, content []byte) {
	b.t.Helper()
	if err := b.PutObject(name, bytes.NewReader(content)); err != nil {
		b.t.Fatalf("put %s: %v", name, err)
	}
}

func (b bucket) get(name string, options ...oss.Option) []byte {
	b.t.Helper()
	content, err := b.tryGet(name, options...)
	if err != nil {
		b.t.Fatalf("get %s: %v", name, err)
	}
	return content
}

func (b bucket) tryGet(name string, options ...oss.Option) ([]byte, error) {
	body, err := b.GetObject(name, options...)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// wantSealed checks what the store holds of an object: nothing of the content, and an envelope that the service opens.
func wantSealed(t *testing.T, o object, client kmsClient, content []byte) {
	t.Helper()
	if got := o.meta.Get(wrapHeader); got != "KMS/ALICLOUD" {
		t.Errorf("the key is wrapped by %q", got)
	}
	if got := o.meta.Get(cekHeader); got != "AES/CTR/NoPadding" {
		t.Errorf("the content is encrypted by %q", got)
	}
	key, iv := client.decrypt(o.meta.Get(keyHeader)), client.decrypt(o.meta.Get(startHeader))
	if len(key) != 32 || len(iv) != aes.BlockSize {
		t.Fatalf("the envelope holds a key of %d bytes and an IV of %d", len(key), len(iv))
	}
	if len(o.content) != len(content) {
		t.Fatalf("%d bytes are stored, want %d", len(o.content), len(content))
	}
	for i := 0; i+aes.BlockSize <= len(content); i += aes.BlockSize {
		if bytes.Equal(o.content[i:i+aes.BlockSize], content[i:i+aes.BlockSize]) {
			t.Fatalf("the bytes from %d are stored in clear", i)
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	opened := make([]byte, len(o.content))
	cipher.NewCTR(block, iv).XORKeyStream(opened, o.content)
	if !bytes.Equal(opened, content) {
		t.Error("what is stored opens to something else")
	}
}

// move puts the envelope of an object under a key of another region, the content untouched: the two wrapped parts are
// opened here and sealed there, and the object gets them by a copy onto itself.
func move(t *testing.T, s *objectStore, b bucket, name string, from, to kmsClient, key string) {
	t.Helper()
	o := s.object(t, "/"+bucketName+"/"+name)
	meta := o.meta.Clone()
	for _, header := range []string{keyHeader, startHeader} {
		meta.Set(header, to.encrypt(key, from.decrypt(o.meta.Get(header))))
	}
	if err := b.SetObjectMeta(name, metaOptions(meta)...); err != nil {
		t.Fatalf("move %s: %v", name, err)
	}
	if !bytes.Equal(s.object(t, "/"+bucketName+"/"+name).content, o.content) {
		t.Error("the move changed the content")
	}
}

func metaOptions(meta http.Header) (options []oss.Option) {
	for name := range meta {
		options = append(options, oss.Meta(strings.TrimPrefix(name, metaPrefix), meta.Get(name)))
	}
	return options
}

func randomBytes(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
