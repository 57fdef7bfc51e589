package nlq

import (
	"slices"
	"strings"

	"vedette.dev/rules/catalog"
)

// Joint returns b so that it can be joined with a, and the labels by which
// their series belong together: nil where both have the same. What both are
// about may go by two labels, as a node does: that of b is renamed then.
func Joint(a, b Term, c *catalog.Catalog) (Term, []string) {
	x, y := Labels(a, c), Labels(b, c)
	one := picked(a, b) // one sensor's temperature belongs to no fan, but to the same machine
	if len(one) == 0 && len(x) == len(y) && !slices.ContainsFunc(x, func(l string) bool { return !slices.Contains(y, l) }) {
		if (grouped(a, c) != grouped(b, c) || selected(a, c) || selected(b, c)) && len(x) > 0 {
			return b, x // what scraped the one, or a state it is in, is no label of the other
		}
		return b, nil
	}
	on := []string{}
	for _, p := range Places() {
		for _, l := range p.Labels {
			if slices.Contains(x, l) && slices.Contains(y, l) && !slices.Contains(on, l) && !slices.Contains(one, l) {
				on = append(on, l)
			}
		}
	}
	if len(on) > 0 {
		return b, on
	}
	for _, p := range Places() {
		i := slices.IndexFunc(p.Labels, func(l string) bool { return slices.Contains(x, l) })
		k := slices.IndexFunc(p.Labels, func(l string) bool { return slices.Contains(y, l) })
		if i >= 0 && k >= 0 {
			return Renamed{Of: b, From: p.Labels[k], To: p.Labels[i]}, []string{p.Labels[i]}
		}
	}
	return b, on
}

// picked returns the labels, other than those that say where something is, by a
// value of which one of a and b is narrowed and the other is not.
func picked(a, b Term) (labels []string) {
	x, y := matchersOf(a), matchersOf(b)
	for _, m := range slices.Concat(x, y) {
		place := slices.ContainsFunc(Places(), func(p Place) bool { return slices.Contains(p.Labels, m.Label) })
		if m.Op == "=" && (!place || m.Label == "name") && !(slices.Contains(x, m) && slices.Contains(y, m)) {
			labels = append(labels, m.Label)
		}
	}
	return labels
}

// matchersOf returns the matchers of the one measure that t is of, nil where its
// series were put together.
func matchersOf(t Term) []Matcher {
	switch t := t.(type) {
	case Measure:
		if t.Agg == Each {
			return t.Where
		}
	case Binary:
		if _, number := t.Right.(Number); number && t.Left != nil {
			return matchersOf(t.Left)
		}
	}
	return nil
}

// selected reports whether t is derived of series that a label's value picks:
// they have that label, which the catalog does not list.
func selected(t Term, c *catalog.Catalog) bool {
	switch t := t.(type) {
	case Measure:
		d, ok := c.Derived(t.Metric)
		return ok && t.Agg == Each && strings.Contains(d.Expr, "{") && !strings.Contains(d.Expr, " by (")
	case Binary:
		return t.Left != nil && selected(t.Left, c)
	}
	return false
}

// grouped reports whether t is put together of several series, and so has no
// labels but those that the catalog lists.
func grouped(t Term, c *catalog.Catalog) bool {
	switch t := t.(type) {
	case Measure:
		d, _ := c.Derived(t.Metric)
		return t.Agg != Each || strings.Contains(d.Expr, " by (")
	case Group:
		return t.Agg != Largest && t.Agg != Smallest || grouped(t.Of, c)
	case Func:
		return t.Of != nil && grouped(t.Of, c)
	case Renamed:
		return grouped(t.Of, c)
	case Binary:
		return t.Left != nil && grouped(t.Left, c) || t.Right != nil && grouped(t.Right, c)
	}
	return false
}

// Labels returns the labels that the series of t have.
func Labels(t Term, c *catalog.Catalog) []string {
	switch t := t.(type) {
	case Measure:
		if t.Agg != Each {
			return t.By
		}
		m, _ := c.Measure(t.Metric)
		return m.Labels
	case Group:
		if t.Agg == Largest || t.Agg == Smallest {
			return Labels(t.Of, c)
		}
		return t.By
	case Func:
		if t.Of != nil && t.Name != "absent" {
			return Labels(t.Of, c)
		}
	case Renamed:
		return append(slices.Clone(Labels(t.Of, c)), t.To)
	case Binary:
		if _, number := t.Left.(Number); number {
			return Labels(t.Right, c)
		}
		arithmetic := arithmetic[t.Op] != ""
		if _, number := t.Right.(Number); arithmetic && !number && len(t.On) > 0 && !t.Many {
			return t.On
		}
		return Labels(t.Left, c)
	}
	return nil
}
