package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

// A Presence says whether the results of an expression have a label.
type Presence string

// The presences. Possible is what a label is of which nothing more is known.
const (
	Guaranteed Presence = "guaranteed"
	Possible   Presence = "possible"
	Impossible Presence = "impossible"
)

// A Label is whether results have a label, and why. From and To are where in
// the expression that is decided, in bytes.
type Label struct {
	Name string   `json:"name"` // "" is every label that is not listed
	Is   Presence `json:"is"`
	Why  string   `json:"why"`
	From int      `json:"from"`
	To   int      `json:"to"`

	Scraped bool `json:"-"` // it is one that scraping may add to any series

	kept   bool // by the name of it, in an aggregation
	listed bool // it is the catalog that says so, which may not know of a label
}

// Labels says which labels the results of expr have, by name, the rest last.
// An expression that does not parse has none to tell of.
func Labels(expr string, c *catalog.Catalog) []Label {
	e, err := syntax.Parse(expr)
	if err != nil {
		return []Label{}
	}
	s := provenance(e, c)
	out := []Label{}
	for _, name := range slices.Sorted(maps.Keys(s.named)) {
		out = append(out, s.of(name))
	}
	rest := s.rest
	return append(out, rest)
}

// A labelSet is what is known of the labels of a result: of some by name, and
// of all the others.
type labelSet struct {
	named map[string]Label
	rest  Label
}

// of returns what is known of one label.
func (s labelSet) of(name string) Label {
	l, ok := s.named[name]
	if !ok {
		l = s.rest
	}
	l.Name = name
	return l
}

// with returns s with one label as l says.
func (s labelSet) with(name string, l Label) labelSet {
	named := maps.Clone(s.named)
	if named == nil {
		named = map[string]Label{}
	}
	named[name] = l
	return labelSet{named, s.rest}
}

// told makes a label's state, decided at n.
func told(n parser.Node, is Presence, format string, args ...any) Label {
	p := n.PositionRange()
	return Label{Is: is, Why: fmt.Sprintf(format, args...), From: int(p.Start), To: int(p.End)}
}

// ofTarget are the labels that scraping, or whoever relabels, adds to every series.
var ofTarget = []string{"job", "instance", "cluster", "prometheus", "endpoint", "service", "exported_namespace", "exported_pod", "exported_container", "hostname", "node"}

// provenance returns what is known of the labels of e's results.
func provenance(e parser.Expr, c *catalog.Catalog) labelSet {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return provenance(e.Expr, c)
	case *parser.UnaryExpr:
		return provenance(e.Expr, c)
	case *parser.StepInvariantExpr:
		return provenance(e.Expr, c)
	case *parser.SubqueryExpr:
		return provenance(e.Expr, c)
	case *parser.MatrixSelector:
		return provenance(e.VectorSelector, c)
	case *parser.VectorSelector:
		return ofSelector(e, c)
	case *parser.AggregateExpr:
		return ofAggregate(e, c)
	case *parser.Call:
		return ofCall(e, c)
	case *parser.BinaryExpr:
		return ofBinary(e, c)
	}
	return labelSet{rest: told(e, Impossible, "a number has no labels")}
}

func ofSelector(v *parser.VectorSelector, c *catalog.Catalog) labelSet {
	s := labelSet{named: map[string]Label{}}
	m, known := c.Metric(catalog.ID(v.Name))
	switch {
	case open(v.Name, ""):
		s.rest = told(v, Possible, "series of %s have their target's labels", v.Name)
	case !known && v.Name == "":
		s.rest = told(v, Possible, "no metric is named")
	case !known:
		s.rest = told(v, Possible, "nothing is known of the labels of %s", v.Name)
	default:
		s.rest = told(v, Impossible, "series of %s have no such label; they have %s", m.ID, orNone(m.Labels))
		s.rest.listed = true
		for _, l := range m.Labels {
			s.named[l] = told(v, Possible, "series of %s can have it", m.ID)
		}
		for _, l := range ofTarget {
			if _, ok := s.named[l]; !ok {
				added := told(v, Possible, "scraping can add it")
				added.Scraped = true
				s.named[l] = added
			}
		}
	}
	for _, lm := range v.LabelMatchers {
		if lm.Name == labels.MetricName {
			continue
		}
		switch {
		case !lm.Matches(""):
			s.named[lm.Name] = told(v, Guaranteed, "%s asks for it", lm)
		case lm.Value == "" && lm.Type == labels.MatchEqual:
			s.named[lm.Name] = told(v, Impossible, "%s asks for series without it", lm)
		}
	}
	return s
}

func orNone(ls []string) string {
	if len(ls) == 0 {
		return "none of their own"
	}
	return strings.Join(ls, ", ")
}

