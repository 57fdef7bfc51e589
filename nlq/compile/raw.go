package compile

import (
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/nlq"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// Raw returns the expression of r as every other is printed. Each selector in
// it must name one metric that the catalog has as stored: what reads whatever
// matches, {__name__=~".+"} above all, is nothing that a model may ask for.
func Raw(r nlq.Raw, c *catalog.Catalog) (string, error) {
	e, _, err := raw(r, c)
	if err != nil {
		return "", err
	}
	return Print(e)
}

// RawRule returns the group with the one rule that r asks for, as [Alert] does
// for an alert. Name and annotations are made of the catalog's words.
func RawRule(r nlq.Raw, c *catalog.Catalog) (rules.Group, error) {
	if !r.Alert {
		return rules.Group{}, fmt.Errorf("compile %s: no alert is asked for", r.Expr)
	}
	e, about, err := raw(r, c)
	if err != nil {
		return rules.Group{}, err
	}
	expr, err := Print(e)
	if err != nil {
		return rules.Group{}, err
	}
	return loneRule([]string{title(about)}, about, expr, r.For, r.Severity), nil
}

// raw reads r, and returns the metric that it names first.
func raw(r nlq.Raw, c *catalog.Catalog) (e parser.Expr, about catalog.Metric, err error) {
	if e, err = parser.NewParser(parser.Options{}).ParseExpr(r.Expr); err != nil {
		return nil, about, fmt.Errorf("read %q: %w", r.Expr, err)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok || err != nil {
			return nil
		}
		m, known := c.Metric(catalog.ID(nameOf(v)))
		switch {
		case nameOf(v) == "":
			err = fmt.Errorf("compile %s: %s names no one metric", r.Expr, v)
		case !known:
			err = fmt.Errorf("compile %s: the catalog has no metric %s that is stored", r.Expr, nameOf(v))
		case about.ID == "":
			about = m
		}
		return nil
	})
	if err == nil && about.ID == "" {
		err = fmt.Errorf("compile %s: it is about no metric", r.Expr)
	}
	return e, about, err
}

// nameOf is the one metric that v reads, "" where that is for its matchers to say.
func nameOf(v *parser.VectorSelector) string {
	name := ""
	for _, m := range v.LabelMatchers {
		if m.Name == labels.MetricName {
			if m.Type != labels.MatchEqual || name != "" {
				return ""
			}
			name = m.Value
		}
	}
	return name
}
