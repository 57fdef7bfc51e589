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
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
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

// A Checker is what is known beforehand. Only Catalog is needed.
type Checker struct {
	Catalog   *catalog.Catalog
	Scrape    time.Duration     // how far apart samples are; 0 is not known
	Retention time.Duration     // how long they are kept; 0 is not known
	Server    *Server           // a Prometheus that is asked what it has; nil is none
	Recorded  map[string]string // the series that recording rules make, and the group of each
	External  map[string]string // what the Prometheus adds to what leaves it; nil is not known
	House     *House            // what is asked of rules besides; nil is nothing
}

// A Server is what a running Prometheus has.
type Server struct {
	Has    func(metric string) bool
	Values func(metric, label string) []string // none where it does not say
	Count  func(selector string) (int, bool)   // of series
}

// Expr returns what is wrong with expr as a query, in the order of its text.
func Expr(expr string, c *catalog.Catalog) []Finding { return Checker{Catalog: c}.Expr(expr) }

// Group returns what is wrong with the rules of g, rule by rule.
func Group(g rules.Group, c *catalog.Catalog) []Finding { return Checker{Catalog: c}.Group(g) }

// Expr returns what is wrong with expr as a query, in the order of its text.
func (c Checker) Expr(expr string) []Finding {
	_, fs := c.checked(expr, nil)
	return fs
}

// checked also returns the syntax tree, nil where there is none.
func (c Checker) checked(expr string, r *rules.Rule) (parser.Expr, []Finding) {
	e, err := syntax.Parse(expr)
	if err != nil {
		return nil, unread(expr, err)
	}
	var fs []Finding
	if _, err := metricsql.Parse(expr); err != nil {
		fs = append(fs, Finding{Check: "dialect", Severity: Warning, Text: fmt.Sprintf("VictoriaMetrics does not read this: %v", err), To: len(expr)})
	}
	w := &walk{Checker: c, rule: r}
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		w.node(n, path)
		return nil
	})
	fs = append(fs, w.found...)
	fs = append(fs, c.costly(expr)...)
	slices.SortStableFunc(fs, func(a, b Finding) int { return a.From - b.From })
	return e, fs
}

// unread says why expr does not parse. What parses where a server has features
// switched on is said as that: its syntax is right.
func unread(expr string, err error) []Finding {
	check, hint := "syntax", ""
	if _, e := syntax.ParseExperimental(expr); e == nil {
		check, hint = "features", "; it is right where a server has it switched on (--enable-feature)"
	}
	var many parser.ParseErrors
	if !errors.As(err, &many) {
		return []Finding{{Check: check, Severity: Error, Text: err.Error() + hint, To: len(expr)}}
	}
	var fs []Finding
	for _, e := range many {
		from := min(max(int(e.PositionRange.Start), 0), len(expr))
		to := min(max(int(e.PositionRange.End), from), len(expr))
		fs = append(fs, Finding{Check: check, Severity: Error, Text: e.Err.Error() + hint, From: from, To: to})
	}
	return fs
}

// Group returns what is wrong with the rules of g, rule by rule.
func (c Checker) Group(g rules.Group) []Finding {
	var fs []Finding
	if !idShape.MatchString(string(g.ID)) {
		fs = append(fs, Finding{Check: "id", Severity: Error, Text: fmt.Sprintf("id %q is not lower-case letters, digits and dashes", g.ID)})
	}
	fs = append(fs, interval(g.Every)...)
	seen := duplicates{}
	for _, r := range g.Rules {
		fs = append(fs, seen.add(string(g.ID), r.Name, r.Expr, r.Labels)...)
		fs = append(fs, c.rule(r, g.Every)...)
		fs = append(fs, c.house(alerting, string(g.ID), r)...)
	}
	return fs
}

var (
	idShape   = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
	nameShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// rule returns what is wrong with an alerting rule that is evaluated every so often.
func (c Checker) rule(r rules.Rule, every time.Duration) []Finding {
	e, fs := c.checked(r.Expr, &r)
	if !nameShape.MatchString(r.Name) {
		fs = append(fs, Finding{Check: "name", Severity: Warning, Text: fmt.Sprintf("alert name %q is not one word of letters, digits and _", r.Name)})
	}
	fs = append(fs, c.external(r)...)
	if e == nil {
		return fs
	}
	if !conditional(e) {
		fs = append(fs, Finding{Check: "comparison", Severity: Warning, To: len(r.Expr),
			Text: "there is no comparison: the alert fires for every series, always"})
	}
	fs = append(fs, c.hold(r, e, every)...)
	return append(fs, templates(r, e, provenance(e, c.Catalog))...)
}

// conditional reports whether e can come out empty although its metrics are there.
func conditional(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			found = found || n.Op.IsComparisonOperator() && !n.ReturnBool || n.Op == parser.LUNLESS || n.Op == parser.LAND
		case *parser.Call:
			found = found || strings.HasPrefix(n.Func.Name, "absent")
		}
		return nil
	})
	return found
}
