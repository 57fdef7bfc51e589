// Package syntax is what those who read PromQL ask of its syntax tree beyond
// what Prometheus' parser answers. It knows no metric and judges nothing.
package syntax

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// Parse reads an expression as a Prometheus does in which nothing is switched on.
func Parse(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(expr)
}

// ParseExperimental reads what has to be switched on in a server, too.
func ParseExperimental(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{EnableExperimentalFunctions: true, ExperimentalDurationExpr: true, EnableExtendedRangeSelectors: true,
		EnableBinopFillModifiers: true}).ParseExpr(expr)
}

// Bare returns e without what stands around it and changes nothing: brackets,
// and the engine's mark of what is the same at every step.
func Bare(e parser.Expr) parser.Expr {
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

// Number returns the value of an expression that is made of numbers only.
func Number(e parser.Expr) (float64, bool) {
	switch e := Bare(e).(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.UnaryExpr:
		v, ok := Number(e.Expr)
		if e.Op == parser.SUB {
			v = -v
		}
		return v, ok
	case *parser.BinaryExpr:
		l, lok := Number(e.LHS)
		r, rok := Number(e.RHS)
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
		case parser.POW:
			return math.Pow(l, r), true
		}
	}
	return 0, false
}

// Turned returns a comparison as seen from its other side: 5 < x is x > 5.
func Turned(op parser.ItemType) parser.ItemType {
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
