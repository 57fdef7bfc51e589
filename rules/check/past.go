package check

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// past finds what looks back further than anything is kept.
func (w *walk) past(v *parser.VectorSelector, path []parser.Node) {
	if w.Retention == 0 {
		return
	}
	offset, ranges := v.OriginalOffset, time.Duration(0)
	for _, p := range path {
		switch p := p.(type) {
		case *parser.MatrixSelector:
			ranges += p.Range
		case *parser.SubqueryExpr:
			ranges += p.Range
			offset += p.OriginalOffset
		}
	}
	kept := model.Duration(w.Retention)
	switch {
	case offset > w.Retention:
		w.add(v, "offset", Warning, "this reads what was %s ago, and only %s are kept: it is always empty", model.Duration(offset), kept)
	case offset+ranges > w.Retention:
		w.add(v, "range_query", Warning, "this reads the last %s, and only %s are kept: it sees less than it says", model.Duration(offset+ranges), kept)
	}
}
