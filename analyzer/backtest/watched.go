package backtest

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// Watched takes an expression of the form X op number apart: what the rule
// watches, the comparison and the limit. The number may stand first (the
// comparison is turned round) and may be arithmetic on numbers. It reports false for
// any other form, a comparison with bool included.
func Watched(expr string) (left, op string, limit float64, ok bool) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return "", "", 0, false
	}
	x, op, limit, ok := watched(e)
	if !ok {
		return "", "", 0, false
	}
	return x.String(), op, limit, true
}

// turned are the comparisons seen from the other side.
var turned = map[string]string{">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}

func watched(e parser.Expr) (x parser.Expr, op string, limit float64, ok bool) {
	b, is := bare(e).(*parser.BinaryExpr)
	if !is || !b.Op.IsComparisonOperator() || b.ReturnBool {
		return nil, "", 0, false
	}
	op = b.Op.String()
	x = bare(b.LHS)
	limit, ok = number(b.RHS)
	if !ok {
		x, op = bare(b.RHS), turned[op]
		limit, ok = number(b.LHS)
	}
	if !ok || x.Type() != parser.ValueTypeVector {
		return nil, "", 0, false
	}
	return x, op, limit, true
}

func bare(e parser.Expr) parser.Expr {
	for {
		switch in := e.(type) {
		case *parser.ParenExpr:
			e = in.Expr
		case *parser.StepInvariantExpr:
			e = in.Expr
		default:
			return e
		}
	}
}

// number returns the value of an expression that is made of numbers only.
func number(e parser.Expr) (float64, bool) {
	switch e := bare(e).(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.UnaryExpr:
		v, ok := number(e.Expr)
		if e.Op == parser.SUB {
			v = -v
		}
		return v, ok
	case *parser.BinaryExpr:
		a, okA := number(e.LHS)
		b, okB := number(e.RHS)
		if !okA || !okB {
			return 0, false
		}
		switch e.Op {
		case parser.ADD:
			return a + b, true
		case parser.SUB:
			return a - b, true
		case parser.MUL:
			return a * b, true
		case parser.DIV:
			return a / b, true
		case parser.POW:
			return math.Pow(a, b), true
		}
	}
	return 0, false
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
