package api

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What real clients sent to the actions that are served passes the checks of the table as it is.
func TestRecordedParameters(t *testing.T) {
	files, err := filepath.Glob("testdata/wire-samples/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v: %v", files, err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var recording struct {
			Samples []struct {
				Name, Action string
				Params       map[string]string `json:"decoded_params"`
			}
		}
		if err := json.Unmarshal(text, &recording); err != nil {
			t.Fatal(err)
		}
		for _, sample := range recording.Samples {
			a := kmsByName[sample.Action]
			if a == nil {
				continue
			}
			var sent Params
			for _, name := range slices.Sorted(maps.Keys(sample.Params)) {
				sent = append(sent, Param{Name: name, Value: sample.Params[name]})
			}
			checked++
			refusal := checkParams(a, sent)
			if sample.Name == "missing_parameter_empty_query" {
				if refusal == nil || refusal.Code != CodeMissingParameter {
					t.Errorf("%s, %s: %v", filepath.Base(file), sample.Name, refusal)
				}
			} else if refusal != nil {
				t.Errorf("%s, %s: %v", filepath.Base(file), sample.Name, refusal)
			}
		}
	}
	if checked < 80 {
		t.Errorf("%d samples of served actions, want most of the recording", checked)
	}
}
