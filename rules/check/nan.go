package check

import (
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// poison finds quotients in an aggregation: 0/0 is NaN, and one NaN makes the
// sum of all NaN, which is above and below nothing.
func (w *walk) poison(e *parser.AggregateExpr) {
	switch e.Op {
	case parser.SUM, parser.AVG, parser.STDDEV, parser.STDVAR, parser.QUANTILE:
	default:
		return
	}
	q, ok := quotient(e.Expr)
	if !ok {
		return
	}
	if _, constant := syntax.Number(q.RHS); constant || guarded(q.RHS) {
		return
	}
	if !moves(q.RHS) {
		return // a size or a limit is hardly ever 0
	}
	w.add(q, "nan", Warning, "where %s is 0 this is NaN or infinite, and so is the %s of all: filter by > 0, or divide the sums", q.RHS, e.Op)
}

// quotient returns the division that e comes down to.
func quotient(e parser.Expr) (*parser.BinaryExpr, bool) {
	switch e := syntax.Bare(e).(type) {
	case *parser.BinaryExpr:
		switch e.Op {
		case parser.DIV:
			return e, true
		case parser.MUL, parser.ADD, parser.SUB:
			if q, ok := quotient(e.LHS); ok {
				return q, true
			}
			return quotient(e.RHS)
		}
	case *parser.Call:
		for _, a := range e.Args {
			if a.Type() == parser.ValueTypeVector {
				return quotient(a)
			}
		}
	}
	return nil, false
}

// guarded reports whether e leaves out what is 0.
func guarded(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			found = found || n.Op.IsComparisonOperator() && !n.ReturnBool
		case *parser.Call:
			found = found || n.Func.Name == "clamp_min" || n.Func.Name == "vector"
		}
		return nil
	})
	return found
}

// moves reports whether e is a change of something, which is 0 where nothing happens.
func moves(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok {
			switch c.Func.Name {
			case "rate", "irate", "increase", "delta", "idelta", "deriv", "changes":
				found = true
			}
		}
		return nil
	})
	return found
}
