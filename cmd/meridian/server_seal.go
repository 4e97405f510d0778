package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"meridian/cmd/meridian/config"
	"meridian/crypto"
	"meridian/crypto/seal"
)

// openSeal opens the provider of the root key. A root key file that is missing
// leaves the node sealed, not stopped: it replicates, and the file is tried
// again whenever the node tries to unseal. A file that is there but must not be
// used, such as one that others can read, is an error.
func openSeal(cfg config.Seal, log *slog.Logger) (seal.Provider, error) {
	p, err := seal.OpenFile(cfg.Path)
	if err == nil {
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("seal.path: %w", err)
	}
	log.Error("The root key is missing: the node is sealed until it is there. Copy the region's root.key here; make one (meridian seal keygen) only on the first machine of a new region.", "event", "seal_missing", "path", cfg.Path)
	return &absentSeal{path: cfg.Path}, nil
}

// absentSeal is a root key file that was not there at start.
type absentSeal struct {
	path string
	mu   sync.Mutex
	file seal.Provider // once it is there
}

func (a *absentSeal) open() (seal.Provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		p, err := seal.OpenFile(a.path)
		if err != nil {
			return nil, err
		}
		a.file = p
	}
	return a.file, nil
}

// Name is that of the file provider, whose place it keeps.
func (a *absentSeal) Name() string { return config.SealFile }

func (a *absentSeal) Wrap(ctx context.Context, plaintext crypto.Secret, aad []byte) (seal.Wrapped, error) {
	p, err := a.open()
	if err != nil {
		return seal.Wrapped{}, err
	}
	return p.Wrap(ctx, plaintext, aad)
}

func (a *absentSeal) Unwrap(ctx context.Context, w seal.Wrapped, aad []byte) (crypto.Secret, error) {
	p, err := a.open()
	if err != nil {
		return nil, err
	}
	return p.Unwrap(ctx, w, aad)
}

func (a *absentSeal) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}
