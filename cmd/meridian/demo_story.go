package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// demo is one run of the story: what was made so far, and what of it is true.
type demo struct {
	out     io.Writer
	layout  *devregion.Layout
	running map[*devregion.Node]*devregion.Process
	steps   int
}

const (
	demoStoryAlias   = "alias/payments"
	demoStoryContext = `{"app":"payments","table":"cards"}`
	demoStoryData    = "The cargo is 40 crates of tea; it sails on Thursday."
)

// story plays and checks every step. The first error ends it.
func (d *demo) story(ctx context.Context) error {
	first, second := d.layout.Regions[0], d.layout.Regions[1]
	for _, r := range d.layout.Regions {
		if err := d.makeKey(ctx, r); err != nil {
			return err
		}
	}

	// A data key of the first region, and data encrypted with it.
	var made struct{ Plaintext, CiphertextBlob string }
	err := d.call(ctx, first, first.Nodes[1], "a data key is made under "+demoStoryAlias, "GenerateDataKey",
		map[string]string{"KeyId": demoStoryAlias, "KeySpec": "AES_256", "EncryptionContext": demoStoryContext}, &made)
	if err != nil {
		return err
	}
	dataKey, err := base64.StdEncoding.DecodeString(made.Plaintext)
	if err != nil {
		return err
	}
	defer crypto.Secret(dataKey).Wipe()
	var sealed []byte
	err = d.local(fmt.Sprintf("%d bytes are encrypted with it, here", len(demoStoryData)), func() error {
		sealed, err = sealWith(dataKey, []byte(demoStoryData))
		return err
	})
	if err != nil {
		return err
	}

	// Its plaintext goes to the second region.
	var opened struct{ Plaintext string }
	err = d.call(ctx, first, first.Nodes[2], "the data key is decrypted on another node", "Decrypt",
		map[string]string{"CiphertextBlob": made.CiphertextBlob, "EncryptionContext": demoStoryContext}, &opened)
	if err != nil {
		return err
	}
	if opened.Plaintext != made.Plaintext {
		return errors.New("decrypting gave another data key")
	}
	var moved struct{ CiphertextBlob string }
	err = d.call(ctx, second, second.Nodes[0], "it is encrypted again under "+demoStoryAlias+" there", "Encrypt",
		map[string]string{"KeyId": demoStoryAlias, "Plaintext": opened.Plaintext, "EncryptionContext": demoStoryContext}, &moved)
	if err != nil {
		return err
	}
	if err := d.refuseForeign(ctx, second, made.CiphertextBlob, first.ID); err != nil {
		return err
	}

	// The second region loses its leader.
	leader, err := leaderOf(ctx, second)
	if err != nil {
		return err
	}
	if err := d.kill(second, leader); err != nil {
		return err
	}
	other := second.Nodes[0]
	if other == leader {
		other = second.Nodes[1]
	}
	var back struct{ Plaintext string }
	err = d.call(ctx, second, other, "the data key is decrypted on a node that is left", "Decrypt",
		map[string]string{"CiphertextBlob": moved.CiphertextBlob, "EncryptionContext": demoStoryContext}, &back)
	if err != nil {
		return err
	}
	err = d.local("the data is decrypted with it, here, and is the same", func() error {
		key, err := base64.StdEncoding.DecodeString(back.Plaintext)
		if err != nil {
			return err
		}
		defer crypto.Secret(key).Wipe()
		data, err := openWith(key, sealed)
		if err != nil {
			return err
		}
		if string(data) != demoStoryData {
			return errors.New("the data that came back is not what was encrypted")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.moveMany(ctx, first, second)
}

// makeKey makes a key in a region and gives it the story's alias, on two nodes.
func (d *demo) makeKey(ctx context.Context, r *devregion.Region) error {
	var key struct{ KeyMetadata struct{ KeyId string } }
	if err := d.call(ctx, r, r.Nodes[0], "a key is made", "CreateKey", nil, &key); err != nil {
		return err
	}
	return d.call(ctx, r, r.Nodes[1], "it is called "+demoStoryAlias, "CreateAlias",
		map[string]string{"KeyId": key.KeyMetadata.KeyId, "AliasName": demoStoryAlias}, nil)
}

// refuseForeign shows that a region does not open another's blob and says whose
// it is.
func (d *demo) refuseForeign(ctx context.Context, r *devregion.Region, blob, owner string) error {
	c, err := devClient(r, r.Nodes[1])
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	resp, err := c.Call(ctx, "Decrypt", map[string]string{"CiphertextBlob": blob, "EncryptionContext": demoStoryContext}, nil)
	took := time.Since(began)
	var refused *client.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s was to refuse a blob of %s, and answered: %w", r.ID, owner, err)
	}
	if refused.Code != "InvalidParameter.WrongRegion" || !strings.Contains(refused.Message, owner) {
		return fmt.Errorf("%s refuses a blob of %s without naming it: %w", r.ID, owner, refused)
	}
	d.line("the first blob is refused there: it is of "+owner, r.ID, resp.Node, resp.RequestID, took)
	return nil
}

// leaderOf asks the nodes of a region who leads it. Those that do not answer are
// passed over.
func leaderOf(ctx context.Context, r *devregion.Region) (*devregion.Node, error) {
	c := &http.Client{Timeout: 5 * time.Second}
	defer c.CloseIdleConnections()
	var failures []error
	for _, n := range r.Nodes {
		answer, err := statusOf(ctx, c, n)
		if err != nil {
			failures = append(failures, fmt.Errorf("status of %s: %w", n.ID, err))
			continue
		}
		if answer.Status != nil && answer.Status.Role == "leader" {
			return n, nil
		}
	}
	return nil, errors.Join(append(failures, fmt.Errorf("no node of %s leads it", r.ID))...)
}

// statusOf reads a node's /status.
func statusOf(ctx context.Context, c *http.Client, n *devregion.Node) (opsStatus, error) {
	var answer opsStatus
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.OpsURL()+"/status", nil)
	if err != nil {
		return answer, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	return answer, json.NewDecoder(resp.Body).Decode(&answer)
}

// kill ends a server with SIGKILL.
func (d *demo) kill(r *devregion.Region, n *devregion.Node) error {
	p := d.running[n]
	if !p.Running() {
		return fmt.Errorf("node %s had ended by itself (%s)%s", n.ID, p.Ending(), n.LogTail())
	}
	began := time.Now()
	p.Kill()
	d.line(fmt.Sprintf("its leader is killed: kill -9 %d", p.PID()), r.ID, n.ID, "", time.Since(began))
	return nil
}

// call calls one node and prints the step.
func (d *demo) call(ctx context.Context, r *devregion.Region, n *devregion.Node, step, action string, params map[string]string, out any) error {
	c, err := devClient(r, n)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	resp, err := c.Call(ctx, action, params, out)
	took := time.Since(began)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", action, n.ID, err)
	}
	if resp.Region != r.ID || resp.Node != n.ID || resp.RequestID == "" {
		return fmt.Errorf("%s on %s was answered by node %q of region %q, request %q", action, n.ID, resp.Node, resp.Region, resp.RequestID)
	}
	d.line(step, resp.Region, resp.Node, resp.RequestID, took)
	return nil
}

// local does a step in this process and prints it.
func (d *demo) local(step string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	d.line(step, "", "", "", time.Since(began))
	return nil
}

// line prints one step. An empty region, node or request id is one that the
// step has not.
func (d *demo) line(step, region, node, requestID string, took time.Duration) {
	d.steps++
	for _, s := range []*string{&region, &node, &requestID} {
		if *s == "" {
			*s = "–"
		}
	}
	fmt.Fprintf(d.out, " %2d  %-52s %-10s  %-13s %-36s %9.1f ms\n", d.steps, step, region, node, requestID, float64(took.Microseconds())/1000)
}

func (d *demo) processes() []*devregion.Process {
	var all []*devregion.Process
	for _, n := range d.layout.Nodes() {
		if p := d.running[n]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (d *demo) stop() {
	for _, n := range devregion.StopAll(d.processes(), devStopLimit) {
		fmt.Fprintf(os.Stderr, "meridian: node %s did not stop in %s and was killed\n", n.ID, devStopLimit)
	}
}

// sealWith encrypts data as an application would: AES-GCM under its data key.
func sealWith(key, data []byte) ([]byte, error) {
	aead, err := applicationAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, data, nil), nil
}

func openWith(key, sealed []byte) ([]byte, error) {
	aead, err := applicationAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, bytes.Clone(sealed), nil)
}

func applicationAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
