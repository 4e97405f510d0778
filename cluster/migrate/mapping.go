package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// Mapping says under which key of the destination the blobs of a key of the source are sealed. Rules are tried in order.
type Mapping struct{ rules []rule }

// rule sends keys with a name that matches from to the key named to. Each has at most one star.
type rule struct {
	from, to string
	region   string // that from is of, if it was an ARN
}

// ParseMapping reads rules of the form FROM => TO. FROM is an alias, a key id or an ARN of the source, TO one of the
// destination; a star in FROM stands for any text, and one in TO for what it stood for. Without rules every alias goes to
// the one of the same name.
func ParseMapping(rules []string) (Mapping, error) {
	if len(rules) == 0 {
		rules = []string{"alias/* => alias/*"}
	}
	var m Mapping
	for _, text := range rules {
		from, to, ok := strings.Cut(text, "=>")
		r := rule{from: strings.TrimSpace(from), to: strings.TrimSpace(to)}
		switch {
		case !ok || r.from == "" || r.to == "":
			return m, fmt.Errorf("mapping %q: write FROM => TO", text)
		case strings.Count(r.from, "*") > 1 || strings.Count(r.to, "*") > 1:
			return m, fmt.Errorf("mapping %q: one star on a side at the most", text)
		case strings.Contains(r.to, "*") && !strings.Contains(r.from, "*"):
			return m, fmt.Errorf("mapping %q: the star in %q stands for nothing", text, r.to)
		}
		if strings.HasPrefix(r.from, arnPrefix) {
			if r.region, r.from, ok = nameInARN(r.from); !ok {
				return m, fmt.Errorf("mapping %q: the ARN of a key is acs:kms:REGION:ACCOUNT:key/ID or acs:kms:REGION:ACCOUNT:alias/NAME", text)
			}
		}
		m.rules = append(m.rules, r)
	}
	return m, nil
}

// arnPrefix is what every ARN of a key or alias begins with.
const arnPrefix = "acs:kms:"

// nameInARN returns the region and the id or alias of acs:kms:REGION:ACCOUNT:key/ID and acs:kms:REGION:ACCOUNT:alias/NAME.
func nameInARN(arn string) (region, name string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(arn, arnPrefix), ":", 3)
	if len(parts) < 3 || parts[0] == "" {
		return "", "", false
	}
	region, name = parts[0], parts[2]
	if id, isID := strings.CutPrefix(name, "key/"); isID {
		return region, id, id != "" && !strings.HasPrefix(id, "alias/")
	}
	return region, name, strings.HasPrefix(name, "alias/")
}

// CheckSource refuses a mapping of keys that no row can be of, because their ARNs are of another region than the source.
func (m Mapping) CheckSource(region string) error {
	for _, r := range m.rules {
		if r.region != "" && r.region != region {
			return fmt.Errorf("%s is named as a key of region %s, and the rows are from %s", r.from, r.region, region)
		}
	}
	return nil
}

// Target returns the name of the destination's key for a key of the source that has these names: its id and aliases. Of
// several aliases that one rule matches the first in order counts.
func (m Mapping) Target(names []string) (string, bool) {
	names = slices.Sorted(slices.Values(names))
	for _, r := range m.rules {
		for _, name := range names {
			if rest, ok := r.match(name); ok {
				return strings.Replace(r.to, "*", rest, 1), true
			}
		}
	}
	return "", false
}

// match returns what the star stands for.
func (r rule) match(name string) (rest string, ok bool) {
	before, after, star := strings.Cut(r.from, "*")
	if !star {
		return "", name == r.from
	}
	if len(name) < len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return "", false
	}
	return name[len(before) : len(name)-len(after)], true
}
