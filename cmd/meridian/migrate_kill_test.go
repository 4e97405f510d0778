package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A mover that is killed again and again, while nodes of both regions are killed as well, moves every row once: the
// output has the rows of the input in their order, and each opens in the other region as what it was.
func TestKilledMigration(t *testing.T) {
	const rows = 300
	d := startDev(t, "--regions", "2", "--nodes", "3")
	ready := d.ready()
	from, to := d.client(ready.Regions[0]), d.client(ready.Regions[1])
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	input, output := filepath.Join(folder, "keys.jsonl"), filepath.Join(folder, "moved.jsonl")
	var text bytes.Buffer
	wants := make([]string, rows)
	for i := range rows {
		var made struct{ CiphertextBlob, Plaintext string }
		context := fmt.Sprintf(`{"row":"%d"}`, i)
		_, err := from.Do(t.Context(), "GenerateDataKey", map[string]string{"KeyId": "alias/demo", "EncryptionContext": context}, &made)
		must(err)
		wants[i] = made.Plaintext
		fmt.Fprintf(&text, `{"id":%d,"ciphertext":"%s","context":%s}`+"\n", i, made.CiphertextBlob, context)
	}
	must(os.WriteFile(input, text.Bytes(), 0o600))
	var created struct{ KeyMetadata struct{ KeyId string } }
	_, err := to.Do(t.Context(), "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}, &created)
	must(err)

	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	victims := []readyNode{ready.Regions[0].Nodes[random.IntN(3)], ready.Regions[1].Nodes[random.IntN(3)]}
	kills := 0
	for start := 0; ; start++ {
		c := exec.Command(binary, "migrate", "run", input, "--out", output, "--regions", d.readyFile, "--parallel", "4", "--output", "json",
			"--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--transport-key", created.KeyMetadata.KeyId)
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		must(c.Start())
		killed := make(chan struct{})
		timer := time.AfterFunc(time.Duration(50+random.IntN(400))*time.Millisecond, func() {
			defer close(killed)
			if start < 8 {
				_ = c.Process.Kill() // an error means that it has ended
			}
			if start < len(victims) {
				_ = syscall.Kill(victims[start].PID, syscall.SIGKILL)
			}
		})
		err := c.Wait()
		if !timer.Stop() {
			<-killed
		}
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("start %d: %v: %s", start, err, said.String())
		}
		kills++
	}
	t.Logf("the mover was killed %d times", kills)
	if kills == 0 {
		t.Error("it was too fast to be killed")
	}
	file, err := os.Open(output)
	must(err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	i := 0
	for ; lines.Scan(); i++ {
		var row struct {
			ID         int
			Ciphertext string
			Context    json.RawMessage
			Status     string
		}
		must(json.Unmarshal(lines.Bytes(), &row))
		if i >= rows || row.ID != i || row.Status != "moved" {
			t.Fatalf("row %d is %s", i, lines.Text())
		}
		var opened struct{ Plaintext string }
		_, err := to.Do(t.Context(), "Decrypt", map[string]string{"CiphertextBlob": row.Ciphertext, "EncryptionContext": string(row.Context)}, &opened)
		must(err)
		if opened.Plaintext != wants[i] {
			t.Errorf("row %d is another data key", i)
		}
	}
	must(lines.Err())
	if i != rows {
		t.Errorf("%d rows, want %d", i, rows)
	}
}
