package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader turns one layer's text into typed values and remembers where each
// stood and what was wrong.
type reader struct {
	dir      string // relative paths count from here
	where    func(line int) string
	values   map[string]any    // by dotted path, typed as in Config
	origins  map[string]string // where each of values stood
	unread   map[string]bool   // paths that were meant to be set but could not be read
	problems Problems
}

func newReader(dir string, where func(line int) string) *reader {
	return &reader{dir: dir, where: where, values: map[string]any{}, origins: map[string]string{}, unread: map[string]bool{}}
}

func (r *reader) fail(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{Where: r.where(line), Text: fmt.Sprintf(format, args...)})
}

// document reads a whole YAML text.
func (r *reader) document(text []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		r.syntax(err)
		return
	}
	if len(doc.Content) == 0 {
		return // an empty file sets nothing
	}
	r.section(doc.Content[0], schema(), "", r.value)
}

// section reads a mapping whose keys are fields. path is where it stands, with
// list positions in it.
func (r *reader) section(n *yaml.Node, fields []*field, path string, value func(f *field, line int, n *yaml.Node)) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		leaves(fields, func(f *field) { r.unread[f.path] = true })
		r.fail(n.Line, "%s takes keys of its own, such as %q", describe(path), fields[0].name)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], n.Content[i+1]
		keyPath := joinPath(path, key.Value)
		if first, twice := seen[key.Value]; twice {
			r.fail(key.Line, "%q is given twice, first in line %d", keyPath, first)
			continue
		}
		seen[key.Value] = key.Line
		f := fieldNamed(fields, key.Value)
		switch {
		case f == nil:
			near := nearest(keyPath)
			r.unread[near] = true
			r.fail(key.Line, "unknown key %q%s", keyPath, suggestion(near, fields))
		case f.kind == kindSection:
			r.section(content, f.fields, keyPath, value)
		default:
			value(f, key.Line, content)
		}
	}
}

// suggestion is ", did you mean ...?", or without a near key the names that may
// stand in its place.
func suggestion(near string, siblings []*field) string {
	if near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	names := make([]string, len(siblings))
	for i, f := range siblings {
		names[i] = f.name
	}
	return "; here stand " + strings.Join(names, ", ")
}

// value reads what a key that is no section holds, and keeps it. line is the
// key's.
func (r *reader) value(f *field, line int, n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		return // "key:" alone leaves the value as it is
	}
	var v any
	var ok bool
	if f.kind == kindSections {
		v, ok = r.sections(f, n)
	} else {
		v, ok = r.leaf(f, f.path, n)
	}
	if !ok {
		r.unread[f.path] = true
		return
	}
	r.values[f.path] = v
	r.origins[f.path] = r.where(line)
}

// sections reads a list of mappings into a slice of the field's item type.
func (r *reader) sections(f *field, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n.Line, "%q is a list", f.path)
		return nil, false
	}
	before := len(r.problems)
	list := reflect.MakeSlice(reflect.SliceOf(f.item), 0, len(n.Content))
	for i, content := range n.Content {
		item := reflect.New(f.item).Elem()
		path := f.path + "[" + strconv.Itoa(i) + "]"
		r.section(content, f.fields, path, func(inner *field, _ int, n *yaml.Node) {
			n = resolve(n)
			if isNull(n) {
				return
			}
			if v, ok := r.leaf(inner, joinPath(path, inner.name), n); ok {
				for j := range f.item.NumField() {
					if f.item.Field(j).Tag.Get("koanf") == inner.name {
						item.Field(j).Set(reflect.ValueOf(v))
					}
				}
			}
		})
		list = reflect.Append(list, item)
	}
	return list.Interface(), len(r.problems) == before
}

// leaf reads one scalar, list of texts or mapping of names to texts.
func (r *reader) leaf(f *field, path string, n *yaml.Node) (any, bool) {
	switch f.kind {
	case kindTexts:
		return r.texts(path, n)
	case kindNamed:
		return r.named(path, n)
	}
	if n.Kind != yaml.ScalarNode {
		r.fail(n.Line, "%q takes one value", path)
		return nil, false
	}
	v, err := r.scalar(f, n.Value)
	if err != nil {
		r.fail(n.Line, "%s: %v", path, err)
		return nil, false
	}
	return v, true
}

func (r *reader) texts(path string, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n.Line, "%q is a list", path)
		return nil, false
	}
	list := []string{}
	for _, content := range n.Content {
		content = resolve(content)
		if content.Kind != yaml.ScalarNode {
			r.fail(content.Line, "%q is a list of texts", path)
			return nil, false
		}
		list = append(list, content.Value)
	}
	return list, true
}

// named reads a mapping of names to texts.
func (r *reader) named(path string, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.MappingNode {
		r.fail(n.Line, "%q is a list of names with a text each", path)
		return nil, false
	}
	texts := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], resolve(n.Content[i+1])
		if _, twice := texts[key.Value]; twice {
			r.fail(key.Line, "%q names %q twice", path, key.Value)
			return nil, false
		}
		if content.Kind != yaml.ScalarNode {
			r.fail(content.Line, "%q takes one text for %q", path, key.Value)
			return nil, false
		}
		texts[key.Value] = content.Value
	}
	return texts, true
}

// scalar turns text into a value of the field's kind.
func (r *reader) scalar(f *field, text string) (any, error) {
	switch f.kind {
	case kindBool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case kindInt:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case kindDuration:
		return orError(parseDuration(text))
	case kindSize:
		return orError(ParseSize(text))
	case kindSecret:
		ref, err := parseSecretRef(text)
		if err != nil {
			return nil, err
		}
		return ref.within(r.dir), nil
	}
	if f.isPath && text != "" && !filepath.IsAbs(text) {
		text = filepath.Join(r.dir, text)
	}
	return text, nil
}

func orError[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// resolve follows an alias (*name) to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func describe(path string) string {
	if path == "" {
		return "the configuration"
	}
	return strconv.Quote(path)
}
