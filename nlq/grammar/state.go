package grammar

import (
	"slices"
	"strings"

	"vedette.dev/rules/catalog"
)

// takeState reads that something is in one of the states that a metric tells by
// numbers, or is not: a port not in state active, health that is anything but OK.
// What else is said must be what that metric is called.
func (f *frame) takeState() (catalog.Metric, bool) {
	if f.test != nil || f.given != nil || len(f.compares) > 1 {
		return catalog.Metric{}, false
	}
	for i := range f.items {
		words := ""
		for to := i; to < min(len(f.items), i+mostSaid) && !f.items[to].used; to++ {
			words = strings.TrimSpace(words + " " + f.items[to].low)
			state, not := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(words, "is "), "are "), "not ")
			for _, s := range f.words.states[state] {
				for _, id := range s.Metrics {
					if m, ok := f.inState(id, s, i, to+1, not); ok {
						return m, true
					}
				}
			}
		}
	}
	return catalog.Metric{}, false
}

// isState reports whether item i says in which state something is: a sensor whose
// state is critical.
func (f *frame) isState(i int) bool {
	before := i - 1
	for f.lexicon.stop[at(f.items, before).low] {
		before--
	}
	return before < i-1 && f.lexicon.sets["state"][at(f.items, before).low] && len(f.words.states[f.items[i].low]) > 0
}

// dropCodes leaves away the number of a state that is said in brackets behind it:
// active (4).
func (f *frame) dropCodes() {
	for i := 0; i+2 < len(f.items); i++ {
		n := f.items[i+2].number
		if f.items[i+1].raw == "(" && n != nil && slices.ContainsFunc(f.words.states[f.items[i].low], func(s catalog.State) bool { return s.Code == n.value }) {
			f.items = slices.Delete(f.items, i+1, i+3)
		}
	}
}

// inState reads items from to to as the state s of the metric id, or as none of it,
// where all else is what it is called.
func (f *frame) inState(id catalog.ID, s catalog.State, from, to int, not bool) (catalog.Metric, bool) {
	m, ok := f.catalog.Measure(id)
	if !ok {
		return m, false
	}
	g := *f
	g.items, g.compares = slices.Clone(f.items), nil
	g.useAll(span(from, to)...)
	for k := from - 1; k >= max(0, from-farthest); k-- {
		it := g.items[k]
		v, compares := it.has("compare")
		_, no := it.has("not")
		switch {
		case no, compares && v == "!=":
			not = true
			g.use(k)
			continue
		case g.lexicon.sets["state"][it.low], g.lexicon.stop[it.low], it.used && !it.name:
			continue
		}
		break
	}
	for _, c := range f.compares {
		if c.limit.value != 0 || c.limit.isUnit || c.op != "==" && c.op != "!=" {
			return m, false // there is another condition
		}
	}
	strong, weak := g.said(false)
	common := func(w string) bool { return g.lexicon.sets["state"][w] || w == m.Entity }
	bare := !slices.ContainsFunc(strong, func(w string) bool { return !common(w) && !g.filler(w) }) // "GPU health" says it, "GPU" does not
	called := len(strong) > 0 && slices.ContainsFunc(g.words.calls(id), func(n named) bool {
		return !slices.ContainsFunc(strong, func(w string) bool {
			return !slices.Contains(n.words, w) && !common(w) && !g.filler(w)
		}) && !slices.ContainsFunc(n.words, func(w string) bool {
			said := slices.Contains(strong, w) || slices.Contains(weak, w)
			return !said && (bare || !common(w) && !g.brand(w))
		})
	})
	if !called || g.fits(m) != nil {
		return m, false
	}
	op := "=="
	if (s.Op == "!=") != not {
		op = "!="
	}
	g.compares = []compare{{op: op, limit: number{value: s.Code}}}
	if g.kind == unsaid {
		g.kind = alert
	}
	*f = g
	return m, true
}

// statesOf returns the states of metrics by the words for them.
func statesOf(all []catalog.State) map[string][]catalog.State {
	by := map[string][]catalog.State{}
	for _, s := range all {
		for _, w := range s.Words {
			by[w] = append(by[w], s)
		}
	}
	return by
}
