// Package compile turns intents into PromQL and alerting rules. An expression
// is built as a syntax tree, never put together from strings, printed, and
// read again by the parsers of Prometheus and of VictoriaMetrics: what comes
// out is what both understand.
//
// Whatever an asker wrote can become a label's value, escaped by the printer,
// and nothing else: names come from the catalog, and the templates of
// annotations from this package, because Prometheus executes them.
package compile

import (
	"fmt"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// Lookup returns the query that answers l.
func Lookup(l nlq.Lookup, c *catalog.Catalog) (string, error) {
	e, err := measure(l.Measure, c)
	if err != nil {
		return "", err
	}
	if e, err = compare(e, l.Compare); err != nil {
		return "", err
	}
	if l.Top != 0 {
		op := parser.ItemType(parser.TOPK)
		if l.Top < 0 {
			op = parser.BOTTOMK
		}
		e = &parser.AggregateExpr{Op: op, Param: &parser.NumberLiteral{Val: float64(max(l.Top, -l.Top))}, Expr: e}
	}
	return Print(e)
}

// A Forecast is what must be known to say when a limit is reached: the series,
// and the limit as a number or, where Capacity is set, as a series too.
type Forecast struct {
	Expr     string
	Capacity string
	Limit    float64
	Rising   bool
}

// When returns what answers w.
func When(w nlq.When, c *catalog.Catalog) (Forecast, error) {
	f := Forecast{Limit: w.Limit, Rising: w.Rising}
	e, err := measure(w.Measure, c)
	if err != nil {
		return f, err
	}
	if f.Expr, err = Print(e); err != nil || w.Capacity == "" {
		return f, err
	}
	of := w.Measure
	of.Metric = w.Capacity
	if e, err = measure(of, c); err != nil {
		return f, err
	}
	f.Capacity, err = Print(e)
	return f, err
}

// Print returns e as text that both parsers read, and the first reads back as
// the same.
func Print(e parser.Expr) (string, error) {
	text := e.String()
	again, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return "", fmt.Errorf("read back %s: %w", text, err)
	}
	if got := again.String(); got != text {
		return "", fmt.Errorf("read back %s: it is %s now", text, got)
	}
	if _, err := metricsql.Parse(text); err != nil {
		return "", fmt.Errorf("read %s as VictoriaMetrics does: %w", text, err)
	}
	return text, nil
}

// measure builds m from the inside out: series, what is done over time, which
// are left, how they are put together.
func measure(m nlq.Measure, c *catalog.Catalog) (parser.Expr, error) {
	d, ok := c.Measure(m.Metric)
	if !ok {
		return nil, fmt.Errorf("compile %s: the catalog has no such measure", m.Metric)
	}
	e, err := overTime(m, d, c)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", m.Metric, err)
	}
	if q, ok := quantiled(e); ok && len(m.By) > 0 && m.Only.Op == "" {
		for _, l := range m.By {
			if !c.Splits(m.Metric, l) {
				return nil, fmt.Errorf("compile %s: its series have no label %s to keep", m.Metric, l)
			}
		}
		q.Grouping = append(q.Grouping, m.By...)
		return e, nil
	}
	if e, err = compare(e, m.Only); err != nil {
		return nil, fmt.Errorf("compile %s: %w", m.Metric, err)
	}
	if m.Agg == nlq.Each {
		if len(m.By) > 0 {
			return nil, fmt.Errorf("compile %s: labels %v to keep, and nothing is put together", m.Metric, m.By)
		}
		return e, nil
	}
	op, ok := aggregations[m.Agg]
	if !ok {
		return nil, fmt.Errorf("compile %s: there is no aggregation %q", m.Metric, m.Agg)
	}
	for _, l := range m.By {
		if !d.Has(l) && !c.Splits(m.Metric, l) {
			return nil, fmt.Errorf("compile %s: its series have no label %s to keep", m.Metric, l)
		}
	}
	if m.Agg == nlq.Mean && divides(e) {
		if whole, ok := together(e, m.By); ok {
			return whole, nil
		}
	}
	return &parser.AggregateExpr{Op: op, Expr: e, Grouping: slices.Clone(m.By)}, nil
}

