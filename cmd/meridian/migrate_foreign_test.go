package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// anotherService serves a region as a service would that knows the public API alone, and whose ciphertexts are its own: they
// begin with the id of their key, as those in Alibaba Cloud's documentation do, and nobody else can read the rest.
func anotherService(t *testing.T, region *client.Client) (endpoint string) {
	t.Helper()
	hide := func(blob, key string) string {
		raw, err := base64.StdEncoding.DecodeString(blob)
		if err != nil {
			t.Error(err)
		}
		for i := range raw {
			raw[i] ^= 0xa5
		}
		return base64.StdEncoding.EncodeToString(append([]byte(key), raw...))
	}
	show := func(blob string) string {
		raw, err := base64.StdEncoding.DecodeString(blob)
		if err != nil || len(raw) < 36 {
			return blob
		}
		for i := range raw {
			raw[i] ^= 0xa5
		}
		return base64.StdEncoding.EncodeToString(raw[36:])
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, answer := http.StatusOK, map[string]any{}
		refuse := func(e *client.Error) {
			status, answer = e.Status, map[string]any{"Code": e.Code, "Message": e.Message, "RequestId": e.RequestID}
		}
		action := r.Header.Get("x-acs-action")
		if err := r.ParseForm(); err != nil || r.Header.Get("x-acs-version") == client.MeridianVersion {
			refuse(&client.Error{Status: http.StatusBadRequest, Code: "InvalidVersion", Message: "Specified parameter Version is not valid."})
		} else {
			params := map[string]string{}
			for name := range r.Form {
				params[name] = r.Form.Get(name)
			}
			if blob, ok := params["CiphertextBlob"]; ok && (action != "ReEncrypt" || params["SourceKeyId"] == "") {
				params["CiphertextBlob"] = show(blob)
			}
			var refused *client.Error
			if _, err := region.Call(r.Context(), action, params, &answer); errors.As(err, &refused) {
				refuse(refused)
			} else if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			if blob, ok := answer["CiphertextBlob"].(string); ok {
				answer["CiphertextBlob"] = hide(blob, answer["KeyId"].(string))
			}
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // to a mover that may be gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The standard way with another service on either side, from plan to verify, on real regions behind a front.
func TestMigrateAnotherService(t *testing.T) {
	r := startRegions(t, 2, 1, "export.allow=any")
	clients := [2]*client.Client{r.client(r.layout.Regions[0]), r.client(r.layout.Regions[1])}
	var keys, transports [2]string
	for i, c := range clients {
		keys[i] = makeKey(t, c)
		must[struct{}](t, c, "CreateAlias", map[string]string{"KeyId": keys[i], "AliasName": "alias/pay"})
		pair := must[keyAnswer](t, c, "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"})
		transports[i] = pair.KeyMetadata.KeyId
	}
	folder := t.TempDir()
	own := func(i int) readyRegion {
		region := r.layout.Regions[i]
		return readyRegion{ID: region.ID, CAFile: region.CAFile, Endpoints: []string{region.Nodes[0].Endpoint()}}
	}
	foreign := func(i int) readyRegion {
		return readyRegion{ID: r.layout.Regions[i].ID, Endpoints: []string{anotherService(t, clients[i])}}
	}
	for name, sides := range map[string][2]readyRegion{"from": {foreign(0), own(1)}, "to": {own(0), foreign(1)}, "both": {foreign(0), foreign(1)}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(folder, name+".json")
			if err := (&readyFile{Regions: sides[:]}).write(file); err != nil {
				t.Fatal(err)
			}
			meridian := func(code int, args ...string) string {
				t.Helper()
				args = append(args, "--regions", file, "--from", sides[0].ID, "--to", sides[1].ID, "--transport-key", transports[1])
				c := exec.Command(binary, append([]string{"migrate"}, args...)...)
				c.Env = append(os.Environ(), "ALIBABA_CLOUD_ACCESS_KEY_ID="+devregion.AccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+devregion.AccessKeySecret)
				out, err := c.CombinedOutput()
				if got := c.ProcessState.ExitCode(); got != code {
					t.Fatalf("%v: exit code %d, want %d (%v)\n%s", args, got, code, err, out)
				}
				return string(out)
			}
			source := clients[0]
			if sides[0].CAFile == "" {
				var err error
				if source, err = client.New(client.Config{Endpoints: sides[0].Endpoints, AccessKeyID: devregion.AccessKeyID, Secret: crypto.Secret(devregion.AccessKeySecret)}); err != nil {
					t.Fatal(err)
				}
				defer source.Close()
			}
			var rows strings.Builder
			for i := range 20 {
				made := must[struct{ CiphertextBlob string }](t, source, "GenerateDataKeyWithoutPlaintext", map[string]string{"KeyId": "alias/pay", "EncryptionContext": `{"app":"pay"}`})
				to := ""
				if i%2 == 0 {
					to = `,"to":"alias/pay"`
				}
				fmt.Fprintf(&rows, `{"id":"%d","ciphertext":"%s","context":{"app":"pay"}%s}`+"\n", i, made.CiphertextBlob, to)
			}
			fmt.Fprintln(&rows, `{"id":"bad","ciphertext":"AAAA"}`)
			input, output := filepath.Join(folder, name+".jsonl"), filepath.Join(folder, name+".moved.jsonl")
			if err := os.WriteFile(input, []byte(rows.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			if plan := meridian(7, "plan", input); !strings.Contains(plan, "to move 20, kept 0, would fail 1; the standard way") && !strings.Contains(plan, "to move 21, kept 0, would fail 0; the standard way") {
				t.Errorf("the plan says\n%s", plan)
			}
			if out := meridian(7, "run", input, "--out", output); !strings.Contains(out, "rows 21: moved 20, kept 0, failed 1; done") {
				t.Errorf("the run says\n%s", out)
			}
			if out := meridian(0, "verify", input, "--out", output, "--sample", "20", "--open"); !strings.Contains(out, "rows 21: moved 20, compared 20, equal 20") {
				t.Errorf("verify says\n%s", out)
			}
			again := output + ".again"
			if out := meridian(7, "run", output, "--out", again, "--way", "standard"); !strings.Contains(out, "rows 21: moved 0, kept 20, failed 1; done") {
				t.Errorf("once more the run says\n%s", out)
			}
			c := exec.Command(binary, "migrate", "report", output+".journal")
			page, err := c.CombinedOutput()
			if err != nil || !strings.Contains(string(page), keys[0]) || !strings.Contains(string(page), keys[1]) || !strings.Contains(string(page), "yes in verify --open, which had them in clear in its memory: begun 1 times") {
				t.Errorf("the report lacks the keys, or that they were opened: %v\n%s", err, page)
			}
		})
	}
}
