package check

import "github.com/prometheus/prometheus/promql/parser"

// grouping finds groups by labels that what is aggregated never has.
func (w *walk) grouping(e *parser.AggregateExpr) {
	inner := provenance(e.Expr, w.Catalog)
	for _, name := range e.Grouping {
		of := inner.of(name)
		if of.Is != Impossible || e.Without { // to remove what is not there does no harm
			continue
		}
		w.add(e, "aggregate", severity(of), "by (%s) groups by a label that is not there: %s", name, of.Why)
	}
}
