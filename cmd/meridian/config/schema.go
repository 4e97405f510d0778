package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// field is one key of the configuration: a section with fields of its own, a
// list of sections, or a value.
type field struct {
	name   string
	path   string // dotted, from the top
	help   string
	isPath bool // a file or folder: relative to the configuration's folder
	kind   kind
	fields []*field     // of a section, or of an item of a list of sections
	item   reflect.Type // of a list of sections
}

type kind int

const (
	kindSection kind = iota
	kindSections
	kindText
	kindTexts
	kindNamed // texts by names of the user's
	kindBool
	kindInt
	kindDuration
	kindSize
	kindSecret
)

// schemaOf reads the keys off a struct type.
func schemaOf(t reflect.Type, prefix string) []*field {
	var fields []*field
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("koanf")
		f := &field{
			name:   name,
			path:   joinPath(prefix, name),
			help:   sf.Tag.Get("help"),
			isPath: sf.Tag.Get("kind") == "path",
		}
		switch {
		case sf.Type == reflect.TypeFor[time.Duration]():
			f.kind = kindDuration
		case sf.Type == reflect.TypeFor[Size]():
			f.kind = kindSize
		case sf.Type == reflect.TypeFor[SecretRef]():
			f.kind = kindSecret
		case sf.Type.Kind() == reflect.Struct:
			f.kind, f.fields = kindSection, schemaOf(sf.Type, f.path)
		case sf.Type.Kind() == reflect.Slice && sf.Type.Elem().Kind() == reflect.Struct:
			f.kind, f.item, f.fields = kindSections, sf.Type.Elem(), schemaOf(sf.Type.Elem(), f.path)
		case sf.Type.Kind() == reflect.Slice:
			f.kind = kindTexts
		case sf.Type.Kind() == reflect.Map:
			f.kind = kindNamed
		case sf.Type.Kind() == reflect.Bool:
			f.kind = kindBool
		case sf.Type.Kind() == reflect.Int:
			f.kind = kindInt
		default:
			f.kind = kindText
		}
		fields = append(fields, f)
	}
	return fields
}

// schema is the keys of Config.
func schema() []*field { return schemaOf(reflect.TypeFor[Config](), "") }

func joinPath(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func fieldNamed(fields []*field, name string) *field {
	i := slices.IndexFunc(fields, func(f *field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return fields[i]
}

// fieldAt finds the field of a dotted path.
func fieldAt(fields []*field, path string) *field {
	name, rest, deeper := strings.Cut(path, ".")
	f := fieldNamed(fields, name)
	if f == nil || !deeper {
		return f
	}
	if f.kind != kindSection {
		return nil
	}
	return fieldAt(f.fields, rest)
}

// leaves walks the values below fields, in order of declaration. A list of
// sections is one value.
func leaves(fields []*field, visit func(*field)) {
	for _, f := range fields {
		if f.kind == kindSection {
			leaves(f.fields, visit)
			continue
		}
		visit(f)
	}
}

// nearest is the path of an existing key that a wrong one was most likely meant
// to be, or "".
func nearest(wrong string) string {
	var all []string
	var collect func(fields []*field)
	collect = func(fields []*field) {
		for _, f := range fields {
			all = append(all, f.path)
			collect(f.fields)
		}
	}
	collect(schema())

	best, bestDistance := "", max(3, len(wrong)/3)+1
	for _, candidate := range all {
		if d := editDistance(wrong, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if bestDistance <= 3 {
		return best
	}
	// Written under another section: the same last word, if only one has it.
	last := wrong[strings.LastIndexByte(wrong, '.')+1:]
	var same []string
	for _, candidate := range all {
		if candidate[strings.LastIndexByte(candidate, '.')+1:] == last {
			same = append(same, candidate)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	return best
}

// editDistance is the number of single-letter changes, insertions, deletions
// and swaps of neighbours between a and b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Changed lists the paths whose values differ between two configurations.
func Changed(a, b *Config) []string {
	var paths []string
	var compare func(x, y reflect.Value, fields []*field)
	compare = func(x, y reflect.Value, fields []*field) {
		for i, f := range fields {
			switch {
			case f.kind == kindSection:
				compare(x.Field(i), y.Field(i), f.fields)
			case !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()):
				paths = append(paths, f.path)
			}
		}
	}
	compare(reflect.ValueOf(*a), reflect.ValueOf(*b), schema())
	return paths
}
