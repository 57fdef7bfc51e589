package proof

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// meet arranges that e has the value a.
func (w *world) meet(e parser.Expr, a aim) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return w.meet(e.Expr, a)
	case *parser.UnaryExpr:
		if e.Op == parser.SUB {
			a = a.times(-1)
		}
		return w.meet(e.Expr, a)
	case *parser.NumberLiteral:
		return true // what comes of it is tried
	case *parser.VectorSelector:
		w.set(e, a)
		return true
	case *parser.MatrixSelector:
		return w.meet(e.VectorSelector, a)
	case *parser.SubqueryExpr:
		return w.meet(e.Expr, a)
	case *parser.AggregateExpr:
		return w.meetAggregate(e, a)
	case *parser.Call:
		return w.meetCall(e, a)
	case *parser.BinaryExpr:
		return w.meetBinary(e, a)
	}
	return false
}

func (w *world) meetAggregate(e *parser.AggregateExpr, a aim) bool {
	switch e.Op {
	case parser.COUNT, parser.GROUP:
		n := max(1, int(math.Round(a.at)))
		if e.Op == parser.GROUP {
			n = 1
		}
		if a.at < 0.5 {
			return w.fail(e.Expr)
		}
		return w.times(n, e, func() bool { return w.hold(e.Expr) })
	case parser.STDDEV, parser.STDVAR, parser.COUNT_VALUES:
		return false
	}
	return w.meet(e.Expr, a)
}

// times arranges n series in the place of each.
func (w *world) times(n int, e parser.Expr, arrange func() bool) bool {
	const many = 200 // series that still read as a test
	if n < 1 || n > many {
		return false
	}
	copies, fixed, vary := w.copies, w.fixed, w.vary
	w.copies, w.fixed, w.vary = n, nil, nil
	if a, ok := e.(*parser.AggregateExpr); ok && a.Without {
		w.vary = a.Grouping
	} else if ok {
		w.fixed = a.Grouping
	}
	defer func() { w.copies, w.fixed, w.vary = copies, fixed, vary }()
	return arrange()
}

func (w *world) meetBinary(e *parser.BinaryExpr, a aim) bool {
	l, r := e.LHS, e.RHS
	switch {
	case e.Op == parser.LAND:
		return w.meet(l, a) && w.hold(r)
	case e.Op == parser.LUNLESS:
		return w.meet(l, a) && w.absence(r, e != w.broken)
	case e.Op == parser.LOR:
		if r == w.branch {
			return w.fail(l) && w.meet(r, a)
		}
		return w.meet(l, a)
	case e.Op.IsComparisonOperator() && e.ReturnBool:
		return w.compare(e, a.at >= 0.5)
	case e.Op == parser.EQLC:
		if n, ok := number(r); ok && n != 0 && a.at/n >= 0.5 { // sum(x == 1) > 3 counts
			return w.times(int(math.Round(a.at/n)), e, func() bool { return w.compare(e, e != w.broken) })
		}
		return w.compare(e, e != w.broken)
	case e.Op.IsComparisonOperator():
		if e == w.broken {
			return w.compare(e, false)
		}
		return w.meet(l, a)
	}
	if e.Op == parser.DIV && counts(l) && counts(r) { // all of them, or none
		if w.denied {
			return w.fail(l)
		}
		return w.hold(l)
	}
	left, lok := w.value(l)
	right, rok := w.value(r)
	if !lok && !rok {
		// One side is free. The one whose series the other has too goes first.
		free := r
		if within(l, r) {
			free = l
		}
		value := w.free(e.Op, a, free == l)
		if counts(free) {
			value = flat(few)
		}
		if !w.meet(free, value) {
			return false
		}
		left, lok = w.value(l)
		right, rok = w.value(r)
	}
	switch {
	case rok:
		if v, ok := undoRight(e.Op, a, right); ok {
			return w.meet(l, v)
		}
	case lok:
		if v, ok := undoLeft(e.Op, a, left); ok {
			return w.meet(r, v)
		}
	}
	return false
}

// few is how many there are of what is only counted to compare with.
const few = 4

