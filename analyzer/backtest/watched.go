package backtest

import (
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// Watched takes an expression of the form X op number apart: what the rule
// watches, the comparison and the limit. The number may stand first (the
// comparison is turned round) and may be arithmetic on numbers. It reports false for
// any other form, a comparison with bool included.
func Watched(expr string) (left, op string, limit float64, ok bool) {
	e, err := syntax.Parse(expr)
	if err != nil {
		return "", "", 0, false
	}
	x, op, limit, ok := watched(e)
	if !ok {
		return "", "", 0, false
	}
	return x.String(), op, limit, true
}

func watched(e parser.Expr) (x parser.Expr, op string, limit float64, ok bool) {
	b, is := syntax.Bare(e).(*parser.BinaryExpr)
	if !is || !b.Op.IsComparisonOperator() || b.ReturnBool {
		return nil, "", 0, false
	}
	cmp, x := b.Op, syntax.Bare(b.LHS)
	limit, ok = syntax.Number(b.RHS)
	if !ok {
		cmp, x = syntax.Turned(cmp), syntax.Bare(b.RHS)
		limit, ok = syntax.Number(b.LHS)
	}
	if !ok || x.Type() != parser.ValueTypeVector {
		return nil, "", 0, false
	}
	return x, cmp.String(), limit, true
}

// holds reports whether v op limit.
func holds(v float64, op string, limit float64) bool {
	switch op {
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case "==":
		return v == limit
	}
	return v != limit
}
