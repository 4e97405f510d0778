package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alertRule is a rule as Prometheus reads it.
type alertRule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlerts(t *testing.T) (rules []alertRule) {
	t.Helper()
	data, err := os.ReadFile("../../deploy/alerts/meridian.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	return rules
}

// Each alert says what is wrong, how urgent that is, and which page helps; and
// each page belongs to some alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	const pages = "docs/runbooks"
	used := map[string]bool{}
	seen := map[string]bool{}
	for _, r := range readAlerts(t) {
		page := r.Annotations["runbook_url"]
		used[page] = true
		switch {
		case !strings.HasPrefix(r.Alert, "Meridian") || seen[r.Alert]:
			t.Errorf("alert %q: its name", r.Alert)
		case r.Annotations["summary"] == "":
			t.Errorf("%s has no summary", r.Alert)
		case r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket":
			t.Errorf("%s has severity %q", r.Alert, r.Labels["severity"])
		case filepath.Dir(page) != pages:
			t.Errorf("%s has runbook %q", r.Alert, page)
		}
		seen[r.Alert] = true
		if _, err := os.Stat(filepath.Join("../..", page)); err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
	}
	files, err := filepath.Glob("../../" + pages + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	for _, file := range files {
		if page := filepath.Join(pages, filepath.Base(file)); !used[page] {
			t.Errorf("%s belongs to no alert", page)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), string(m[1]))); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// promWords are the words of expressions that are no metrics.
var promWords = strings.Fields("and or unless by on ignoring group_left group_right sum max min count rate increase changes time histogram_quantile up job instance le")

var (
	promMatchers = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	promEqual    = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	promRange    = regexp.MustCompile(`\[[^]]*\]`)
	promName     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
)

// What the alerts look at is what a running node shows, label values included.
func TestAlertsNameRealMetrics(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1)
	node := r.layout.Regions[0].Nodes[0]
	makeKey(t, r.client(r.layout.Regions[0]))
	status, exposed := r.get(node, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, exposed)
	}
	series := strings.Split(exposed, "\n")
	for _, rule := range readAlerts(t) {
		expr := promRange.ReplaceAllString(rule.Expr, "")
		for _, m := range promMatchers.FindAllStringSubmatch(expr, -1) {
			for _, label := range promEqual.FindAllString(m[2], -1) {
				if !slices.ContainsFunc(series, func(line string) bool {
					return strings.HasPrefix(line, m[1]+"{") && strings.Contains(line, label)
				}) {
					t.Errorf("%s: a node shows no %s{%s}", rule.Alert, m[1], label)
				}
			}
		}
		expr = promMatchers.ReplaceAllString(expr, "$1")
		for _, name := range promName.FindAllString(expr, -1) {
			if slices.Contains(promWords, name) {
				continue
			}
			if !slices.ContainsFunc(series, func(line string) bool {
				return strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{")
			}) {
				t.Errorf("%s: a node shows no %s", rule.Alert, name)
			}
		}
	}
}
