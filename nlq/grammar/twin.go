package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// A twin is a metric that tells by 1 and 0 one of several states of a thing, which
// its name ends in: a Ceph daemon is up, or in, and may be the one without the other.
type twin struct {
	state string
	*catalog.Metric
}

// twinsOf returns the metrics of states whose names differ in nothing but the state, by
// what their names have in common.
func twinsOf(c *catalog.Catalog) map[string][]twin {
	by := map[string][]twin{}
	for i, m := range c.All() {
		k := strings.LastIndexByte(string(m.ID), '_')
		if k < 0 || m.Type != catalog.Gauge || m.Unit != "{bool}" || m.Has("condition") || !english().sets["state of a twin"][string(m.ID[k+1:])] {
			continue
		}
		by[string(m.ID[:k])] = append(by[string(m.ID[:k])], twin{string(m.ID[k+1:]), &c.All()[i]})
	}
	for of, ts := range by {
		if len(ts) < 2 {
			delete(by, of)
		}
	}
	return by
}

// takeTwins reads that something is in one state and not in another, each of which a
// metric of its own tells: in but not up, running but not ready.
func (f *frame) takeTwins() {
	if !f.saysAny("join") && !f.saysAny("not") || f.given != nil || f.test != nil {
		return
	}
	for a := range f.items {
		first, fnot, ok := f.stateOfTwin(a)
		if !ok {
			continue
		}
		b := a + 1
		for b < len(f.items) && f.joinsStates(b) {
			b++
		}
		if b >= len(f.items) || b == a+1 {
			continue
		}
		second, snot, ok := f.stateOfTwin(b)
		if !ok || first == second {
			continue
		}
		if x, y, ok := f.twins(first, second); ok && f.areTwins(a, b, x, y, fnot, snot) {
			return
		}
	}
}

// stateOfTwin returns the state that item i says, and whether it says that it is not so.
func (f *frame) stateOfTwin(i int) (state string, not, ok bool) {
	state = f.items[i].low
	if f.items[i].used {
		return "", false, false
	}
	if of := f.lexicon.of(state, "opposite state"); of != "" {
		state, not = of, true
	}
	for k := i - 1; k >= max(0, i-2); k-- {
		if low := f.items[k].low; low == "not" || low == "no longer" || strings.HasSuffix(low, " not") {
			not = !not
			break
		}
	}
	return state, not, f.lexicon.sets["state of a twin"][state]
}

// joinsStates reports whether item i may stand between two states of a thing.
func (f *frame) joinsStates(i int) bool {
	low := f.items[i].low
	_, join := f.says(i, "join")
	return join && f.items[i].raw != "(" || low == "not" || strings.HasSuffix(low, " not") || low == "no longer" || low == "still" || low == "already" || f.lexicon.stop[low] && !f.lexicon.sets["state of a twin"][low]
}

// twins returns the two metrics that tell the states of what is spoken of.
func (f *frame) twins(first, second string) (x, y catalog.Metric, ok bool) {
	said := f.norms()
	shortest := ""
	for of, ts := range f.words.twins {
		i := slices.IndexFunc(ts, func(t twin) bool { return t.state == first })
		k := slices.IndexFunc(ts, func(t twin) bool { return t.state == second })
		if i < 0 || k < 0 || !slices.Contains(said, ts[i].Entity) || ok && (len(of) > len(shortest) || len(of) == len(shortest) && of > shortest) {
			continue
		}
		x, y, shortest, ok = *ts[i].Metric, *ts[k].Metric, of, true
	}
	return x, y, ok
}

// areTwins takes items a and b for the states that x and y tell, where all else that
// is said is whose they are.
func (f *frame) areTwins(a, b int, x, y catalog.Metric, xnot, ynot bool) bool {
	g := f.again()
	for k := max(0, a-2); k < a; k++ {
		if g.joinsStates(k) {
			g.use(k)
		}
	}
	g.useAll(span(a, b+1)...)
	if g.kind == unsaid {
		g.kind = alert
	}
	g.implied = append(slices.Clone(g.implied), x.Entity)
	g.takeTimes()
	g.takeRest()
	for i, it := range g.items {
		if !it.used && !it.weak && !g.plain(it) && !g.filler(it.low) && slices.ContainsFunc(it.norms, func(w string) bool { return w != x.Entity && !g.brand(w) && !g.words.says(x.ID, w) }) {
			return false
		}
		g.items[i].used = true
	}
	value := func(not bool) nlq.Number {
		if not {
			return 0
		}
		return 1
	}
	g.given, g.settled = &x, true
	g.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
		l := nlq.Binary{Op: "==", Left: t, Right: value(xnot)}
		r := nlq.Term(nlq.Binary{Op: "==", Left: f.like(t, y), Right: value(ynot)})
		r, on := nlq.Joint(l, r, f.catalog)
		return nlq.Binary{Op: "and", Left: l, Right: r, On: on}
	}
	*f = *g
	return true
}