// counts reports whether e is a number of series.
func counts(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return counts(e.Expr)
	case *parser.AggregateExpr:
		return e.Op == parser.COUNT
	}
	return false
}

// free is the value of the first of two unknown operands of op.
func (w *world) free(op parser.ItemType, a aim, left bool) aim {
	switch {
	case op == parser.MUL:
		return flat(1) // the like of kube_node_info
	case op == parser.ADD:
		return a.times(0.5)
	case op == parser.SUB:
		return flat(a.size(usual))
	case op == parser.DIV && left:
		return flat(usual * a.at)
	}
	return flat(usual)
}

// undoRight returns x of x op r = a.
func undoRight(op parser.ItemType, a, r aim) (aim, bool) {
	switch {
	case op == parser.ADD:
		return a.minus(r), true
	case op == parser.SUB:
		return a.plus(r), true
	case op == parser.MUL && r.constant() && r.at != 0:
		return a.times(1 / r.at), true
	case op == parser.DIV && r.constant():
		return a.times(r.at), true
	case op == parser.MOD && r.constant() && a.at < r.at:
		return a, true
	case op == parser.POW && r.constant() && a.constant() && a.at >= 0:
		return flat(math.Pow(a.at, 1/r.at)), true
	}
	return aim{}, false
}

// undoLeft returns x of l op x = a.
func undoLeft(op parser.ItemType, a, l aim) (aim, bool) {
	switch {
	case op == parser.ADD:
		return a.minus(l), true
	case op == parser.SUB:
		return l.minus(a), true
	case op == parser.MUL && l.constant() && l.at != 0:
		return a.times(1 / l.at), true
	case op == parser.DIV && a.constant() && a.at != 0:
		return l.times(1 / a.at), true
	}
	return aim{}, false
}

func (w *world) meetCall(e *parser.Call, a aim) bool {
	name := e.Func.Name
	arg := vectorArg(e)
	if arg == nil {
		return false
	}
	if isAbsent(e) {
		return w.absence(arg, math.Abs(a.at-1) < 0.5) // it is 1 or nothing
	}
	span := windowOf(arg).Seconds()
	switch name {
	case "rate", "irate", "deriv":
		return a.constant() && w.meet(arg, aim{slope: a.at})
	case "increase", "delta":
		return a.constant() && span > 0 && w.meet(arg, aim{slope: a.at / span})
	case "idelta":
		return w.meet(arg, aim{slope: a.at / w.step.Seconds()})
	case "predict_linear":
		ahead, ok := number(e.Args[1])
		if !ok || a.at >= 0 {
			return ok && w.meet(arg, a)
		}
		// It is still something at the end of the test, and falls.
		left, end := float64(usual), float64(w.steps)*w.step.Seconds()
		is, set := w.value(arg)
		if set && is.constant() {
			left = is.at
		}
		slope := (a.at - 2*left) / ahead // it is as far below at the end as it is above now: before the end, too, it falls below
		falls := aim{at: left - slope*end, slope: slope}
		if v, ok := unwrapped(arg); ok && set {
			w.lines[key(v)].at[v.OriginalOffset] = &falls
			return true
		}
		return w.meet(arg, falls)
	case "changes", "resets":
		if a.at <= 0 || w.denied {
			return w.meet(arg, flat(1))
		}
		slope := 1 / w.step.Seconds()
		if name == "resets" {
			slope = -slope
		}
		return w.meet(arg, aim{at: float64(w.steps), slope: slope})
	case "sum_over_time":
		return span > 0 && w.meet(arg, a.times(w.step.Seconds()/span))
	case "count_over_time", "present_over_time":
		return w.hold(arg)
	case "sqrt":
		return w.meet(arg, flat(a.at*a.at))
	case "exp":
		return a.at > 0 && w.meet(arg, flat(math.Log(a.at)))
	case "ln":
		return w.meet(arg, flat(math.Exp(a.at)))
	case "log2":
		return w.meet(arg, flat(math.Exp2(a.at)))
	case "log10":
		return w.meet(arg, flat(math.Pow(10, a.at)))
	case "histogram_quantile":
		return w.meetQuantile(e, a)
	case "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time", "mad_over_time",
		"abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc", "label_replace", "label_join", "vector", "scalar":
		return w.meet(arg, a)
	}
	return false
}

