package check

import (
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// fragileOrder finds alerts on the first few of an order: which they are
// changes, and with it which alerts there are. What is aggregated again, or is
// only joined to, gives the alert no labels.
func (w *walk) fragileOrder(e *parser.AggregateExpr, path []parser.Node) {
	if w.rule == nil || e.Op != parser.TOPK && e.Op != parser.BOTTOMK && e.Op != parser.LIMITK {
		return
	}
	for _, p := range path {
		switch p := p.(type) {
		case *parser.AggregateExpr:
			return
		case *parser.BinaryExpr:
			if p.VectorMatching != nil && p.VectorMatching.Card != parser.CardOneToOne && !p.Op.IsSetOperator() {
				return
			}
		}
	}
	w.add(e, "fragile", Warning, "%s chooses anew at each evaluation: alerts come and go as the order changes", e.Op)
}

// fragileSum finds arithmetic of two aggregations that fires at once: the two
// are not read at the same moment, and for an instant they need not agree.
func (w *walk) fragileSum(b *parser.BinaryExpr) {
	if w.rule == nil || w.rule.For > 0 || b.Op != parser.SUB && !b.Op.IsComparisonOperator() {
		return
	}
	l, lok := syntax.Bare(b.LHS).(*parser.AggregateExpr)
	r, rok := syntax.Bare(b.RHS).(*parser.AggregateExpr)
	if lok && rok && l.String() != r.String() {
		w.add(b, "fragile", Warning, "two aggregations are not of the same instant, and the alert has no duration: it can fire while one is ahead of the other")
	}
}
