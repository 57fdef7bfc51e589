package check

import (
	"maps"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
)

// A labelSet is the labels that a result can have. all: any; nothing is known.
type labelSet struct {
	all   bool
	names map[string]bool
}

func (s labelSet) has(l string) bool { return s.all || s.names[l] }

func (s labelSet) only(ls []string) labelSet {
	out := labelSet{names: map[string]bool{}}
	for _, l := range ls {
		if s.has(l) {
			out.names[l] = true
		}
	}
	return out
}

func (s labelSet) without(ls []string) labelSet {
	if s.all {
		return s
	}
	out := labelSet{names: maps.Clone(s.names)}
	for _, l := range ls {
		delete(out.names, l)
	}
	return out
}

func (s labelSet) with(ls []string) labelSet {
	if s.all {
		return s
	}
	out := labelSet{names: maps.Clone(s.names)}
	for _, l := range ls {
		out.names[l] = true
	}
	return out
}

// ofTarget are the labels that scraping adds to every series.
var ofTarget = []string{"job", "instance", "cluster", "prometheus", "endpoint", "service", "exported_namespace", "exported_pod", "exported_container", "hostname"}

// keeps returns the labels that results of e can have.
func keeps(e parser.Expr, c *catalog.Catalog) labelSet {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return keeps(e.Expr, c)
	case *parser.UnaryExpr:
		return keeps(e.Expr, c)
	case *parser.StepInvariantExpr:
		return keeps(e.Expr, c)
	case *parser.SubqueryExpr:
		return keeps(e.Expr, c)
	case *parser.MatrixSelector:
		return keeps(e.VectorSelector, c)
	case *parser.VectorSelector:
		m, ok := c.Metric(catalog.ID(e.Name))
		if !ok {
			return labelSet{all: true}
		}
		return labelSet{names: map[string]bool{}}.with(m.Labels).with(ofTarget)
	case *parser.AggregateExpr:
		return keepsAggregate(e, c)
	case *parser.Call:
		return keepsCall(e, c)
	case *parser.BinaryExpr:
		return keepsBinary(e, c)
	}
	return labelSet{names: map[string]bool{}} // numbers and strings
}

func keepsAggregate(e *parser.AggregateExpr, c *catalog.Catalog) labelSet {
	inner := keeps(e.Expr, c)
	switch {
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK || e.Op == parser.LIMITK || e.Op == parser.LIMIT_RATIO:
		return inner
	case e.Without:
		return inner.without(e.Grouping)
	case e.Op == parser.COUNT_VALUES:
		if s, ok := e.Param.(*parser.StringLiteral); ok {
			return inner.only(e.Grouping).with([]string{s.Val})
		}
	}
	return inner.only(e.Grouping)
}

func keepsCall(e *parser.Call, c *catalog.Catalog) labelSet {
	switch e.Func.Name {
	case "absent", "absent_over_time":
		return absentKeeps(e.Args[0])
	case "label_replace", "label_join":
		s := keeps(e.Args[0], c)
		if dst, ok := e.Args[1].(*parser.StringLiteral); ok {
			return s.with([]string{dst.Val})
		}
		return labelSet{all: true}
	case "histogram_quantile":
		return keeps(e.Args[1], c).without([]string{"le"})
	}
	for _, a := range e.Args {
		if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			return keeps(a, c)
		}
	}
	return labelSet{names: map[string]bool{}}
}

// absentKeeps: absent() has the labels that its selector pins down, and none
// where it is of anything but a selector.
func absentKeeps(e parser.Expr) labelSet {
	s := labelSet{names: map[string]bool{}}
	if m, ok := e.(*parser.MatrixSelector); ok {
		e = m.VectorSelector
	}
	v, ok := e.(*parser.VectorSelector)
	if !ok {
		return s
	}
	for _, m := range v.LabelMatchers {
		if m.Type == labels.MatchEqual && m.Name != labels.MetricName {
			s.names[m.Name] = true
		}
	}
	return s
}

func keepsBinary(e *parser.BinaryExpr, c *catalog.Catalog) labelSet {
	l, r := keeps(e.LHS, c), keeps(e.RHS, c)
	vm := e.VectorMatching
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return r
	case e.RHS.Type() == parser.ValueTypeScalar:
		return l
	case e.Op == parser.LOR:
		if l.all || r.all {
			return labelSet{all: true}
		}
		for n := range r.names {
			l = l.with([]string{n})
		}
		return l
	case vm == nil, e.Op.IsSetOperator():
		return l
	case vm.Card == parser.CardManyToOne:
		return l.with(vm.Include)
	case vm.Card == parser.CardOneToMany:
		return r.with(vm.Include)
	case vm.On:
		return l.only(vm.MatchingLabels)
	}
	return l.without(vm.MatchingLabels)
}
