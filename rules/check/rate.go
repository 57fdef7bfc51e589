package check

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

// kind finds functions that do not suit the type of their metric.
func (w *walk) kind(n *parser.Call) {
	if len(n.Args) == 0 {
		return
	}
	ms, ok := n.Args[0].(*parser.MatrixSelector)
	if !ok {
		return
	}
	v, ok := ms.VectorSelector.(*parser.VectorSelector)
	if !ok {
		return
	}
	m, known := w.Catalog.Metric(catalog.ID(v.Name))
	if !known {
		return
	}
	switch n.Func.Name {
	case "rate", "irate", "increase":
		if m.Type == catalog.Gauge {
			w.add(n, "rate", Warning, "%s is a gauge: %s() takes each fall for a restart; delta() or deriv() says how it changes", m.ID, n.Func.Name)
		}
	case "delta", "idelta", "deriv", "predict_linear":
		if m.Type == catalog.Counter {
			w.add(n, "rate", Warning, "%s is a counter: %s() takes a restart for a fall; rate() or increase() knows better", m.ID, n.Func.Name)
		}
	}
}

// usualScrape is how far apart samples are unless told otherwise: what
// kube-prometheus sets.
const usualScrape = 30 * time.Second

// window finds ranges in which there are not the two samples that a rate needs,
// as soon as one is missed.
func (w *walk) window(n *parser.Call) {
	if len(n.Args) == 0 || !slices.Contains([]string{"rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear"}, n.Func.Name) {
		return
	}
	ms, ok := n.Args[0].(*parser.MatrixSelector)
	if !ok {
		return
	}
	scrape, told := w.Scrape, "which are"
	if scrape == 0 {
		scrape, told = usualScrape, "which are usually"
	}
	if ms.Range < 2*scrape {
		w.add(n, "rate", Warning, "%s needs two samples, %s %s apart: [%s] is less than twice that", n.Func.Name, told, model.Duration(scrape), model.Duration(ms.Range))
	}
}

// rateOfSum finds rate(sum(x)[5m:]): the restart of one of many is taken for a
// fall of the sum, and what comes back for growth.
func (w *walk) rateOfSum(n *parser.Call) {
	if len(n.Args) == 0 || !slices.Contains([]string{"rate", "irate", "increase"}, n.Func.Name) {
		return
	}
	sub, ok := n.Args[0].(*parser.SubqueryExpr)
	if !ok {
		return
	}
	if agg, ok := syntax.Bare(sub.Expr).(*parser.AggregateExpr); ok && agg.Op != parser.TOPK && agg.Op != parser.BOTTOMK {
		w.add(n, "rate", Warning, "%[1]s of %[2]s: a counter that restarts makes the %[2]s fall; take the %[2]s of the %[1]s", n.Func.Name, agg.Op)
	}
}
