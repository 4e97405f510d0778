package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// explained are command lines of every verb that makes a call, and the actions
// that it calls.
var explained = []struct{ line, actions string }{
	{"key create --alias alias/a --protect", "DescribeKey CreateKey CreateAlias SetDeletionProtection"},
	{"key list", "ListKeys ListAliases"},
	{"key describe alias/a", "DescribeKey ListAliasesByKeyId"},
	{"key versions alias/a", "DescribeKey ListKeyVersions"},
	{"key rotate alias/a", "CreateKeyVersion"},
	{"key rotate alias/a --every 30d", "DescribeKey UpdateRotationPolicy"},
	{"key enable alias/a", "DescribeKey EnableKey"},
	{"key disable alias/a", "DescribeKey ListAliasesByKeyId DisableKey"},
	{"key delete alias/a --dry-run", "DescribeKey ListAliasesByKeyId ScheduleKeyDeletion"},
	{"key retire alias/a --version 1 --census JSON", "DescribeKey ListKeyVersions ListAliasesByKeyId ScheduleKeyDeletion"},
	{"key undelete alias/a", "DescribeKey CancelKeyDeletion"},
	{"key protect alias/a", "DescribeKey SetDeletionProtection"},
	{"key update alias/a --description new", "DescribeKey UpdateKeyDescription"},
	{"key update alias/a --description= --dry-run", "DescribeKey UpdateKeyDescription"},
	{"key tag alias/a", "DescribeKey ListResourceTags"},
	{"key tag alias/a b=c --remove d", "DescribeKey UntagResource TagResource"},
	{"key policy get alias/a", "DescribeKey GetKeyPolicy"},
	{"key policy put alias/a --in JSON", "DescribeKey SetKeyPolicy"},
	{"key export-public alias/a --out OUT", "ListKeyVersions GetPublicKey"},
	{"key import alias/a --in MATERIAL", "DescribeKey GetParametersForImport ImportKeyMaterial"},
	{"key import alias/a --parameters-only OUT", "DescribeKey GetParametersForImport"},
	{"key import alias/a --wrapped WRAPPED --import-token TOKEN", "DescribeKey ImportKeyMaterial"},
	{"key delete-material alias/a", "DescribeKey ListAliasesByKeyId DeleteKeyMaterial"},
	{"region transport-key", "GetTransportKey"},
	{"region transport-key --rotate", "RotateTransportKey GetTransportKey"},
	{"public-key alias/a --out OUT", "ListKeyVersions GetPublicKey"},
	{"alias create alias/a alias/b", "DescribeKey CreateAlias"},
	{"alias retarget alias/a alias/b", "DescribeKey UpdateAlias"},
	{"alias list", "ListAliases"},
	{"alias list alias/a", "DescribeKey ListAliasesByKeyId"},
	{"alias delete alias/a", "DescribeKey ListAliasesByKeyId DeleteAlias"},
	{"encrypt alias/a hello --out OUT", "Encrypt"},
	{"encrypt alias/a hello --algorithm SM2PKE", "ListKeyVersions AsymmetricEncrypt"},
	{"decrypt aGVsbG8= --out OUT", "Decrypt"},
	{"decrypt aGVsbG8= --key alias/a", "DescribeKey ListKeyVersions AsymmetricDecrypt"},
	{"reencrypt alias/a aGVsbG8= --out OUT", "ReEncrypt"},
	{"reencrypt alias/a aGVsbG8= --from-key alias/b", "DescribeKey ListKeyVersions ReEncrypt"},
	{"datakey alias/a --plaintext-out OUT", "GenerateDataKey"},
	{"datakey alias/a --to-public PUBLIC --exported-out OUT", "GenerateAndExportDataKey"},
	{"datakey export aGVsbG8= --to-public PUBLIC --out OUT", "ExportDataKey"},
	{"sign alias/a --in JSON --out OUT", "DescribeKey ListKeyVersions AsymmetricSign"},
	{"sign alias/a --in JSON --algorithm SM2DSA", "ListKeyVersions GetPublicKey AsymmetricSign"},
	{"verify alias/a --in JSON --signature-file TOKEN", "DescribeKey ListKeyVersions AsymmetricVerify"},
	{"status", "DescribeRegions"},
	{"bench --actions Decrypt --signature v3", "CreateKey Encrypt Decrypt ScheduleKeyDeletion"},
}

// --explain-api prints every request of a verb, signed, and sends none of them;
// it writes no file and shows neither the secret of the access key nor material.
func TestExplainSendsNothing(t *testing.T) {
	isolate(t)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "someone")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "the-secret-of-someone")
	node := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent", r.Header.Get("x-acs-action"))
	}))
	defer node.Close()
	files := explainFiles(t)
	out := filepath.Join(t.TempDir(), "out")
	for _, tc := range explained {
		t.Run(tc.line, func(t *testing.T) {
			args := strings.Fields(tc.line)
			for i := range args {
				if path, ok := files[args[i]]; ok {
					args[i] = path
				} else if args[i] == "OUT" {
					args[i] = out
				}
			}
			var printed bytes.Buffer
			root := newRoot()
			root.SetArgs(append(args, "--explain-api", "--endpoint", node.URL))
			root.SetIn(strings.NewReader(""))
			root.SetOut(&printed)
			root.SetErr(&printed)
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(actionsIn(printed.String()), " "); got != tc.actions {
				t.Errorf("printed %q, want %q", got, tc.actions)
			}
			if strings.Contains(printed.String(), "the-secret-of-someone") || strings.Contains(printed.String(), "bWF0ZXJpYWw") {
				t.Error("a secret is in what was printed")
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a file was written")
			}
		})
	}
}

// actionsIn are the actions of the requests that were printed.
func actionsIn(text string) (actions []string) {
	for line := range strings.Lines(text) {
		if action, ok := strings.CutPrefix(strings.TrimSpace(line), "x-acs-action: "); ok {
			actions = append(actions, action)
		}
	}
	return actions
}

// explainFiles are files for the flags of verbs, by the words that stand for them.
func explainFiles(t *testing.T) map[string]string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, data := range map[string][]byte{
		"JSON": []byte("{}"), "MATERIAL": []byte("material of thirty-two bytes ..."), "WRAPPED": make([]byte, wrappedBytes),
		"TOKEN": []byte(base64.StdEncoding.EncodeToString([]byte("token"))), "PUBLIC": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
	} {
		files[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(files[name], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// A verb that makes calls and is not explained would be forgotten here.
func TestEveryCallingVerbIsExplained(t *testing.T) {
	root := newRoot()
	var tried []string
	for _, tc := range explained {
		verb, _, err := root.Find(strings.Fields(tc.line))
		if err != nil {
			t.Fatal(err)
		}
		tried = append(tried, verb.CommandPath())
	}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		calls := c.Flags().Lookup("explain-api") != nil || c.InheritedFlags().Lookup("explain-api") != nil
		if calls && !isGroup(c) && c.CommandPath() != "meridian key census" && // which makes none
			!c.Hidden && !slices.Contains(tried, c.CommandPath()) {
			t.Errorf("%s has --explain-api and is not tried", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}