func ofAggregate(e *parser.AggregateExpr, c *catalog.Catalog) labelSet {
	inner := provenance(e.Expr, c)
	switch {
	case e.Op == parser.TOPK, e.Op == parser.BOTTOMK, e.Op == parser.LIMITK, e.Op == parser.LIMIT_RATIO:
		return inner
	case e.Without:
		for _, l := range e.Grouping {
			inner = inner.with(l, told(e, Impossible, "%s without (%s) removes it", e.Op, strings.Join(e.Grouping, ", ")))
		}
		return inner
	}
	out := labelSet{named: map[string]Label{}, rest: told(e, Impossible, "%s by (%s) keeps only what it names", e.Op, strings.Join(e.Grouping, ", "))}
	if len(e.Grouping) == 0 {
		out.rest = told(e, Impossible, "%s adds up over all labels; by (…) keeps some", e.Op)
	}
	for _, l := range e.Grouping {
		of := inner.of(l)
		of.kept = true
		out.named[l] = of
	}
	if s, ok := e.Param.(*parser.StringLiteral); ok && e.Op == parser.COUNT_VALUES {
		out.named[s.Val] = told(e, Guaranteed, "count_values puts the value there")
	}
	return out
}

func ofCall(e *parser.Call, c *catalog.Catalog) labelSet {
	switch e.Func.Name {
	case "absent", "absent_over_time":
		return ofAbsent(e)
	case "label_replace", "label_join":
		s := provenance(e.Args[0], c)
		if dst, ok := e.Args[1].(*parser.StringLiteral); ok {
			return s.with(dst.Val, told(e, Possible, "%s makes it", e.Func.Name))
		}
		return s
	case "info":
		return labelSet{rest: told(e, Possible, "info() adds labels of the target")}
	case "histogram_quantile":
		return provenance(e.Args[1], c).with(labels.BucketLabel, told(e, Impossible, "histogram_quantile uses it up"))
	}
	for _, a := range e.Args {
		if t := a.Type(); (t == parser.ValueTypeVector || t == parser.ValueTypeMatrix) && e.Func.Name != "scalar" {
			return provenance(a, c)
		}
	}
	return labelSet{rest: told(e, Impossible, "%s() has no labels", e.Func.Name)}
}

// ofAbsent: absent() has the labels that its selector pins down, and none
// where it is of anything but a selector.
func ofAbsent(e *parser.Call) labelSet {
	s := labelSet{rest: told(e, Impossible, "%s() has only the labels that its selector sets with =", e.Func.Name)}
	arg := e.Args[0]
	if m, ok := arg.(*parser.MatrixSelector); ok {
		arg = m.VectorSelector
	}
	v, ok := arg.(*parser.VectorSelector)
	if !ok {
		s.rest = told(e, Impossible, "%s() of anything but a selector has no labels", e.Func.Name)
		return s
	}
	for _, m := range v.LabelMatchers {
		if m.Type == labels.MatchEqual && m.Name != labels.MetricName && m.Value != "" {
			s = s.with(m.Name, told(v, Guaranteed, "%s sets it", m))
		}
	}
	return s
}

func ofBinary(e *parser.BinaryExpr, c *catalog.Catalog) labelSet {
	l, r := provenance(e.LHS, c), provenance(e.RHS, c)
	vm := e.VectorMatching
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return r
	case e.RHS.Type() == parser.ValueTypeScalar:
		return l
	case e.Op == parser.LOR:
		return either(l, r)
	case vm == nil, e.Op.IsSetOperator():
		return l
	case vm.Card == parser.CardManyToOne:
		return including(l, r, vm.Include)
	case vm.Card == parser.CardOneToMany:
		return including(r, l, vm.Include)
	case vm.On:
		s := labelSet{named: map[string]Label{}, rest: told(e, Impossible, "on (%s) keeps only what it names", strings.Join(vm.MatchingLabels, ", "))}
		for _, name := range vm.MatchingLabels {
			s.named[name] = l.of(name)
		}
		return s
	}
	for _, name := range vm.MatchingLabels {
		l = l.with(name, told(e, Impossible, "ignoring (%s) leaves it out", strings.Join(vm.MatchingLabels, ", ")))
	}
	return l
}

// including gives the many side the labels that it takes from the one.
func including(many, one labelSet, names []string) labelSet {
	for _, name := range names {
		many = many.with(name, one.of(name))
	}
	return many
}

// either is what is known of the results of a or b.
func either(a, b labelSet) labelSet {
	weaker := func(x, y Label) Label {
		switch {
		case x.Is == y.Is:
			return x
		case x.Is == Possible:
			return x
		case y.Is == Possible:
			return y
		case x.Is == Guaranteed: // one has it, the other has not
			y.Is, y.Why = Possible, "only one side of the or has it"
			return y
		}
		x.Is, x.Why = Possible, "only one side of the or has it"
		return x
	}
	out := labelSet{named: map[string]Label{}, rest: weaker(a.rest, b.rest)}
	for name := range a.named {
		out.named[name] = weaker(a.of(name), b.of(name))
	}
	for name := range b.named {
		out.named[name] = weaker(a.of(name), b.of(name))
	}
	return out
}