// divides reports whether e is what one thing comes to by another.
func divides(e parser.Expr) bool {
	b, ok := plain(e).(*parser.BinaryExpr)
	if !ok {
		return false
	}
	_, number := b.RHS.(*parser.NumberLiteral)
	return b.Op == parser.DIV && !number || divides(b.LHS) || divides(b.RHS)
}

// together returns e, made of flows and sums, of all series that have the same
// labels by: each flow is added up first, for of several shares or means the one
// of a thousand requests counts for more than the one of a single request.
func together(e parser.Expr, by []string) (parser.Expr, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e, true
	case *parser.ParenExpr:
		of, ok := together(e.Expr, by)
		return &parser.ParenExpr{Expr: of}, ok
	case *parser.BinaryExpr:
		l, lok := together(e.LHS, by)
		r, rok := together(e.RHS, by)
		b := &parser.BinaryExpr{Op: e.Op, LHS: l, RHS: r}
		if e.VectorMatching != nil {
			b.VectorMatching = &parser.VectorMatching{}
		}
		return b, lok && rok
	case *parser.AggregateExpr:
		return &parser.AggregateExpr{Op: e.Op, Expr: e.Expr, Grouping: slices.Clone(by)}, e.Op == parser.SUM
	case *parser.Call:
		flow := e.Func.Name == "rate" || e.Func.Name == "increase"
		return &parser.AggregateExpr{Op: parser.SUM, Expr: e, Grouping: slices.Clone(by)}, flow
	}
	return nil, false
}

// quantiled returns what a quantile of a histogram is taken of, where its
// buckets are put together: by more labels, there is a quantile for each.
func quantiled(e parser.Expr) (*parser.AggregateExpr, bool) {
	c, ok := e.(*parser.Call)
	if !ok || c.Func.Name != "histogram_quantile" {
		return nil, false
	}
	a, ok := c.Args[1].(*parser.AggregateExpr)
	return a, ok
}

var aggregations = map[nlq.Aggregation]parser.ItemType{
	nlq.Mean: parser.AVG, nlq.Maximum: parser.MAX, nlq.Minimum: parser.MIN, nlq.Sum: parser.SUM, nlq.Count: parser.COUNT,
	nlq.Deviation: parser.STDDEV,
}

var functions = map[nlq.OverTime]string{
	nlq.Average: "avg_over_time", nlq.Highest: "max_over_time", nlq.Lowest: "min_over_time", nlq.Rate: "rate", nlq.Increase: "increase",
}

// overTime builds the series of m with what is done to each.
func overTime(m nlq.Measure, d catalog.Metric, c *catalog.Catalog) (parser.Expr, error) {
	counts := m.Over == nlq.Rate || m.Over == nlq.Increase
	switch {
	case counts && d.Type != catalog.Counter:
		return nil, fmt.Errorf("%s of a gauge", m.Over)
	case m.Over != nlq.AsIs && m.Window < time.Millisecond:
		return nil, fmt.Errorf("%s over no time", m.Over)
	}
	derived, isDerived := c.Derived(m.Metric)
	if isDerived {
		e, err := expand(derived, m, c)
		if err != nil || m.Over == nlq.AsIs {
			return e, err
		}
		return call(functions[m.Over], &parser.SubqueryExpr{Expr: &parser.ParenExpr{Expr: e}, Range: m.Window})
	}
	v, err := selector(m.Metric, m.Where)
	if err != nil || m.Over == nlq.AsIs {
		return v, err
	}
	return call(functions[m.Over], &parser.MatrixSelector{VectorSelector: v, Range: m.Window})
}

func call(name string, arg parser.Expr) (parser.Expr, error) {
	f, ok := parser.Functions[name]
	if !ok {
		return nil, fmt.Errorf("there is no function %q", name)
	}
	return &parser.Call{Func: f, Args: parser.Expressions{arg}}, nil
}

