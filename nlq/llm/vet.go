package llm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
	"vedette.dev/rules/explain"
)

// fatal are the checks of which a warning is an error here: whoever writes a
// rule by hand may have metrics and labels that the catalog does not know, and
// may want to wait. A model that names such a one has made it up.
var fatal = []string{"metric", "label", "aggregate", "vector_matching", "cost", "impossible", "comparison"}

// vet returns i as it will be answered, or why it cannot be: what the model is
// told to do better. said is the question, as the model had it.
func vet(i nlq.Intent, said string, c *catalog.Catalog) (nlq.Intent, error) {
	switch i := i.(type) {
	case nlq.Why:
		if !strings.Contains(strings.ToLower(said), strings.ToLower(i.Name)) {
			return nil, fmt.Errorf("nothing in the question is called %q", talk.Short(i.Name))
		}
		return i, nil
	case nlq.Raw:
		return vetRaw(i, c)
	case nlq.When:
		if _, ok := c.Measure(i.Capacity); i.Capacity != "" && !ok {
			return nil, noMetric(i.Capacity)
		}
	}
	if err := measures(i, c); err != nil {
		return nil, err
	}
	m, err := meaningOf(i, c)
	if err != nil {
		return nil, err
	}
	return i, m.wrong(c)
}

// measures checks every measure of i.
func measures(i nlq.Intent, c *catalog.Catalog) error {
	if f, ok := i.(nlq.Formula); ok {
		if _, ok := nlq.Subject(f.Term); !ok {
			return errors.New("the formula is about no metric")
		}
	}
	var err error
	ms, _ := nlq.Measures(i)
	for _, m := range ms {
		err = errors.Join(err, known(m, c))
	}
	return err
}

// A noMetric is a name that the catalog does not have.
type noMetric catalog.ID

func (n noMetric) Error() string { return fmt.Sprintf("there is no metric %q", talk.Short(string(n))) }

func known(m nlq.Measure, c *catalog.Catalog) error {
	d, ok := c.Measure(m.Metric)
	if !ok {
		return noMetric(m.Metric)
	}
	for _, w := range m.Where {
		if !c.Takes(m.Metric, w.Label) {
			return fmt.Errorf("%s cannot be narrowed by label %q: it has %s", m.Metric, talk.Short(w.Label), strings.Join(d.Labels, ", "))
		}
	}
	return nil
}

// vetRaw checks a model's own PromQL, prints it as all of ours is printed and
// has it read back.
func vetRaw(r nlq.Raw, c *catalog.Catalog) (nlq.Intent, error) {
	expr, err := compile.Raw(r, c)
	if err != nil {
		return nil, err
	}
	r.Expr = expr
	m, err := meaningOf(r, c)
	if err != nil {
		return nil, err
	}
	if words, err := explain.Expr(expr, c); err == nil {
		r.Words = strings.TrimSuffix(words, ".")
	}
	return r, m.wrong(c)
}

// A meaning is what an intent comes to: what two readings are compared by.
type meaning struct {
	expr  string
	rest  string       // what the expression does not say
	group *rules.Group // of an alert
}

// meaningOf compiles i. A why has no expression.
func meaningOf(i nlq.Intent, c *catalog.Catalog) (meaning, error) {
	var m meaning
	var g rules.Group
	var err error
	alert := false
	switch i := i.(type) {
	case nlq.Lookup:
		m.expr, err = compile.Lookup(i, c)
		if i.Since > 0 {
			m.rest = i.Since.String()
		}
	case nlq.When:
		var f compile.Forecast
		f, err = compile.When(i, c)
		m.expr, m.rest = f.Expr, fmt.Sprint("until ", f.Capacity, f.Limit, f.Rising)
	case nlq.Alert:
		alert = true
		g, err = compile.Alert(i, c)
	case nlq.Formula:
		if alert = i.Alert; alert {
			g, err = compile.FormulaRule(i, c)
		} else {
			m.expr, err = compile.Formula(i, c)
		}
	case nlq.Raw:
		if alert = i.Alert; alert {
			g, err = compile.RawRule(i, c)
		} else {
			m.expr, err = compile.Raw(i, c)
		}
	}
	if err == nil && alert {
		m.expr, m.group = g.Rules[0].Expr, &g
	}
	return m, err
}

// wrong returns what the checks find that a model has to do better.
func (m meaning) wrong(c *catalog.Catalog) error {
	if m.expr == "" {
		return nil
	}
	found := check.Expr(m.expr, c)
	if m.group != nil {
		found = check.Group(*m.group, c)
	}
	var errs []error
	for _, f := range found {
		if f.Severity == check.Error || f.Severity == check.Warning && slices.Contains(fatal, f.Check) {
			errs = append(errs, fmt.Errorf("%s: %s", f.Check, f.Text))
		}
	}
	return errors.Join(errs...)
}

// same reports whether two readings come to the same.
func (m meaning) same(o meaning) bool {
	if (m.group == nil) != (o.group == nil) || m.rest != o.rest {
		return false
	}
	if m.group != nil {
		a, b := m.group.Rules[0], o.group.Rules[0]
		if a.For != b.For || a.Labels["severity"] != b.Labels["severity"] {
			return false
		}
	}
	a, aok := check.Normal(m.expr)
	b, bok := check.Normal(o.expr)
	return aok && bok && a == b
}
