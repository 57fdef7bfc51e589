// Package check says what is wrong with an expression or a rule without
// running it: what does not parse, what the catalog knows better (metrics,
// labels, types, units, ranges), and what would fire always, never, or with an
// empty text. It proves nothing right: that is for a back-test.
//
// A metric that the catalog does not list is a warning, not an error: people
// have metrics of their own.
package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// A Severity says how bad a finding is.
type Severity string

// The severities. A rule with an error does not do what it says.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// A Finding is one thing that is wrong. From and To are byte offsets in the
// expression; both are 0 where it is about the whole rule.
type Finding struct {
	Check    string
	Severity Severity
	Text     string
	From, To int
}

// Expr returns what is wrong with expr as a query, in the order of its text.
func Expr(expr string, c *catalog.Catalog) []Finding {
	_, fs := checked(expr, c)
	return fs
}

// checked also returns the syntax tree, nil where there is none.
func checked(expr string, c *catalog.Catalog) (parser.Expr, []Finding) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, syntax(expr, err)
	}
	var fs []Finding
	if _, err := metricsql.Parse(expr); err != nil {
		fs = append(fs, Finding{Check: "dialect", Severity: Warning, Text: fmt.Sprintf("VictoriaMetrics does not read this: %v", err), To: len(expr)})
	}
	w := &walk{catalog: c}
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		w.node(n, path)
		return nil
	})
	fs = append(fs, w.found...)
	slices.SortStableFunc(fs, func(a, b Finding) int { return a.From - b.From })
	return e, fs
}

func syntax(expr string, err error) []Finding {
	var many parser.ParseErrors
	if !errors.As(err, &many) {
		return []Finding{{Check: "syntax", Severity: Error, Text: err.Error(), To: len(expr)}}
	}
	var fs []Finding
	for _, e := range many {
		from := min(max(int(e.PositionRange.Start), 0), len(expr))
		to := min(max(int(e.PositionRange.End), from), len(expr))
		fs = append(fs, Finding{Check: "syntax", Severity: Error, Text: e.Err.Error(), From: from, To: to})
	}
	return fs
}

// Group returns what is wrong with the rules of g, rule by rule.
func Group(g rules.Group, c *catalog.Catalog) []Finding {
	var fs []Finding
	if !idShape.MatchString(string(g.ID)) {
		fs = append(fs, Finding{Check: "id", Severity: Error, Text: fmt.Sprintf("id %q is not lower-case letters, digits and dashes", g.ID)})
	}
	names := map[string]bool{}
	for _, r := range g.Rules {
		if names[r.Name+"\n"+r.Expr] {
			fs = append(fs, Finding{Check: "duplicate", Severity: Warning, Text: fmt.Sprintf("rule %s is there twice", r.Name)})
		}
		names[r.Name+"\n"+r.Expr] = true
		fs = append(fs, rule(r, c)...)
	}
	return fs
}

var (
	idShape    = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
	nameShape  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	labelInUse = regexp.MustCompile(`(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)`)
)

func rule(r rules.Rule, c *catalog.Catalog) []Finding {
	e, fs := checked(r.Expr, c)
	if !nameShape.MatchString(r.Name) {
		fs = append(fs, Finding{Check: "name", Severity: Warning, Text: fmt.Sprintf("alert name %q is not one word of letters, digits and _", r.Name)})
	}
	if e == nil {
		return fs
	}
	if !conditional(e) {
		fs = append(fs, Finding{Check: "comparison", Severity: Warning, To: len(r.Expr),
			Text: "there is no comparison: the alert fires for every series, always"})
	}
	if r.For == 0 {
		text := "there is no duration: the alert fires at the first evaluation that finds it true"
		fs = append(fs, Finding{Check: "for", Severity: Info, Text: text})
	}
	return append(fs, templates(r, keeps(e, c))...)
}

// conditional reports whether e can come out empty although its metrics are there.
func conditional(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			found = found || n.Op.IsComparisonOperator() && !n.ReturnBool || n.Op == parser.LUNLESS
		case *parser.Call:
			found = found || strings.HasPrefix(n.Func.Name, "absent")
		}
		return nil
	})
	return found
}

// templateFuncs are the names Prometheus has in its templates; only that they
// exist matters here.
var templateFuncs = func() template.FuncMap {
	m := template.FuncMap{}
	for _, name := range strings.Fields(`query first label value strvalue args reReplaceAll safeHtml match title toUpper toLower
		graphLink tableLink sortByLabel stripPort stripDomain humanize humanize1024 humanizeDuration humanizePercentage
		humanizeTimestamp toTime toDuration now pathPrefix externalURL parseDuration urlQueryEscape`) {
		m[name] = func(...any) (any, error) { return nil, nil }
	}
	return m
}()

const templateHead = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// templates checks the texts of r: that they parse, that they name labels the
// result has, and that no label changes with the value.
func templates(r rules.Rule, kept labelSet) []Finding {
	var fs []Finding
	for _, part := range []struct {
		name string
		m    map[string]string
	}{{"annotation", r.Annotations}, {"label", r.Labels}} {
		var keys []string
		for k := range part.m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			text := part.m[k]
			if _, err := template.New(k).Funcs(templateFuncs).Parse(templateHead + text); err != nil {
				fs = append(fs, Finding{Check: "template", Severity: Error, Text: fmt.Sprintf("%s %s: %v", part.name, k, err)})
				continue
			}
			if part.name == "label" && (strings.Contains(text, "$value") || strings.Contains(text, ".Value")) {
				fs = append(fs, Finding{Check: "template", Severity: Warning, Text: fmt.Sprintf("label %s changes with the value: each change is a new alert", k)})
			}
			for _, use := range labelInUse.FindAllStringSubmatch(text, -1) {
				if !kept.has(use[1]) && use[1] != "alertname" {
					fs = append(fs, Finding{Check: "template", Severity: Warning,
						Text: fmt.Sprintf("%s %s names label %s, which the result does not have", part.name, k, use[1])})
				}
			}
		}
	}
	return fs
}
