package check

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

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
			if p.Op == parser.LUNLESS || p.Op == parser.LAND || earlier(p, m) {
				return
			}
			if p.Op.IsComparisonOperator() {
				compared, above = true, p
			}
		}
	}
	switch limit, ok := syntax.Number(w.other(above, v)); {
	case compared && ok && limit == 0:
		w.add(v, "counter", Info, "%s is a counter: once above 0 it stays there until it is reset; increase() says what is new", m.ID)
	case compared:
		w.add(v, "counter", Warning, "%s is a counter, compared without rate() or increase()", m.ID)
	}
}

// earlier reports whether b sets a counter against itself at another time:
// that is its growth, put another way.
func earlier(b *parser.BinaryExpr, m catalog.Metric) bool {
	if b.Op != parser.SUB && !b.Op.IsComparisonOperator() {
		return false
	}
	offsets := map[time.Duration]bool{}
	parser.Inspect(b, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && v.Name == string(m.ID) {
			offsets[v.OriginalOffset] = true
		}
		return nil
	})
	return len(offsets) > 1
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
