package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
)

// A walk collects findings over a syntax tree.
type walk struct {
	catalog *catalog.Catalog
	found   []Finding
}

func (w *walk) add(n parser.Node, check string, s Severity, format string, args ...any) {
	p := n.PositionRange()
	w.found = append(w.found, Finding{Check: check, Severity: s, Text: fmt.Sprintf(format, args...), From: int(p.Start), To: int(p.End)})
}

func (w *walk) node(n parser.Node, path []parser.Node) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		w.selector(n, path)
	case *parser.Call:
		w.call(n)
	case *parser.BinaryExpr:
		w.limit(n)
	}
}

func (w *walk) selector(v *parser.VectorSelector, path []parser.Node) {
	if v.Name == "" {
		w.add(v, "metric", Warning, "no metric is named: this reads every series that matches")
	}
	m, known := w.catalog.Metric(catalog.ID(v.Name))
	if v.Name != "" && !known && v.Name != "ALERTS" && v.Name != "ALERTS_FOR_STATE" {
		w.unknown(v)
	}
	for _, lm := range v.LabelMatchers {
		if lm.Name == labels.MetricName {
			continue
		}
		w.matcher(v, lm)
		if known && !m.Has(lm.Name) && !slices.Contains(ofTarget, lm.Name) && !(lm.Value == "" && lm.Type == labels.MatchEqual) {
			w.add(v, "label", Warning, "series of %s have no label %s; they have %s", m.ID, lm.Name, strings.Join(m.Labels, ", "))
		}
	}
	if known && m.Type == catalog.Counter {
		w.counter(v, m, path)
	}
}

func (w *walk) unknown(v *parser.VectorSelector) {
	if h, ok := w.catalog.Histogram(catalog.ID(v.Name)); ok {
		w.add(v, "metric", Warning, "%s is a histogram: its series are %[1]s_bucket, %[1]s_sum and %[1]s_count, unless it is scraped as a native one", h.ID)
		return
	}
	best, least := catalog.ID(""), 1+len(v.Name)/4
	for _, m := range w.catalog.All() {
		if d := distance(strings.ToLower(v.Name), strings.ToLower(string(m.ID)), least); d < least {
			best, least = m.ID, d
		}
	}
	switch _, derived := w.catalog.Derived(catalog.ID(v.Name)); {
	case derived:
		w.add(v, "metric", Error, "%s is computed, not stored: ask for it in words", v.Name)
	case best != "":
		w.add(v, "metric", Warning, "the catalog has no metric %s; did you mean %s?", v.Name, best)
	default:
		w.add(v, "metric", Warning, "the catalog has no metric %s", v.Name)
	}
}

// matcher finds matchers that parse and hardly mean what they say.
func (w *walk) matcher(v *parser.VectorSelector, m *labels.Matcher) {
	regexp := m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp
	switch {
	case regexp && m.Value == "":
		w.add(v, "matcher", Warning, "%s matches only series without the label: is a pattern missing?", m)
	case m.Type == labels.MatchRegexp && m.Value == ".*":
		w.add(v, "matcher", Info, "%s matches everything: it can go", m)
	case m.Value != strings.TrimSpace(m.Value):
		w.add(v, "matcher", Warning, "%s has spaces at an end of its value", m)
	case !regexp && strings.Contains(m.Value, ".*"), !regexp && strings.HasSuffix(m.Value, "*"):
		w.add(v, "matcher", Warning, "%s compares with the text as it stands: was a pattern (=~) meant?", m)
	}
}

// ofCounters are the functions in which a counter makes sense.
var ofCounters = []string{"rate", "irate", "increase", "resets", "changes", "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp", "idelta"}

// counter reports a counter that is compared as it is: it only ever grows, so
// the comparison stays true once it is.
func (w *walk) counter(v *parser.VectorSelector, m catalog.Metric, path []parser.Node) {
	compared, above := false, (*parser.BinaryExpr)(nil)
	for _, p := range path {
		switch p := p.(type) {
		case *parser.Call:
			if slices.Contains(ofCounters, p.Func.Name) {
				return
			}
		case *parser.AggregateExpr:
			if p.Op == parser.COUNT || p.Op == parser.GROUP {
				return
			}
		case *parser.BinaryExpr:
			if p.Op == parser.LUNLESS {
				return
			}
			if p.Op.IsComparisonOperator() {
				compared, above = true, p
			}
		}
	}
	switch limit, ok := number(w.other(above, v)); {
	case compared && ok && limit == 0:
		w.add(v, "counter", Info, "%s is a counter: once above 0 it stays there until it is reset; increase() says what is new", m.ID)
	case compared:
		w.add(v, "counter", Warning, "%s is a counter, compared without rate() or increase()", m.ID)
	}
}

