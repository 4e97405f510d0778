package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"meridian/cluster/api/client"
	"meridian/cluster/migrate"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// demoRows is how many data keys the demo moves in bulk.
const demoRows = 1000

// moveMany makes many data keys in one region, moves them to the other as `meridian migrate` does, and compares them there.
func (d *demo) moveMany(ctx context.Context, first, second *devregion.Region) error {
	input, output := filepath.Join(d.layout.Dir, "keys.jsonl"), filepath.Join(d.layout.Dir, "moved.jsonl")
	began := time.Now()
	if err := d.makeRows(ctx, first, input); err != nil {
		return err
	}
	d.line(fmt.Sprintf("%d data keys are made, and kept in a file", demoRows), first.ID, "", "", time.Since(began))
	from, err := demoSide(first)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := demoSide(second)
	if err != nil {
		return err
	}
	defer to.Close()
	mapping, err := migrate.ParseMapping(nil)
	if err != nil {
		return err
	}
	way, err := migrate.NewNative(ctx, from, to, mapping)
	if err != nil {
		return err
	}
	began = time.Now()
	if err := runDemoRows(ctx, way, input, output, from, to); err != nil {
		return err
	}
	d.line(fmt.Sprintf("all %d move, unseen by who moves them", demoRows), second.ID, "", to.Traffic().Last, time.Since(began))
	began = time.Now()
	if err := verifyDemoRows(ctx, way, input, output); err != nil {
		return err
	}
	d.line("both regions' tags say that each is the same", second.ID, "", to.Traffic().Last, time.Since(began))
	return nil
}

// makeRows writes a file of data keys of a region.
func (d *demo) makeRows(ctx context.Context, r *devregion.Region, path string) (err error) {
	c, err := devClient(r, r.Nodes...)
	if err != nil {
		return err
	}
	defer c.Close()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows := bufio.NewWriter(file)
	for i := range demoRows {
		var made struct{ CiphertextBlob string }
		_, err := c.Call(ctx, "GenerateDataKeyWithoutPlaintext", map[string]string{"KeyId": demoStoryAlias, "EncryptionContext": demoStoryContext}, &made)
		if err != nil {
			return err
		}
		fmt.Fprintf(rows, `{"id":"%d","ciphertext":"%s","context":%s}`+"\n", i, made.CiphertextBlob, demoStoryContext)
	}
	return rows.Flush()
}

// demoSide is a region as a migration sees it.
func demoSide(r *devregion.Region) (*migrate.Region, error) {
	ca, err := os.ReadFile(r.CAFile)
	if err != nil {
		return nil, err
	}
	cfg := client.Config{AccessKeyID: devregion.AccessKeyID, Secret: crypto.Secret(devregion.AccessKeySecret), CA: ca}
	for _, n := range r.Nodes {
		cfg.Endpoints = append(cfg.Endpoints, n.Endpoint())
	}
	return migrate.NewRegion(r.ID, cfg)
}

// demoFormat reads the demo's rows.
func demoFormat(r io.Reader) (migrate.Format, error) {
	return migrate.NewJSONLines(r, migrate.DefaultColumns), nil
}

func runDemoRows(ctx context.Context, way *migrate.Native, input, output string, from, to *migrate.Region) error {
	file, err := os.Open(input)
	if err != nil {
		return err
	}
	defer file.Close()
	last, err := migrate.Run(ctx, migrate.Config{
		Header:  migrate.Header{Way: migrate.WayNative, From: from.ID, To: to.ID, Input: input, Output: output},
		Journal: output + ".journal", Medium: migrate.NewFiles(file, output, demoFormat), Way: way, Tool: versionText(), Regions: []*migrate.Region{from, to},
	})
	if err == nil && (last.Rows != demoRows || last.Counts.Moved != demoRows) {
		err = fmt.Errorf("of %d data keys %d were moved", last.Rows, last.Counts.Moved)
	}
	return err
}

func verifyDemoRows(ctx context.Context, way *migrate.Native, input, output string) error {
	var rows [2]migrate.Format
	for i, path := range []string{input, output} {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if rows[i], err = demoFormat(file); err != nil {
			return err
		}
	}
	v, err := way.Verify(ctx, migrate.PairFormats(rows[0], rows[1]), func() bool { return true }, 2)
	if err == nil && v.Equal != demoRows {
		err = fmt.Errorf("of %d data keys %d are known to be the same", v.Rows, v.Equal)
	}
	return err
}
