package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix starts the name of every environment variable that sets a value.
const EnvPrefix = "MERIDIAN_"

// Options says what to read.
type Options struct {
	File    string          // the YAML file; empty: none
	Environ func() []string // os.Environ, or nil for none
	Set     []string        // PATH=VALUE, over everything else
	Ignore  []string        // variables with EnvPrefix that are not the server's
}

// Loaded is a configuration and where its values came from.
type Loaded struct {
	Config  Config
	File    string // absolute path, or ""
	origins map[string]string
}

// Origin says where the value at a dotted path came from: "default",
// "meridian.yaml:14", the name of a variable, or "--set".
func (l *Loaded) Origin(path string) string {
	if o, ok := l.origins[path]; ok {
		return o
	}
	return "default"
}

// Load reads all layers and checks the result. The error is Problems with every
// mistake found, or one of reading the file.
func Load(o Options) (*Loaded, error) {
	l := &Loaded{origins: map[string]string{}}
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Defaults(), "koanf"), nil); err != nil {
		return nil, err
	}
	dir, err := l.locate(o.File)
	if err != nil {
		return nil, err
	}
	var problems Problems
	unread := map[string]bool{}
	merge := func(r *reader) error {
		problems = append(problems, r.problems...)
		maps.Copy(unread, r.unread)
		for path, value := range r.values {
			l.origins[path] = r.origins[path]
			if err := k.Set(path, value); err != nil {
				return err
			}
		}
		return nil
	}

	if l.File != "" {
		r := newReader(dir, func(line int) string { return fmt.Sprintf("%s:%d", o.File, line) })
		if err := koanf.New(".").Load(file.Provider(l.File), parser{r}); err != nil {
			return nil, err
		}
		if err := merge(r); err != nil {
			return nil, err
		}
	}
	for _, r := range append(readEnviron(o, dir), readSettings(o.Set, dir)...) {
		if err := merge(r); err != nil {
			return nil, err
		}
	}
	if err := k.UnmarshalWithConf("", &l.Config, koanf.UnmarshalConf{Tag: "koanf"}); err != nil {
		return nil, err
	}
	problems = append(problems, l.check(o.File, unread)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return l, nil
}

// locate makes the file's path absolute and answers the folder that relative
// paths count from.
func (l *Loaded) locate(name string) (dir string, err error) {
	if name == "" {
		return os.Getwd()
	}
	if l.File, err = filepath.Abs(name); err != nil {
		return "", err
	}
	return filepath.Dir(l.File), nil
}

// parser lets koanf read the file while r notes lines, kinds and mistakes.
type parser struct{ r *reader }

func (p parser) Unmarshal(text []byte) (map[string]any, error) {
	p.r.document(text)
	return map[string]any{}, nil
}

func (p parser) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// syntax reports text that is no YAML, with its line in the usual place.
func (r *reader) syntax(err error) {
	leaves(schema(), func(f *field) { r.unread[f.path] = true })
	text := err.Error()
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		_, _ = fmt.Sscan(m[1], &line) // digits, by the expression
		text = text[len(m[0]):]
	}
	r.fail(line, "not YAML: %s", withoutQuotes(strings.TrimPrefix(text, "yaml: ")))
}

// withoutQuotes cuts what a parser quotes of the file, which may be a secret that
// was written into it. Single characters, such as a missing ',', stay.
func withoutQuotes(text string) string {
	for i := 0; i < len(text); i++ {
		quote := text[i]
		if quote != '\'' && quote != '"' && quote != '`' {
			continue
		}
		if i+2 < len(text) && text[i+2] == quote {
			i += 2
			continue
		}
		// The last one that fits: what is quoted may have quotes itself.
		end := strings.LastIndexByte(text, quote)
		if end == i {
			return text[:i] + "…"
		}
		return text[:i] + "…" + text[end+1:]
	}
	return text
}

// readEnviron reads the environment, each variable as a layer of its own so
// that mistakes name it.
func readEnviron(o Options, dir string) []*reader {
	if o.Environ == nil {
		return nil
	}
	found := map[string]string{}
	provider := env.Provider(".", env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: o.Environ,
		TransformFunc: func(name, value string) (string, any) {
			if !slices.Contains(o.Ignore, name) {
				found[name] = value
			}
			return "", nil // typed and placed below
		},
	})
	if _, err := provider.Read(); err != nil {
		r := newReader(dir, func(int) string { return "environment" })
		r.fail(0, "%v", err)
		return []*reader{r}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	var readers []*reader
	for _, name := range names {
		r := newReader(dir, func(int) string { return name })
		path := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, EnvPrefix), "__", "."))
		r.setting(path, found[name], envName)
		readers = append(readers, r)
	}
	return readers
}

// readSettings reads PATH=VALUE settings.
func readSettings(settings []string, dir string) []*reader {
	var readers []*reader
	for _, s := range settings {
		path, value, ok := strings.Cut(s, "=")
		r := newReader(dir, func(int) string { return "--set " + path })
		if !ok || path == "" {
			r.fail(0, "write PATH=VALUE, such as log.level=debug")
		} else {
			r.setting(path, value, func(path string) string { return path })
		}
		readers = append(readers, r)
	}
	return readers
}

func envName(path string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__"))
}

// setting reads one value given as text under its dotted path. Lists are
// written as in YAML ([a, b]), lists of texts also as a,b.
func (r *reader) setting(path, text string, spell func(path string) string) {
	f := fieldAt(schema(), path)
	switch {
	case f == nil:
		hint := ""
		if near := nearest(path); near != "" {
			r.unread[near] = true
			hint = fmt.Sprintf(", did you mean %q?", spell(near))
		}
		r.fail(0, "unknown key%s", hint)
		return
	case f.kind == kindSection:
		r.fail(0, "%q takes keys of its own, such as %q", path, spell(f.fields[0].path))
		return
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	isList := strings.HasPrefix(strings.TrimSpace(text), "[")
	switch {
	case f.kind == kindTexts && !isList:
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for _, part := range strings.Split(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part})
			}
		}
	case f.kind == kindTexts, f.kind == kindSections, f.kind == kindNamed:
		form := "[...]"
		if f.kind == kindNamed {
			form = "{NAME: TEXT}"
		}
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
			r.fail(0, "%q is a list, written as in YAML: %s", path, form)
			return
		}
		n = doc.Content[0]
	}
	r.value(f, 0, n)
}
