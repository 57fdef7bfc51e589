package grammar

import (
	"slices"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeOutOf reads what share one of two is of both: hits as a share of hits and
// misses, running requests as a fraction of running plus waiting ones. It is read
// before two conditions are, which "and" may join as well.
func (f *frame) takeOutOf() {
	for i := range f.items {
		f.dropOutcomes(i)
		if op, ok := f.says(i, "operator"); !ok || op != "/" || i == 0 {
			continue
		}
		for and := i + 2; and < min(len(f.items)-1, i+longestName); and++ {
			op, _ := f.says(and, "operator")
			if _, joins := f.says(and, "and"); !joins && op != "+" {
				continue
			}
			for to := min(len(f.items), f.clauseFrom(and+1), and+1+longestName); to > and+1; to-- {
				if f.outOf(i, and, to) {
					return
				}
			}
			return
		}
	}
}

// dropOutcomes takes from item i on a bracket that only says that all are meant:
// requests (failed plus successful).
func (f *frame) dropOutcomes(i int) {
	if f.items[i].raw != "(" || f.items[i].used {
		return
	}
	said, to := 0, i+1
	for ; to < len(f.items) && f.items[to].raw != ")"; to++ {
		_, operator := f.says(to, "operator")
		_, and := f.says(to, "and")
		switch {
		case f.lexicon.sets["outcome"][f.items[to].low]:
			said++
		case !operator && !and && !f.lexicon.stop[f.items[to].low]:
			return
		}
	}
	if said > 1 {
		f.useAll(span(i, min(to+1, len(f.items)))...)
	}
}

// outOf reads items i to to as what something is a share of: what stands before item
// and, and what stands behind it.
func (f *frame) outOf(i, and, to int) bool {
	g := f.again()
	g.quiet, g.lenient, g.quotient = true, true, true
	g.useAll(span(i, to)...)
	if g.kind == unsaid && !g.condition(g.items[to:]) {
		g.kind = lookup
	}
	m, ok := g.wouldMeasure()
	if !ok || m.Type != catalog.Counter && m.Type != catalog.Gauge {
		return false
	}
	if _, derived := f.catalog.Derived(m.ID); derived {
		return false
	}
	was := f.quotient
	f.quotient = true // a hit rate is no part of anything
	defer func() { f.quotient = f.settled || was }()
	before := slices.Concat(f.items[:i], f.items[to:])
	same := func(from, to int) bool {
		return !slices.ContainsFunc(f.items[from:to], func(it item) bool { return !f.plain(it) && !f.saidIn(it, f.items[:i]) })
	}
	var others []catalog.Metric
	for _, side := range [][2]int{{i + 1, and}, {and + 1, to}} {
		if same(side[0], side[1]) {
			others = append(others, m)
			continue
		}
		o, ok := f.second(side[0], side[1], before)
		if !ok || o.Type != m.Type || o.Exporter != m.Exporter || f.dimension(o.Unit) != f.dimension(m.Unit) {
			return false
		}
		others = append(others, o)
	}
	if others[0].ID == others[1].ID {
		return false
	}
	g.lenient, g.quiet, g.unheard, g.given, g.settled, g.quotient = f.lenient, f.quiet, f.unheard, &m, true, true
	g.values = append(g.values, func(t nlq.Term, _ catalog.Metric) nlq.Term { return f.shareOfSum(t, m, others) })
	*f = *g
	return true
}

// saidIn reports whether items have the words of it.
func (f *frame) saidIn(it item, items []item) bool {
	return slices.ContainsFunc(items, func(o item) bool { return len(it.norms) > 0 && subset(it.norms, o.norms) })
}

// shareOfSum returns which share t, of m, is of all that parts count.
func (f *frame) shareOfSum(t nlq.Term, m catalog.Metric, parts []catalog.Metric) nlq.Term {
	if ms, ok := t.(nlq.Measure); ok {
		if ms.Over == nlq.Increase {
			ms.Over = nlq.Rate
		}
		for _, p := range parts {
			if ms.Agg == nlq.Each && (!subset(m.Labels, p.Labels) || !subset(p.Labels, m.Labels)) {
				ms.Agg = nlq.Sum // what tells the one apart, the other does not have
			}
		}
		t = ms
	}
	var all nlq.Term
	for _, p := range parts {
		one := t
		if p.ID != m.ID {
			one = f.like(t, p)
		}
		if all == nil {
			all = one
			continue
		}
		right, on := nlq.Joint(all, one, f.catalog)
		all = nlq.Binary{Op: "+", Left: all, Right: right, On: on}
	}
	right, on := nlq.Joint(t, all, f.catalog)
	return nlq.Binary{Op: "/", Left: t, Right: right, On: on}
}
