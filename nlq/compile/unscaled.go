package compile

import (
	"strconv"

	"github.com/prometheus/prometheus/promql/parser"
)

// unscaled returns a condition without the factors of what it compares, and
// whether there were any: 100 * x is above 90 where x is above 0.9, which is
// how rules are written and how percentages are shown.
func unscaled(e parser.Expr) (parser.Expr, bool) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		of, any := unscaled(e.Expr)
		return &parser.ParenExpr{Expr: of}, any
	case *parser.BinaryExpr:
		limit, ok := e.RHS.(*parser.NumberLiteral)
		switch {
		case e.Op.IsSetOperator():
			l, lany := unscaled(e.LHS)
			r, rany := unscaled(e.RHS)
			e.LHS, e.RHS = l, r
			return e, lany || rany
		case !e.Op.IsComparisonOperator() || !ok:
			return e, false
		}
		of, factor := factored(e.LHS)
		e.LHS, limit.Val = of, round(limit.Val/factor)
		return e, factor != 1
	}
	return e, false
}

// factored returns what is multiplied by a number, and the number.
func factored(e parser.Expr) (parser.Expr, float64) {
	if a, ok := e.(*parser.AggregateExpr); ok && linear[a.Op] {
		of, n := factored(a.Expr)
		a.Expr = of
		return a, n
	}
	b, ok := plain(e).(*parser.BinaryExpr)
	switch {
	case ok && b.Op == parser.DIV: // 100 * a / b
		of, n := factored(b.LHS)
		b.LHS = of
		return e, n
	case !ok || b.Op != parser.MUL:
		return e, 1
	}
	n, ok := b.LHS.(*parser.NumberLiteral)
	if !ok || n.Val <= 0 {
		return e, 1
	}
	return plain(b.RHS), n.Val
}

// linear are the aggregations of which a factor can be taken out.
var linear = map[parser.ItemType]bool{parser.SUM: true, parser.AVG: true, parser.MIN: true, parser.MAX: true, parser.TOPK: true, parser.BOTTOMK: true}

// plain returns e without parentheses around it.
func plain(e parser.Expr) parser.Expr {
	if p, ok := e.(*parser.ParenExpr); ok {
		return p.Expr
	}
	return e
}

// round takes off what binary fractions add: 7 / 100 is 0.07.
func round(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		return v
	}
	return r
}
