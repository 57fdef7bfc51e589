package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

// house returns what the house asks of r that it does not have.
func (c Checker) house(k kind, group string, r rules.Rule) []Finding {
	if c.House == nil {
		return nil
	}
	var fs []Finding
	for _, d := range c.House.Demands {
		if d.about(k, group, r) {
			v := &visit{demand: d, rule: r, severity: cmp.Or(d.Severity, Warning)}
			v.texts(k)
			v.expression(c)
			fs = append(fs, v.found...)
		}
	}
	return fs
}

// A visit is one demand before one rule.
type visit struct {
	demand
	rule     rules.Rule
	severity Severity
	found    []Finding
}

func (v *visit) add(check string, from, to int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.Why != "" {
		text += ": " + v.Why
	}
	v.found = append(v.found, Finding{Check: "house-" + check, Severity: v.severity, Text: text, From: from, To: to})
}

func (v *visit) texts(k kind) {
	if v.Name != nil && !v.Name.matches(v.rule.Name) {
		v.add("name", 0, 0, "the name %s is not %s", v.rule.Name, v.Name.text)
	}
	v.has("label", v.rule.Labels, v.Labels, v.Without.Labels)
	if k == alerting {
		v.has("annotation", v.rule.Annotations, v.Annotations, v.Without.Annotations)
		v.bounds("for", v.rule.For, v.For)
		v.bounds("keep_firing_for", v.rule.KeepFiring, v.KeepFiring)
	}
	if v.Without.Text == nil {
		return
	}
	parts := []string{v.rule.Name, v.rule.Expr}
	for _, m := range []map[string]string{v.rule.Labels, v.rule.Annotations} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, name, m[name])
		}
	}
	for _, part := range parts {
		if said := v.Without.Text.within.FindString(part); said != "" {
			v.add("text", 0, 0, "%q is not to be in a rule", said)
			return
		}
	}
}

// has compares labels or annotations with what is asked of them.
func (v *visit) has(what string, have map[string]string, wanted map[string]*pattern, unwanted []string) {
	for _, k := range slices.Sorted(maps.Keys(wanted)) {
		value, is := have[k]
		switch p := wanted[k]; {
		case !is || value == "":
			v.add(what, 0, 0, "there is no %s %s", what, k)
		case !p.matches(value):
			v.add(what, 0, 0, "%s %s is %q, not %s", what, k, value, p.text)
		}
	}
	for _, k := range unwanted {
		if _, is := have[k]; is {
			v.add(what, 0, 0, "%s %s is not to be set", what, k)
		}
	}
}

func (v *visit) bounds(what string, d time.Duration, b bounds) {
	switch {
	case d < time.Duration(b.Min):
		v.add("for", 0, 0, "%s is %s, less than %s", what, model.Duration(d), b.Min)
	case b.Max > 0 && d > time.Duration(b.Max):
		v.add("for", 0, 0, "%s is %s, more than %s", what, model.Duration(d), b.Max)
	}
}

func (v *visit) expression(c Checker) {
	e, err := syntax.Parse(v.rule.Expr)
	if err != nil {
		return // which is said elsewhere
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			for _, name := range v.Selectors {
				if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == name }) {
					v.add("selector", int(s.PosRange.Start), int(s.PosRange.End), "%s does not ask for %s", s, name)
				}
			}
		}
		return nil
	})
	result := provenance(e, c.Catalog)
	for _, name := range v.Keep {
		if l := result.of(name); l.Is == Impossible {
			v.add("result", l.From, l.To, "the result has no label %s: %s", name, l.Why)
		}
	}
	for _, name := range v.Drop {
		if l, known := result.named[name]; known && l.Is != Impossible {
			v.add("result", l.From, l.To, "the result can have label %s: %s", name, l.Why)
		}
	}
	if v.Samples == 0 && v.Series == 0 {
		return
	}
	cost, _ := c.Cost(v.rule.Expr)
	if v.Samples > 0 && cost.Samples > v.Samples {
		v.add("cost", 0, len(v.rule.Expr), "an evaluation reads %d samples, more than %d", cost.Samples, v.Samples)
	}
	if v.Series > 0 && cost.Series > v.Series {
		v.add("cost", 0, len(v.rule.Expr), "an evaluation reads %d series, more than %d", cost.Series, v.Series)
	}
}
