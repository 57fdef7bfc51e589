package check

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// matching finds two sides that cannot find each other: a label of which one
// has a value and the other never has.
func (w *walk) matching(b *parser.BinaryExpr) {
	vm := b.VectorMatching
	if vm == nil || b.LHS.Type() != parser.ValueTypeVector || b.RHS.Type() != parser.ValueTypeVector || b.Op == parser.LOR {
		return
	}
	l, r := provenance(b.LHS, w.Catalog), provenance(b.RHS, w.Catalog)
	if vm.On {
		for _, name := range vm.MatchingLabels {
			w.matchedOn(b, name, l.of(name), r.of(name))
		}
	} else {
		w.matchedAll(b, l, r)
	}
	one := r
	if vm.Card == parser.CardOneToMany {
		one = l
	}
	for _, name := range vm.Include {
		if of := one.of(name); of.Is == Impossible && name != labels.MetricName {
			w.add(b, "vector_matching", severity(of), "label %s is to be taken from a side that does not have it: %s", name, of.Why)
		}
	}
}

func (w *walk) matchedOn(b *parser.BinaryExpr, name string, l, r Label) {
	switch {
	case l.Is == Impossible && r.Is == Impossible:
		w.add(b, "vector_matching", Warning, "neither side has label %s: on the left, %s; on the right, %s", name, l.Why, r.Why)
	case l.Is == Impossible:
		w.add(b, "vector_matching", severity(l), "on (%s) finds no partner: the left side never has it (%s)", name, l.Why)
	case r.Is == Impossible:
		w.add(b, "vector_matching", severity(r), "on (%s) finds no partner: the right side never has it (%s)", name, r.Why)
	}
}

// matchedAll finds labels that only one side has where all must agree.
func (w *walk) matchedAll(b *parser.BinaryExpr, l, r labelSet) {
	ignored := append([]string{labels.MetricName}, b.VectorMatching.MatchingLabels...)
	for _, name := range namesOf(l, r) {
		if slices.Contains(ignored, name) {
			continue
		}
		lone, other, side := l.of(name), r.of(name), "right"
		if r.of(name).has() {
			lone, other, side = r.of(name), l.of(name), "left"
		}
		if lone.has() && other.Is == Impossible {
			w.add(b, "vector_matching", Warning, "the two sides find no partner: one has label %s, the %s side never has it (%s); ignoring (%[1]s) or on (…) says what may differ", name, side, other.Why)
			return // one is enough to know
		}
	}
}

// severity is how bad it is that a label is not there: the catalog may not know of it.
func severity(l Label) Severity {
	if l.listed {
		return Info
	}
	return Warning
}

// has reports whether results have l for all that can be told: it is asked for,
// or kept by name.
func (l Label) has() bool { return l.Is == Guaranteed || l.Is == Possible && l.kept }

func namesOf(a, b labelSet) []string {
	var out []string
	for name := range a.named {
		out = append(out, name)
	}
	for name := range b.named {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
