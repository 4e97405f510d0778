package main

import (
	"context"
	"errors"
	"os"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// demoAlias names the key that every development region has.
const demoAlias = "alias/demo"

// demoKey is the key behind demoAlias in one region.
type demoKey struct{ id, spec string }

// ensureDemoKey makes the key and its alias, unless the region has them from an
// earlier run.
func ensureDemoKey(ctx context.Context, r *devregion.Region) (demoKey, error) {
	c, err := devClient(r, r.Nodes...)
	if err != nil {
		return demoKey{}, err
	}
	defer c.Close()
	var key struct {
		KeyMetadata struct{ KeyId, KeySpec string }
	}
	_, err = c.Call(ctx, "DescribeKey", map[string]string{"KeyId": demoAlias}, &key)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == "Forbidden.AliasNotFound" {
		if _, err := c.Call(ctx, "CreateKey", map[string]string{"Description": "made by meridian dev"}, &key); err != nil {
			return demoKey{}, err
		}
		_, err = c.Call(ctx, "CreateAlias", map[string]string{"KeyId": key.KeyMetadata.KeyId, "AliasName": demoAlias}, nil)
	}
	return demoKey{key.KeyMetadata.KeyId, key.KeyMetadata.KeySpec}, err
}

// devClient calls nodes of a development region, in the order given.
func devClient(r *devregion.Region, nodes ...*devregion.Node) (*client.Client, error) {
	ca, err := os.ReadFile(r.CAFile)
	if err != nil {
		return nil, err
	}
	cfg := client.Config{AccessKeyID: devregion.AccessKeyID, Secret: crypto.Secret(devregion.AccessKeySecret), CA: ca}
	for _, n := range nodes {
		cfg.Endpoints = append(cfg.Endpoints, n.Endpoint())
	}
	return client.New(cfg)
}
