package migrate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"meridian/crypto"
)

// ContextRules say how the encryption context of a row becomes the one that its new blob is sealed in. Each sets or
// removes one name; all other names are carried.
type ContextRules []contextRule

type contextRule struct {
	name, value string
	remove      bool
}

// ParseContextRules reads rules of the form NAME=VALUE, which sets a name, or NAME, which removes it. Each name is in one
// rule at the most.
func ParseContextRules(texts []string) (ContextRules, error) {
	var rules ContextRules
	for _, text := range texts {
		name, value, sets := strings.Cut(text, "=")
		switch {
		case name == "":
			return nil, fmt.Errorf("%q: write NAME=VALUE to set a name, or NAME to remove it", text)
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("%q is not UTF-8", text)
		case slices.ContainsFunc(rules, func(r contextRule) bool { return r.name == name }):
			return nil, fmt.Errorf("%q is in two rules", name)
		}
		rules = append(rules, contextRule{name: name, value: value, remove: !sets})
	}
	return rules, nil
}

// Map returns the context that takes the place of another. Errors are [*crypto.ContextError].
func (rules ContextRules) Map(from crypto.Context) (crypto.Context, error) {
	pairs := slices.DeleteFunc(from.Pairs(), func(p crypto.Pair) bool {
		return slices.ContainsFunc(rules, func(r contextRule) bool { return r.name == p.Name })
	})
	for _, r := range rules {
		if !r.remove {
			pairs = append(pairs, crypto.Pair{Name: r.name, Value: r.value})
		}
	}
	return crypto.NewContext(pairs)
}