// meetQuantile puts all observations between two bounds, where the quantile is
// interpolated.
func (w *world) meetQuantile(e *parser.Call, a aim) bool {
	q, ok := number(e.Args[0])
	if !ok || a.at <= 0 || !a.constant() {
		return false
	}
	// bounds a±a/2, moved so that the q-th part of the way is a
	w.buckets = []float64{a.at - a.at/2*q, a.at + a.at/2*(1-q)}
	defer func() { w.buckets = nil }()
	return w.meet(e.Args[1], flat(1))
}

// unwrapped returns the selector that a range is of.
func unwrapped(e parser.Expr) (*parser.VectorSelector, bool) {
	if ms, ok := e.(*parser.MatrixSelector); ok {
		e = ms.VectorSelector
	}
	v, ok := e.(*parser.VectorSelector)
	return v, ok
}

// value returns what e is already, if all its series have been arranged.
func (w *world) value(e parser.Expr) (aim, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return flat(e.Val), true
	case *parser.ParenExpr:
		return w.value(e.Expr)
	case *parser.UnaryExpr:
		v, ok := w.value(e.Expr)
		if e.Op == parser.SUB {
			v = v.times(-1)
		}
		return v, ok
	case *parser.VectorSelector:
		return w.has(e)
	case *parser.MatrixSelector:
		return w.value(e.VectorSelector)
	case *parser.AggregateExpr:
		if v, ok := e.Expr.(*parser.VectorSelector); ok && e.Op == parser.COUNT {
			l, ok := w.lines[key(v)]
			if !ok {
				return aim{}, false
			}
			return flat(float64(max(1, l.copies))), true
		}
		if e.Op == parser.COUNT || e.Op == parser.COUNT_VALUES || e.Op == parser.STDDEV || e.Op == parser.STDVAR {
			return aim{}, false
		}
		return w.value(e.Expr)
	case *parser.Call:
		return w.valueOfCall(e)
	case *parser.BinaryExpr:
		l, lok := w.value(e.LHS)
		r, rok := w.value(e.RHS)
		if e.Op.IsSetOperator() || e.Op.IsComparisonOperator() && !e.ReturnBool {
			return l, lok
		}
		if !lok || !rok {
			return aim{}, false
		}
		switch {
		case e.Op == parser.ADD:
			return l.plus(r), true
		case e.Op == parser.SUB:
			return l.minus(r), true
		case e.Op == parser.MUL && r.constant():
			return l.times(r.at), true
		case e.Op == parser.MUL && l.constant():
			return r.times(l.at), true
		case e.Op == parser.DIV && r.constant():
			return l.times(1 / r.at), true
		case e.Op == parser.POW && l.constant() && r.constant():
			return flat(math.Pow(l.at, r.at)), true
		}
	}
	return aim{}, false
}

func (w *world) valueOfCall(e *parser.Call) (aim, bool) {
	switch e.Func.Name {
	case "time":
		return aim{slope: 1}, true
	case "rate", "irate", "increase", "delta", "deriv":
		ms, ok := e.Args[0].(*parser.MatrixSelector)
		if !ok {
			return aim{}, false
		}
		v, ok := w.value(ms.VectorSelector)
		if e.Func.Name == "increase" || e.Func.Name == "delta" {
			return flat(v.slope * ms.Range.Seconds()), ok
		}
		return flat(v.slope), ok
	case "avg_over_time", "min_over_time", "max_over_time", "last_over_time":
		if ms, ok := e.Args[0].(*parser.MatrixSelector); ok {
			v, ok := w.value(ms.VectorSelector)
			return v, ok && v.constant()
		}
	case "scalar", "vector", "label_replace", "label_join", "abs", "clamp_min", "clamp_max", "sort":
		return w.value(e.Args[0])
	}
	return aim{}, false
}

func number(e parser.Expr) (float64, bool) {
	v, ok := new(world).value(e)
	return v.at, ok && v.constant()
}
