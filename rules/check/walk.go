package check

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
)

// A walk collects findings over a syntax tree.
type walk struct {
	Checker
	rule  *rules.Rule // what the expression is of; nil is a query
	found []Finding
}

func (w *walk) add(n parser.Node, check string, s Severity, format string, args ...any) {
	p := n.PositionRange()
	w.found = append(w.found, Finding{Check: check, Severity: s, Text: fmt.Sprintf(format, args...), From: int(p.Start), To: int(p.End)})
}

// node has each check look at the kind of node that it is about. Each is in a
// file of its own.
func (w *walk) node(n parser.Node, path []parser.Node) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		w.selector(n, path)
		w.contradiction(n)
		w.past(n, path)
	case *parser.AggregateExpr:
		w.grouping(n)
		w.poison(n)
		w.fragileOrder(n, path)
	case *parser.Call:
		w.kind(n)
		w.window(n)
		w.rateOfSum(n)
	case *parser.BinaryExpr:
		w.limit(n)
		w.never(n)
		w.matching(n)
		w.fragileSum(n)
	}
}
