package config

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// WriteDefaults writes every key with its default and what it is for, as YAML.
func WriteDefaults(w io.Writer) error {
	d := Defaults()
	return writeYAML(w, reflect.ValueOf(d), schema(), "", func(f *field) string { return f.help })
}

// Write writes the configuration as YAML; with origins, where each value came
// from stands beside it. Secrets are references and shown as such.
func (l *Loaded) Write(w io.Writer, origins bool) error {
	return writeYAML(w, reflect.ValueOf(l.Config), schema(), "", func(f *field) string {
		if !origins {
			return ""
		}
		return l.Origin(f.path)
	})
}

func writeYAML(w io.Writer, v reflect.Value, fields []*field, indent string, comment func(*field) string) error {
	for i, f := range fields {
		if f.kind == kindSection {
			if _, err := fmt.Fprintf(w, "%s%s:\n", indent, f.name); err != nil {
				return err
			}
			if err := writeYAML(w, v.Field(i), f.fields, indent+"  ", comment); err != nil {
				return err
			}
			continue
		}
		text, err := yamlText(v.Field(i), f.kind)
		if err != nil {
			return err
		}
		line := indent + f.name + ": " + text
		if c := comment(f); c != "" {
			line = fmt.Sprintf("%-40s # %s", line, c)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// yamlText is a value on one line, as the file would hold it.
func yamlText(v reflect.Value, k kind) (string, error) {
	switch k {
	case kindBool, kindInt:
		return fmt.Sprint(v.Interface()), nil
	case kindDuration:
		return durationText(time.Duration(v.Int())), nil
	case kindSize:
		return Size(v.Int()).String(), nil
	case kindTexts, kindSections:
		if v.Len() == 0 {
			return "[]", nil
		}
		return flowList(v)
	case kindNamed:
		return flowMap(v.Interface().(map[string]string))
	}
	return scalarText(v.String())
}

// flowList is a list as [a, b] or [{...}, {...}].
func flowList(v reflect.Value) (string, error) {
	items := make([]string, v.Len())
	for i := range items {
		item := v.Index(i)
		if item.Kind() != reflect.Struct {
			text, err := scalarText(item.String())
			if err != nil {
				return "", err
			}
			items[i] = text
			continue
		}
		var parts []string
		for j, f := range schemaOf(item.Type(), "") {
			text, err := yamlText(item.Field(j), f.kind)
			if err != nil {
				return "", err
			}
			parts = append(parts, f.name+": "+text)
		}
		items[i] = "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(items, ", ") + "]", nil
}

// flowMap is a mapping as {a: b}, in the order of its names.
func flowMap(texts map[string]string) (string, error) {
	parts := make([]string, 0, len(texts))
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		key, err := scalarText(name)
		if err != nil {
			return "", err
		}
		value, err := scalarText(texts[name])
		if err != nil {
			return "", err
		}
		parts = append(parts, key+": "+value)
	}
	return "{" + strings.Join(parts, ", ") + "}", nil
}

// scalarText quotes where YAML needs it: a text that would read as something
// else, or break a flow list.
func scalarText(text string) (string, error) {
	if text == "" || strings.ContainsAny(text, ",[]{}#:") {
		return strconv.Quote(text), nil
	}
	out, err := yaml.Marshal(text)
	return strings.TrimSpace(string(out)), err
}

// durationText drops the zero units of time.Duration's own form: 2m, not 2m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}
