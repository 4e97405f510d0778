package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The schema that is published is what the program prints. To change it:
//
//	go run ./cmd/meridian man --schema > docs/output.schema.json
func TestSchemaOfResults(t *testing.T) {
	published, err := os.ReadFile("../../docs/output.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var own bytes.Buffer
	if err := writeSchema(&own); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own.String(), string(published)); diff != "" {
		t.Errorf("docs/output.schema.json differs from `meridian man --schema` (-program +file):\n%s", diff)
	}
}
