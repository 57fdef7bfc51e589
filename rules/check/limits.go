package check

import (
	"slices"
	"strconv"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

// limit checks a metric that is compared with a number.
func (w *walk) limit(b *parser.BinaryExpr) {
	if !b.Op.IsComparisonOperator() {
		return
	}
	op := b.Op
	n, ok := syntax.Number(b.RHS)
	side := b.LHS
	if !ok {
		if n, ok = syntax.Number(b.LHS); !ok {
			return
		}
		side, op = b.RHS, syntax.Turned(op)
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
		m, ok := w.Catalog.Metric(catalog.ID(e.Name))
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

func format(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
