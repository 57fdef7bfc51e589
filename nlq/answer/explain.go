package answer

import (
	"errors"
	"fmt"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/explain"
)

// Published lists the rule groups that stand.
type Published interface {
	Groups() ([]rules.Group, error)
}

// explain says what a published rule, or an expression, means. Nothing is run.
func (d *Desk) explain(a *Answer, e nlq.Explain) error {
	gs, err := d.Published.Groups()
	if err != nil {
		return err
	}
	var names []string
	for _, g := range gs {
		for _, r := range g.Rules {
			if strings.EqualFold(r.Name, e.Of) || string(g.ID) == e.Of {
				words, err := explain.Rule(r, d.Catalog)
				if err != nil {
					return err
				}
				a.Kind, a.Expr, a.Explain = KindExplain, r.Expr, &ExplainResult{Words: words, Rule: r.Name, Group: string(g.ID), Owner: g.Owner, Asked: g.Asked}
				return nil
			}
			names = append(names, "explain rule "+r.Name)
		}
	}
	words, err := explain.Expr(e.Of, d.Catalog)
	if _, known := d.Catalog.Measure(catalog.ID(e.Of)); err == nil && !known && !strings.ContainsAny(e.Of, "({[<>=+-*/ ") {
		err = errors.New("no metric is called that either")
	}
	if err != nil {
		a.unclear(fmt.Sprintf("No rule that stands is called %s, and it is no PromQL: %v", e.Of, err), names[:min(3, len(names))])
		return nil
	}
	a.Kind, a.Expr, a.Explain = KindExplain, e.Of, &ExplainResult{Words: words}
	return nil
}
