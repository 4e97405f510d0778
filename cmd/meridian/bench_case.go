package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"meridian/cluster/api"
)

// maxDataKey is the most bytes of a data key (API page GenerateDataKey).
const maxDataKey = 1024

// benchCase is one action at one size.
type benchCase struct {
	action string
	size   int // bytes of plaintext, zero where there is none
	weight int
	params map[string]string
}

// benchAction says how to call an action.
type benchAction struct {
	name  string
	sized bool // whether the size of the plaintext means anything
	limit int  // of the size; zero: the API's own
	write bool // changes the key: only ever done to one made for it
	// params makes the parameters. blob is a ciphertext of a plaintext of that size.
	params func(key string, size int, blob string) map[string]string
}

// benchActions is what bench can call.
var benchActions = []benchAction{
	{name: "Encrypt", sized: true, params: func(key string, size int, _ string) map[string]string {
		return map[string]string{"KeyId": key, "Plaintext": randomText(size)}
	}},
	{name: "Decrypt", sized: true, params: func(_ string, _ int, blob string) map[string]string {
		return map[string]string{"CiphertextBlob": blob}
	}},
	{name: "GenerateDataKey", sized: true, limit: maxDataKey, params: dataKeyParams},
	{name: "GenerateDataKeyWithoutPlaintext", sized: true, limit: maxDataKey, params: dataKeyParams},
	{name: "ReEncrypt", sized: true, params: func(key string, _ int, blob string) map[string]string {
		return map[string]string{"CiphertextBlob": blob, "DestinationKeyId": key}
	}},
	{name: "DescribeKey", params: func(key string, _ int, _ string) map[string]string { return map[string]string{"KeyId": key} }},
	{name: "ListKeys", params: noParams},
	{name: "ListAliases", params: noParams},
	{name: "DescribeRegions", params: noParams},
	{name: "UpdateKeyDescription", write: true, params: func(key string, _ int, _ string) map[string]string {
		return map[string]string{"KeyId": key, "Description": benchDescription}
	}},
}

// benchDescription marks keys that bench made.
const benchDescription = "made by meridian bench"

func dataKeyParams(key string, size int, _ string) map[string]string {
	return map[string]string{"KeyId": key, "NumberOfBytes": strconv.Itoa(size)}
}

func noParams(string, int, string) map[string]string { return map[string]string{} }

func randomText(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

func benchActionNames() []string {
	names := make([]string, len(benchActions))
	for i, a := range benchActions {
		names[i] = a.name
	}
	return names
}

func findBenchAction(name string) (benchAction, bool) {
	i := slices.IndexFunc(benchActions, func(a benchAction) bool { return a.name == name })
	if i < 0 {
		return benchAction{}, false
	}
	return benchActions[i], true
}

// benchCases reads ACTION and ACTION=WEIGHT and combines them with the sizes. A
// size that an action cannot have is left out, and note told, unless nothing
// would be left.
func benchCases(actions []string, sizes []int, note func(string)) ([]benchCase, error) {
	for _, size := range sizes {
		if size < 1 || size > api.MaxPlaintext {
			return nil, usageError("--size %d: take 1 to %d", size, api.MaxPlaintext)
		}
	}
	var cases []benchCase
	for _, text := range actions {
		name, weightText, weighted := strings.Cut(strings.TrimSpace(text), "=")
		weight := 1
		if weighted {
			n, err := strconv.Atoi(weightText)
			if err != nil || n < 1 || n > 1000 {
				return nil, usageError("--actions %q: a weight is a number from 1 to 1000", text)
			}
			weight = n
		}
		a, ok := findBenchAction(name)
		if !ok {
			return nil, usageError("--actions: %q is not one of %s", name, strings.Join(benchActionNames(), ", "))
		}
		if slices.ContainsFunc(cases, func(c benchCase) bool { return c.action == name }) {
			return nil, usageError("--actions: %s is given twice", name)
		}
		if !a.sized {
			cases = append(cases, benchCase{action: name, weight: weight})
			continue
		}
		for _, size := range slices.Compact(slices.Sorted(slices.Values(sizes))) {
			if a.limit > 0 && size > a.limit {
				note(fmt.Sprintf("%s makes %d bytes at most: not called for %d", name, a.limit, size))
				continue
			}
			cases = append(cases, benchCase{action: name, size: size, weight: weight})
		}
	}
	if len(cases) == 0 {
		return nil, usageError("no action of %s can have the size %v", strings.Join(actions, ", "), sizes)
	}
	return cases, nil
}
