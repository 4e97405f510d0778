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
	output := filepath.Join(folder, "moved.jsonl")
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
	var created struct{ KeyMetadata struct{ KeyId string } }
	_, err := to.Do(t.Context(), "CreateKey", map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}, &created)
	must(err)

	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	victims := []readyNode{ready.Regions[0].Nodes[random.IntN(3)], ready.Regions[1].Nodes[random.IntN(3)]}
	const kills = 8
	for start := 0; ; start++ {
		c := exec.Command(binary, "migrate", "run", "-", "--out", output, "--regions", d.readyFile, "--parallel", "4", "--output", "json",
			"--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--transport-key", created.KeyMetadata.KeyId)
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		rows, err := c.StdinPipe()
		must(err)
		must(c.Start())
		if start < kills {
			// The input has no end for a mover that is to be killed, however fast it is.
			given := text.Bytes()[:random.IntN(text.Len())]
			go func() { _, _ = rows.Write(given) }() // an error means that the mover is gone
			time.Sleep(time.Duration(50+random.IntN(400)) * time.Millisecond)
			must(c.Process.Kill())
			if start < len(victims) {
				must(syscall.Kill(victims[start].PID, syscall.SIGKILL))
			}
		} else {
			_, err := rows.Write(text.Bytes())
			must(errors.Join(err, rows.Close()))
		}
		if err = c.Wait(); err == nil {
			break
		}
		var exit *exec.ExitError
		if start == kills || !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("start %d: %v: %s", start, err, said.String())
		}
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
