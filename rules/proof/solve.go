package proof

import (
	"math"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// An aim is a value that something is to have: at the start of the test, and
// by how much it grows in a second.
type aim struct{ at, slope float64 }

func flat(v float64) aim { return aim{at: v} }

func (a aim) plus(b aim) aim         { return aim{a.at + b.at, a.slope + b.slope} }
func (a aim) minus(b aim) aim        { return aim{a.at - b.at, a.slope - b.slope} }
func (a aim) times(f float64) aim    { return aim{a.at * f, a.slope * f} }
func (a aim) constant() bool         { return a.slope == 0 }
func (a aim) size(d float64) float64 { return max(math.Abs(a.at), d) }

// usual is the value of what may have any: a hundred of something makes
// percentages readable.
const usual = 100

// hold arranges the world so that e returns something, but for the condition
// that the situation breaks. It reports false where it does not know how.
func (w *world) hold(e parser.Expr) bool {
	if e == w.broken && !breakable(e) {
		return w.absence(e, true)
	}
	switch e := e.(type) {
	case *parser.ParenExpr:
		return w.hold(e.Expr)
	case *parser.AggregateExpr:
		return w.hold(e.Expr)
	case *parser.BinaryExpr:
		return w.holdBinary(e)
	case *parser.Call:
		if isAbsent(e) {
			return w.absence(e.Args[0], e != w.broken)
		}
		if arg := vectorArg(e); arg != nil && conditional(arg) {
			return w.hold(arg)
		}
	}
	return w.meet(e, flat(1))
}

// breakable reports whether e is a condition: what else is broken is left out.
func breakable(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.BinaryExpr:
		return e.Op.IsComparisonOperator() || e.Op == parser.LUNLESS || e.Op == parser.LOR
	case *parser.Call:
		return isAbsent(e)
	}
	return false
}

func (w *world) holdBinary(e *parser.BinaryExpr) bool {
	switch {
	case e.Op == parser.LAND:
		return w.hold(e.LHS) && w.hold(e.RHS)
	case e.Op == parser.LUNLESS:
		return w.hold(e.LHS) && w.absence(e.RHS, e != w.broken)
	case e == w.broken && e.Op == parser.LOR:
		if e.RHS == w.branch {
			return w.fail(e.RHS) && w.fail(e.LHS)
		}
		return w.fail(e.LHS) && w.fail(e.RHS)
	case e.Op == parser.LOR:
		if e.RHS == w.branch {
			return w.fail(e.LHS) && w.hold(e.RHS)
		}
		return w.hold(e.LHS) && w.fail(e.RHS)
	case e.Op.IsComparisonOperator():
		return w.compare(e, e != w.broken)
	}
	return w.meet(e, flat(1))
}

// absence arranges that e returns nothing, or, where gone is false, something.
func (w *world) absence(e parser.Expr, gone bool) bool {
	if !gone {
		return w.hold(e)
	}
	if conditional(e) {
		return w.fail(e)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			w.omit(v)
		}
		return nil
	})
	return true
}

// fail arranges that e returns nothing although its series are there: the first
// comparison in it does not hold.
func (w *world) fail(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return w.fail(e.Expr)
	case *parser.AggregateExpr:
		return w.fail(e.Expr)
	case *parser.Call:
		if isAbsent(e) {
			return w.absence(e.Args[0], false)
		}
		if arg := vectorArg(e); arg != nil && conditional(arg) {
			return w.fail(arg)
		}
	case *parser.BinaryExpr:
		switch {
		case e.Op == parser.LAND, e.Op == parser.LUNLESS:
			return w.fail(e.LHS)
		case e.Op == parser.LOR:
			return w.fail(e.LHS) && w.fail(e.RHS)
		case e.Op.IsComparisonOperator() && !e.ReturnBool:
			return w.compare(e, false)
		}
	}
	return w.absence(e, true)
}

// compare arranges that a comparison holds, or just does not.
func (w *world) compare(e *parser.BinaryExpr, holds bool) bool {
	l, r, op := e.LHS, e.RHS, e.Op
	limit, known := w.value(r)
	if !known {
		if limit, known = w.value(l); known {
			l, op = r, syntax.Turned(op)
		}
	}
	if !known { // two unknown sides: one is as usual, the other follows
		limit = flat(usual)
		if within(l, r) { // x > 2 * x offset 1d: the simpler side first
			l, r, op = r, l, syntax.Turned(op)
		}
		if !w.meet(r, limit) {
			return false
		}
		if is, ok := w.value(r); ok {
			limit = is
		}
	}
	was := w.denied
	w.denied = !holds
	defer func() { w.denied = was }()
	return w.meet(l, w.beside(op, limit, holds))
}

// beside returns the value next to the limit that makes x op limit true or false.
func (w *world) beside(op parser.ItemType, limit aim, holds bool) aim {
	off := limit.size(0) * max(w.margin, 0.01)
	if limit.at == 0 && limit.slope == 0 || limit.at == math.Trunc(limit.at) && w.margin == 0 {
		off = 1 // of what is counted
	}
	if !holds {
		op = map[parser.ItemType]parser.ItemType{parser.GTR: parser.LTE, parser.GTE: parser.LSS, parser.LSS: parser.GTE, parser.LTE: parser.GTR,
			parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC}[op]
	}
	switch {
	case op == parser.GTR, op == parser.NEQ:
		limit.at += off
	case op == parser.LSS:
		limit.at -= off
	case op == parser.GTE && w.margin > 0 && limit.at != 0:
		limit.at += off
	case op == parser.LTE && w.margin > 0 && limit.at != 0:
		limit.at -= off
	}
	return limit
}

func vectorArg(c *parser.Call) parser.Expr {
	for _, a := range c.Args {
		if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			return a
		}
	}
	if c.Func.Name == "vector" {
		return c.Args[0]
	}
	return nil
}

func windowOf(e parser.Expr) time.Duration {
	switch e := e.(type) {
	case *parser.MatrixSelector:
		return e.Range
	case *parser.SubqueryExpr:
		return e.Range
	}
	return 0
}

// conditional reports whether e can come out empty although its series are there.
func conditional(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			found = found || n.Op.IsComparisonOperator() && !n.ReturnBool || n.Op == parser.LUNLESS
		case *parser.Call:
			found = found || isAbsent(n)
		}
		return nil
	})
	return found
}

// within reports whether every series of a is one of b, and b has more.
func within(a, b parser.Expr) bool {
	as, bs := selectors(a), selectors(b)
	if len(as) == 0 || len(as) >= len(bs) {
		return false
	}
	for k := range as {
		if _, ok := bs[k]; !ok {
			return false
		}
	}
	return true
}

func selectors(e parser.Expr) map[string]*parser.VectorSelector {
	out := map[string]*parser.VectorSelector{}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			out[v.String()] = v
		}
		return nil
	})
	return out
}
