package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// Files that `meridian key import --parameters-only` writes.
const (
	publicKeyFile = "public-key.pem"
	tokenFile     = "import-token"
)

// wrappedBytes is the length of material under a public key of RSA_2048.
const wrappedBytes = 256

// importParameters is what GetParametersForImport answers.
type importParameters struct {
	scheme                                  crypto.EncryptionScheme
	ImportToken, PublicKey, TokenExpireTime string
	answer                                  client.Response
}

// importParametersView is the result of `meridian key import --parameters-only`.
type importParametersView struct {
	KeyID     string `json:"key_id"`
	Wrapping  string `json:"wrapping_algorithm"`
	PublicKey string `json:"public_key_file"`
	Token     string `json:"import_token_file"`
	Expires   string `json:"import_token_expires"`
	answered
}

// importParameters asks for a public key to wrap material under, and its token.
func (s *session) importParameters(ctx context.Context, id string, scheme crypto.EncryptionScheme) (*importParameters, error) {
	p := &importParameters{scheme: scheme}
	var err error
	p.answer, err = s.send(ctx, "GetParametersForImport", map[string]string{
		"KeyId": id, "WrappingAlgorithm": string(scheme), "WrappingKeySpec": "RSA_2048",
	}, p)
	return p, err
}

// der is the SubjectPublicKeyInfo.
func (p *importParameters) der() ([]byte, error) {
	der, err := base64.StdEncoding.DecodeString(p.PublicKey)
	if err != nil {
		return nil, errors.New("the answer's public key is no Base64")
	}
	return der, nil
}

// wrap encrypts material under the public key, as the API page
// ImportKeyMaterial has it: OAEP with one hash for label and mask, and no label.
func (p *importParameters) wrap(material crypto.Secret) ([]byte, error) {
	der, err := p.der()
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("the answer's public key: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok || public.Size() != wrappedBytes {
		return nil, errors.New("the answer's public key is not of RSA_2048")
	}
	switch p.scheme {
	case crypto.RSAESOAEPSHA1:
		return rsa.EncryptOAEP(sha1.New(), rand.Reader, public, material, nil)
	case crypto.RSAESPKCS1v15:
		//lint:ignore SA1019 the API has it for key material, and older HSMs know no other
		return rsa.EncryptPKCS1v15(rand.Reader, public, material)
	}
	return rsa.EncryptOAEP(sha256.New(), rand.Reader, public, material, nil)
}

// writeParameters writes a public key and its token into a folder.
func (f *importFlags) writeParameters(ctx context.Context, s *session, ref string, r importRequest) error {
	k, err := s.importable(ctx, ref)
	if err != nil {
		return err
	}
	if f.dryRun && !s.explain {
		return s.wouldDo("get parameters to import material into", "key "+k.ID, "")
	}
	if !s.explain {
		if err := os.MkdirAll(f.parametersOnly, 0o700); err != nil {
			return usageError("--parameters-only: %w", err)
		}
	}
	p, err := s.importParameters(ctx, k.ID, r.scheme)
	if err != nil {
		return err
	}
	if s.explain {
		return errExplained
	}
	der, err := p.der()
	if err != nil {
		return err
	}
	view := importParametersView{
		KeyID: k.ID, Wrapping: string(r.scheme), PublicKey: filepath.Join(f.parametersOnly, publicKeyFile),
		Token: filepath.Join(f.parametersOnly, tokenFile), Expires: p.TokenExpireTime, answered: answeredBy(p.answer),
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := errors.Join(writeTo(view.PublicKey, s.out, text), writeTo(view.Token, s.out, []byte(p.ImportToken+"\n"))); err != nil {
		return err
	}
	return s.value(view, func(w io.Writer) {
		fields(w, "key", k.ID, "public key", view.PublicKey, "import token", view.Token, "expires", view.Expires, "wrapping", view.Wrapping)
		if !s.quiet {
			fmt.Fprintf(w, "\nEncrypt the material under it, as by\n  openssl pkeyutl -encrypt -pubin -inkey %s -in material -out wrapped %s\nand import it by\n  meridian key import %s --wrapped wrapped --import-token %s\n",
				shellQuote(view.PublicKey), pkeyoptOf(r.scheme), k.ID, shellQuote(view.Token))
		}
	})
}

// pkeyoptOf is how openssl pkeyutl is told of a wrapping algorithm.
func pkeyoptOf(scheme crypto.EncryptionScheme) string {
	switch scheme {
	case crypto.RSAESOAEPSHA1:
		return "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1"
	case crypto.RSAESPKCS1v15:
		return "-pkeyopt rsa_padding_mode:pkcs1"
	}
	return "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"
}

// readWrapped reads wrapped material, as bytes or Base64.
func readWrapped(path string) ([]byte, error) {
	data, err := readSmall("--wrapped", path)
	if err != nil {
		return nil, err
	}
	if len(data) == wrappedBytes {
		return data, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
	if err != nil || len(decoded) != wrappedBytes {
		return nil, usageError("--wrapped: want the %d bytes that encryption under the public key gives, or their Base64; %s has %d bytes", wrappedBytes, path, len(data))
	}
	return decoded, nil
}

// readToken reads the token of an import.
func readToken(path string) (string, error) {
	data, err := readSmall("--import-token", path)
	if err != nil {
		return "", err
	}
	token := strings.Join(strings.Fields(string(data)), "")
	if raw, err := base64.StdEncoding.DecodeString(token); err != nil || len(raw) == 0 {
		return "", usageError("--import-token: %s is no Base64; want the file that --parameters-only wrote", path)
	}
	return token, nil
}

// maxSmallFile bounds files whose content is known to be short.
const maxSmallFile = 64 << 10

// readSmall reads a file that a flag names.
func readSmall(flag, path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError("%s: %w", flag, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSmallFile+1))
	if err != nil {
		return nil, usageError("%s: %w", flag, err)
	}
	if len(data) > maxSmallFile {
		return nil, usageError("%s: %s is longer than %d bytes", flag, path, maxSmallFile)
	}
	return data, nil
}