func selector(id catalog.ID, where []nlq.Matcher) (*parser.VectorSelector, error) {
	name, err := labels.NewMatcher(labels.MatchEqual, labels.MetricName, string(id))
	if err != nil {
		return nil, err
	}
	v := &parser.VectorSelector{Name: string(id), LabelMatchers: []*labels.Matcher{name}}
	for _, w := range where {
		m, err := matcher(w)
		if err != nil {
			return nil, err
		}
		v.LabelMatchers = append(v.LabelMatchers, m)
	}
	return v, nil
}

// Selector returns the text of a label selector that holds where all of where do.
func Selector(where []nlq.Matcher) (string, error) {
	v := &parser.VectorSelector{}
	for _, w := range where {
		m, err := matcher(w)
		if err != nil {
			return "", err
		}
		v.LabelMatchers = append(v.LabelMatchers, m)
	}
	return Print(v)
}

func matcher(w nlq.Matcher) (*labels.Matcher, error) {
	types := map[string]labels.MatchType{"=": labels.MatchEqual, "!=": labels.MatchNotEqual, "=~": labels.MatchRegexp, "!~": labels.MatchNotRegexp}
	t, ok := types[w.Op]
	if !ok {
		return nil, fmt.Errorf("match label %s: there is no operator %q", w.Label, w.Op)
	}
	m, err := labels.NewMatcher(t, w.Label, w.Value)
	if err != nil {
		return nil, fmt.Errorf("match label %s: %w", w.Label, err)
	}
	return m, nil
}

// expand builds a derived measure: its own expression, every selector that has
// the label narrowed, every range and offset set to the window asked for.
func expand(d catalog.Derived, m nlq.Measure, c *catalog.Catalog) (parser.Expr, error) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(d.Expr)
	if err != nil {
		return nil, fmt.Errorf("read its expression: %w", err)
	}
	for _, w := range m.Where {
		if !c.Takes(d.ID, w.Label) {
			return nil, fmt.Errorf("it cannot be narrowed by label %s", w.Label)
		}
	}
	var bad error
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			if err := narrow(n, m.Where, c); err != nil {
				bad = err
			}
			if n.OriginalOffset != 0 && m.Over == nlq.AsIs && m.Window > 0 {
				n.OriginalOffset = m.Window
			}
		case *parser.MatrixSelector:
			if m.Over == nlq.AsIs && m.Window > 0 {
				n.Range = m.Window
			}
		}
		return nil
	})
	if b, ok := e.(*parser.BinaryExpr); ok && (b.Op.IsComparisonOperator() || b.Op.IsSetOperator()) {
		e = &parser.ParenExpr{Expr: e}
	}
	return e, bad
}

func narrow(v *parser.VectorSelector, where []nlq.Matcher, c *catalog.Catalog) error {
	if slices.ContainsFunc(where, func(w nlq.Matcher) bool { return w.Label == "mountpoint" && w.Op == "=" }) {
		// What is named outright is meant, of whatever type it is.
		v.LabelMatchers = slices.DeleteFunc(v.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "fstype" })
	}
	for _, w := range where {
		if !c.Takes(catalog.ID(v.Name), w.Label) {
			continue
		}
		m, err := matcher(w)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(v.LabelMatchers, func(own *labels.Matcher) bool { return own.Name == w.Label && own.Type == labels.MatchEqual }); i >= 0 && m.Type == labels.MatchEqual {
			if own := v.LabelMatchers[i].Value; own != w.Value {
				return fmt.Errorf("its %s is %s, and never %s", w.Label, own, w.Value)
			}
			continue
		}
		v.LabelMatchers = append(v.LabelMatchers, m)
	}
	return nil
}

func compare(e parser.Expr, c nlq.Comparison) (parser.Expr, error) {
	if c.Op == "" {
		return e, nil
	}
	ops := map[string]parser.ItemType{">": parser.GTR, ">=": parser.GTE, "<": parser.LSS, "<=": parser.LTE, "==": parser.EQLC, "!=": parser.NEQ}
	op, ok := ops[c.Op]
	if !ok {
		return nil, fmt.Errorf("there is no comparison %q", c.Op)
	}
	return &parser.BinaryExpr{Op: op, LHS: e, RHS: &parser.NumberLiteral{Val: c.Limit}}, nil
}
