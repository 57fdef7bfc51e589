package check

import (
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// contradiction finds matchers that no series can meet together.
func (w *walk) contradiction(v *parser.VectorSelector) {
	for i, m := range v.LabelMatchers {
		if m.Type == labels.MatchNotRegexp && m.Value == ".*" {
			w.add(v, "impossible", Error, "%s leaves no series: everything is like .*", m)
		}
		for j, other := range v.LabelMatchers {
			if i == j || m.Name != other.Name || m.Type != labels.MatchEqual || other.Matches(m.Value) {
				continue
			}
			if other.Type == labels.MatchEqual && j < i {
				continue // it was said of the other
			}
			w.add(v, "impossible", Error, "no series is both %s and %s", m, other)
			return
		}
	}
}

// never finds comparisons and set operations that cannot return anything.
func (w *walk) never(b *parser.BinaryExpr) {
	switch {
	case b.Op == parser.LUNLESS && syntax.Bare(b.LHS).String() == syntax.Bare(b.RHS).String() && len(b.VectorMatching.MatchingLabels) == 0:
		w.add(b, "impossible", Error, "both sides are the same: one unless itself is nothing")
	case b.Op == parser.LAND:
		w.apart(b)
	case b.Op.IsComparisonOperator() && !b.ReturnBool:
		w.constant(b)
		if x, y := syntax.Bare(b.LHS).String(), syntax.Bare(b.RHS).String(); x == y && (b.Op == parser.GTR || b.Op == parser.LSS || b.Op == parser.NEQ) {
			w.add(b, "impossible", Error, "both sides are the same: nothing is %s itself", b.Op)
		}
	}
}

// constant finds numbers compared with numbers: vector(1) > 2.
func (w *walk) constant(b *parser.BinaryExpr) {
	l, lok := fixed(b.LHS)
	r, rok := fixed(b.RHS)
	if !lok || !rok {
		return
	}
	if holds(l, b.Op, r) {
		w.add(b, "impossible", Warning, "%s is always true: it compares numbers only", b)
		return
	}
	w.add(b, "impossible", Error, "%s is never true: it compares numbers only", b)
}

func fixed(e parser.Expr) (float64, bool) {
	if c, ok := syntax.Bare(e).(*parser.Call); ok && c.Func.Name == "vector" {
		return syntax.Number(c.Args[0])
	}
	return syntax.Number(e)
}

func holds(l float64, op parser.ItemType, r float64) bool {
	switch op {
	case parser.GTR:
		return l > r
	case parser.GTE:
		return l >= r
	case parser.LSS:
		return l < r
	case parser.LTE:
		return l <= r
	case parser.EQLC:
		return l == r
	}
	return l != r
}

// apart finds x > 5 and x < 3.
func (w *walk) apart(b *parser.BinaryExpr) {
	x, from, to, ok := span(b.LHS)
	y, from2, to2, ok2 := span(b.RHS)
	if ok && ok2 && x == y && (from >= to2 || from2 >= to) && !(from == to2 || from2 == to) {
		w.add(b, "impossible", Error, "%s is never both: %s", x, fmt.Sprintf("%s and %s", b.LHS, b.RHS))
	}
}

// span returns between which values e holds for what it watches.
func span(e parser.Expr) (x string, from, to float64, ok bool) {
	c, ok := syntax.Bare(e).(*parser.BinaryExpr)
	if !ok || c.ReturnBool {
		return "", 0, 0, false
	}
	n, ok := syntax.Number(c.RHS)
	if !ok {
		return "", 0, 0, false
	}
	switch x = syntax.Bare(c.LHS).String(); c.Op {
	case parser.GTR, parser.GTE:
		return x, n, math.Inf(1), true
	case parser.LSS, parser.LTE:
		return x, math.Inf(-1), n, true
	case parser.EQLC:
		return x, n, n, true
	}
	return "", 0, 0, false
}