// other returns the side of b that v is not in.
func (w *walk) other(b *parser.BinaryExpr, v *parser.VectorSelector) parser.Expr {
	if b == nil {
		return nil
	}
	if p := b.LHS.PositionRange(); p.Start <= v.PosRange.Start && v.PosRange.End <= p.End {
		return b.RHS
	}
	return b.LHS
}

func (w *walk) call(n *parser.Call) {
	if len(n.Args) == 0 {
		return
	}
	ms, ok := n.Args[0].(*parser.MatrixSelector)
	if !ok {
		return
	}
	v, ok := ms.VectorSelector.(*parser.VectorSelector)
	if !ok {
		return
	}
	m, known := w.catalog.Metric(catalog.ID(v.Name))
	if !known {
		return
	}
	switch n.Func.Name {
	case "rate", "irate", "increase":
		if m.Type == catalog.Gauge {
			w.add(n, "rate", Warning, "%s is a gauge: %s() takes each fall for a restart; delta() or deriv() says how it changes", m.ID, n.Func.Name)
		}
	case "delta", "idelta", "deriv", "predict_linear":
		if m.Type == catalog.Counter {
			w.add(n, "rate", Warning, "%s is a counter: %s() takes a restart for a fall; rate() or increase() knows better", m.ID, n.Func.Name)
		}
	}
}

// limit checks a metric that is compared with a number.
func (w *walk) limit(b *parser.BinaryExpr) {
	if !b.Op.IsComparisonOperator() {
		return
	}
	op := b.Op
	n, ok := number(b.RHS)
	side := b.LHS
	if !ok {
		if n, ok = number(b.LHS); !ok {
			return
		}
		side, op = b.RHS, turned(op)
	}
	m, ok := w.same(side)
	if !ok {
		return
	}
	lo, loErr := strconv.ParseFloat(m.Min, 64)
	hi, hiErr := strconv.ParseFloat(m.Max, 64)
	never := hiErr == nil && (op == parser.GTR && n >= hi || (op == parser.GTE || op == parser.EQLC) && n > hi) ||
		loErr == nil && (op == parser.LSS && n <= lo || (op == parser.LTE || op == parser.EQLC) && n < lo)
	switch {
	case m.Unit == "1" && hiErr == nil && hi == 1 && n > 1 && n <= 100:
		w.add(b, "unit", Error, "%s is a share from 0 to 1: %s percent is %s", m.ID, format(n), format(n/100))
	case never:
		w.add(b, "range", Error, "%s is never %s %s: its values go from %s to %s %s", m.ID, op, format(n), or(m.Min, "-∞"), or(m.Max, "∞"), m.Unit)
	case m.Unit == "%" && n > 0 && n < 1:
		w.add(b, "unit", Warning, "%s is in percent, from 0 to 100: %s is less than one percent", m.ID, format(n))
	case m.Unit == "MiBy" && n >= 1<<24:
		w.add(b, "unit", Warning, "%s is in MiB: %s MiB is %s TiB", m.ID, format(n), format(n/(1<<20)))
	}
}

// same returns the metric whose values e has, nothing done to them that leaves
// their range.
func (w *walk) same(e parser.Expr) (catalog.Metric, bool) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return w.same(e.Expr)
	case *parser.VectorSelector:
		m, ok := w.catalog.Metric(catalog.ID(e.Name))
		return m, ok && m.Type == catalog.Gauge
	case *parser.MatrixSelector:
		return w.same(e.VectorSelector)
	case *parser.AggregateExpr:
		switch e.Op {
		case parser.AVG, parser.MIN, parser.MAX, parser.QUANTILE, parser.TOPK, parser.BOTTOMK:
			return w.same(e.Expr)
		}
	case *parser.Call:
		if slices.Contains([]string{"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"}, e.Func.Name) {
			return w.same(e.Args[len(e.Args)-1])
		}
	}
	return catalog.Metric{}, false
}

func number(e parser.Expr) (float64, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.ParenExpr:
		return number(e.Expr)
	case *parser.UnaryExpr:
		n, ok := number(e.Expr)
		if e.Op == parser.SUB {
			n = -n
		}
		return n, ok
	case *parser.BinaryExpr:
		l, lok := number(e.LHS)
		r, rok := number(e.RHS)
		if !lok || !rok {
			return 0, false
		}
		switch e.Op {
		case parser.ADD:
			return l + r, true
		case parser.SUB:
			return l - r, true
		case parser.MUL:
			return l * r, true
		case parser.DIV:
			return l / r, true
		}
	}
	return 0, false
}

func turned(op parser.ItemType) parser.ItemType {
	switch op {
	case parser.GTR:
		return parser.LSS
	case parser.GTE:
		return parser.LTE
	case parser.LSS:
		return parser.GTR
	case parser.LTE:
		return parser.GTE
	}
	return op
}

func format(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// distance is the edit distance between a and b, or limit where it is more.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}
