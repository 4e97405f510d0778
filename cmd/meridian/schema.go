package main

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"time"

	"meridian/cluster/migrate"
)

// schemaNode is a JSON Schema (draft 2020-12), as far as results need it.
type schemaNode struct {
	Schema      string                 `json:"$schema,omitempty"`
	Title       string                 `json:"title,omitempty"`
	Description string                 `json:"description,omitempty"`
	Type        string                 `json:"type,omitempty"`
	Items       *schemaNode            `json:"items,omitempty"`
	Properties  map[string]*schemaNode `json:"properties,omitempty"`
	Additional  *schemaNode            `json:"additionalProperties,omitempty"`
	Required    []string               `json:"required,omitempty"`
	Defs        map[string]*schemaNode `json:"$defs,omitempty"`
}

// results is what each verb prints under --output json and yaml; under jsonl
// lists are one line an item.
func results() map[string]any {
	return map[string]any{
		"key create, key describe":      keyView{},
		"key list":                      keyList{},
		"key versions":                  versionList{},
		"key tag KEY":                   tagList{},
		"key policy get":                policyView{},
		"key import --parameters-only":  importParametersView{},
		"key export-public, public-key": publicKeyView{},
		"key enable, disable, delete, undelete, rotate, protect, update, tag, policy put, import, delete-material; alias create, retarget, delete; every --dry-run": change{},
		"alias list":                           aliasList{},
		"encrypt, decrypt, datakey, reencrypt": cryptView{},
		"sign":                                 signatureView{},
		"verify":                               verifyView{},
		"status":                               statusView{},
		"key census":                           migrate.Census{},
		"key retire":                           retirement{},
		"migrate plan":                         planView{},
		"migrate run, migrate status":          migrateView{},
		"migrate verify":                       migrate.Verification{},
		"migrate report":                       migrate.Report{},
		"migrate rollback":                     rollbackView{},
		"bench":                                benchReport{},
		"version":                              versionView{},
	}
}

// writeSchema writes the schema of all results, one definition a verb.
func writeSchema(w io.Writer) error {
	root := schemaNode{
		Schema: "https://json-schema.org/draft/2020-12/schema", Title: "Results of the meridian command line",
		Description: "What each verb prints under --output json. Members are only ever added.",
		Defs:        map[string]*schemaNode{},
	}
	for verbs, result := range results() {
		root.Defs[verbs] = schemaOf(reflect.TypeOf(result))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(root)
}

// schemaOf describes a type as encoding/json writes it.
func schemaOf(t reflect.Type) *schemaNode {
	if t == reflect.TypeFor[time.Time]() {
		return &schemaNode{Type: "string"} // RFC 3339
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		return &schemaNode{Type: "array", Items: schemaOf(t.Elem())}
	case reflect.Map:
		return &schemaNode{Type: "object", Additional: schemaOf(t.Elem())}
	case reflect.String:
		return &schemaNode{Type: "string"}
	case reflect.Bool:
		return &schemaNode{Type: "boolean"}
	case reflect.Float64:
		return &schemaNode{Type: "number"}
	case reflect.Struct:
		node := &schemaNode{Type: "object", Properties: map[string]*schemaNode{}}
		node.addFields(t)
		return node
	}
	return &schemaNode{Type: "integer"}
}

func (n *schemaNode) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			n.addFields(f.Type)
			continue
		case !f.IsExported() || name == "":
			continue
		}
		n.Properties[name] = schemaOf(f.Type)
		if !strings.Contains(options, "omitempty") {
			n.Required = append(n.Required, name)
		}
	}
}
