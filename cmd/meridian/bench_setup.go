package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"meridian/cmd/meridian/bench"
)

// benchRun is one run of `meridian bench`.
type benchRun struct {
	*benchFlags
	*session
	cases     []benchCase
	endpoints []bench.Endpoint
	hosts     []string // as requests name them
	urls      []string
	servers   []int // processes
}

// aim finds where the load goes: plain HTTP for the dev instance, unless TLS or
// an endpoint was asked for.
func (b *benchRun) aim(v *clientVerb) error {
	b.urls = b.target.endpoints
	if known := b.target.known; known != nil && len(v.flags.endpoints) == 0 && !b.tls && len(known.HTTPEndpoints) > 0 {
		b.urls = known.HTTPEndpoints
	}
	var trust *tls.Config
	for _, text := range b.urls {
		u, err := url.Parse(text)
		if err != nil {
			return usageError("endpoint: %w", err)
		}
		e := bench.Endpoint{Address: u.Host}
		port := "80"
		if u.Scheme == "https" {
			port = "443"
			if trust == nil {
				if trust, err = b.target.tlsConfig(); err != nil {
					return err
				}
			}
			e.TLS = trust.Clone()
			e.TLS.ServerName = u.Hostname()
		}
		if u.Port() == "" {
			e.Address = net.JoinHostPort(u.Hostname(), port)
		}
		b.endpoints = append(b.endpoints, e)
		b.hosts = append(b.hosts, u.Host)
	}
	return nil
}

// tlsConfig trusts what the target trusts.
func (t *target) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(t.ca) == 0 {
		return cfg, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(t.ca) {
		return nil, usageError("the CA file holds no PEM certificate")
	}
	cfg.RootCAs = pool
	return cfg, nil
}

// findProcesses finds the server processes whose CPU time is measured, and tries
// to measure it.
func (b *benchRun) findProcesses() error {
	b.servers = b.pids
	if len(b.servers) == 0 && b.target.known != nil {
		for _, n := range b.target.known.Nodes {
			if n.PID > 0 {
				b.servers = append(b.servers, n.PID)
			}
		}
	}
	if len(b.servers) == 0 {
		return usageError("--ceiling measures the server's processes, on this machine: name them with --pid")
	}
	_, err := b.serverCPU()
	return err
}

// prepare makes the key and the ciphertexts that the cases need and makes each
// call once, checking what comes back. The function that it returns, if any,
// puts away what was made; call it on an error too.
func (b *benchRun) prepare(ctx context.Context) (cleanUp func(context.Context) error, err error) {
	key, cleanUp, err := b.findKey(ctx)
	if err != nil {
		return cleanUp, err
	}
	for i := range b.cases {
		c := &b.cases[i]
		a, _ := findBenchAction(c.action) // cases were made from it
		blob, plaintext := "", ""
		if c.action == "Decrypt" || c.action == "ReEncrypt" {
			plaintext = randomText(c.size)
			var sealed cipherAnswer
			if _, err := b.send(ctx, "Encrypt", map[string]string{"KeyId": key, "Plaintext": plaintext}, &sealed); err != nil {
				return cleanUp, err
			}
			if blob = sealed.CiphertextBlob; b.explain {
				blob = told("CiphertextBlob", "Encrypt")
			}
		}
		c.params = a.params(key, c.size, blob)
		if b.explain {
			continue
		}
		var answer cipherAnswer
		if _, err := b.send(ctx, c.action, c.params, &answer); err != nil {
			return cleanUp, failAfter(err, "%s: ", c.action)
		}
		if c.action == "Decrypt" && answer.Plaintext != plaintext {
			return cleanUp, &exitError{exitVerification, errors.New("another plaintext came back than was encrypted")}
		}
	}
	return cleanUp, nil
}

// findKey is the key to use: the one that was named, the dev instance's, or one
// made for this run.
func (b *benchRun) findKey(ctx context.Context) (string, func(context.Context) error, error) {
	needs, writes := false, false
	for _, c := range b.cases {
		a, _ := findBenchAction(c.action) // cases were made from it
		needs = needs || a.sized || a.write || c.action == "DescribeKey"
		writes = writes || a.write
	}
	switch {
	case !needs:
		return "", nil, nil
	case b.key != "" && writes:
		return "", nil, usageError("--actions with a write are done to a key made for them; leave --key out")
	case b.key != "":
		key, err := b.keyRef(ctx, b.key)
		return key, nil, err
	case b.target.known != nil && !writes:
		if _, err := b.describe(ctx, demoAlias); err == nil {
			return demoAlias, nil, nil
		}
	}
	var made struct{ KeyMetadata struct{ KeyId string } }
	if _, err := b.send(ctx, "CreateKey", map[string]string{"Description": benchDescription}, &made); err != nil {
		return "", nil, err
	}
	id := made.KeyMetadata.KeyId
	if b.explain {
		id = told("KeyId", "CreateKey")
	}
	return id, func(ctx context.Context) error {
		_, err := b.send(ctx, "ScheduleKeyDeletion", map[string]string{"KeyId": id, "PendingWindowInDays": strconv.Itoa(minDeletionDays)}, nil)
		if err != nil {
			return fmt.Errorf("key %s was made for the load and stays: %w", id, err)
		}
		return nil
	}, nil
}

// explainCases prints the request of each case.
func (b *benchRun) explainCases() error {
	for _, c := range b.cases {
		params := map[string]string{}
		for name, value := range c.params {
			params[name] = value
		}
		if _, err := b.call(context.Background(), c.action, params, nil); !errors.Is(err, errExplained) {
			return err
		}
	}
	return nil
}

// signers makes a case's signers, one for each endpoint.
func (b *benchRun) signers(c *benchCase) []*bench.Signer {
	key := bench.Key{ID: b.target.accessKeyID, Secret: b.target.secret, Signature: b.target.signature}
	var all []*bench.Signer
	for _, host := range b.hosts {
		all = append(all, bench.NewSigner(host, key, bench.Call{Action: c.action, Params: c.params}))
	}
	return all
}
