package grammar

import (
	"reflect"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// deepest and mostJoins bound how long it takes to find out that a text of
// nothing but "and" means nothing: nobody joins more conditions.
const (
	deepest   = 3
	mostJoins = 5
)

// compound reads two conditions joined by a word: each by itself, and then how
// they are joined. What one says of both, the other need not repeat.
func (f *frame) compound() (nlq.Parse, bool, error) {
	if f.kind == when || f.kind == why || f.within == deepest {
		return nlq.Parse{}, false, nil
	}
	tried := 0
	for i := range f.items {
		op, ok := f.says(i, "join")
		left, right := f.items[:i], f.items[i+1:]
		if both, said := f.both(); ok && said && op == "and" && !f.condition(left) {
			op, left = both, slices.Concat(left, conditionOf(right))
		}
		wanted := f.items[i].low == "but" && f.wants(left) // "that want replicas but have none"
		none := ok && f.doesNothing(right) && f.clause(left)
		if !ok || !f.condition(left) && !wanted && !none || at(f.items, i+1).metric || op == "or" && sameLabel(f.sayings(), i) {
			continue
		}
		if f.items[i].low == "with" && f.namesOne(i+1) {
			continue // "drops with reason X" are of one kind
		}
		if f.items[i].raw == "(" && !slices.ContainsFunc(right, func(it item) bool {
			_, cmp := it.has("compare")
			_, over := it.has("over")
			return cmp || over || it.number != nil && it.number.unit.dimension != "time"
		}) {
			continue // "(active)" only says what was said
		}
		if !f.condition(right) && !f.clause(right) && op != "unless" {
			f.loose = append(f.loose, i)
			continue
		}
		if tried++; tried > mostJoins {
			break
		}
		right = f.ofItself(right)
		if wordless := f.part(right, nil); len(wordless.wanting()) == 0 && !f.tellingUnit(right) && !f.aboutOthers(left, right) {
			if f.doesNothing(right) {
				right = append(f.stateless(left), right...)
			} else {
				right = append(measureOf(left), right...)
			}
		} else if f.doesNothing(left) {
			for k := range left {
				if _, _, of := f.labelAt(k); !of || f.brand(left[k].low) {
					continue
				}
				left = slices.Delete(slices.Clone(left), k, k+1) // an engine runs nothing: no requests
				break
			}
			left = append(f.stateless(right), left...)
		}
		l := f.part(left, nil)
		lt, lerr := l.holds()
		r := f.part(right, l)
		rt, rerr := r.holds()
		if lerr != nil && rerr == nil {
			l = f.part(left, r)
			lt, lerr = l.holds()
		}
		if lerr != nil || rerr != nil {
			continue
		}
		if f.doesNothing(left) || f.doesNothing(right) {
			if f.doesNothing(left) && !f.saysOneOf(lt, "running") || f.doesNothing(right) && !f.saysOneOf(rt, "running") {
				continue // it is told of something else
			}
			if f.queued(left) && !f.saysOneOf(lt, "queued") || f.queued(right) && !f.saysOneOf(rt, "queued") {
				continue
			}
		}
		if m, ok := nlq.Subject(rt); ok && f.aboutOthers(left, right) && f.lexicon.sets["software"][brandOf(m.Metric)] && !slices.Contains(f.norms(), brandOf(m.Metric)) {
			continue // idle nodes are not those of another program
		}
		once := op == "and" && len(l.filters) > 0 && len(r.filters) == 0 && l.entity == r.entity // said once of both
		if (op == "or" || once) && len(l.filters)+len(r.filters) > 0 {
			lf, rf := l.filters, r.filters
			l, r = f.part(left, r), f.part(right, l)
			l.shared, r.shared = rf, lf
			if lt, lerr = l.holds(); lerr != nil {
				continue
			}
			if rt, rerr = r.holds(); rerr != nil {
				continue
			}
		}
		if f.items[i].raw == "(" && reflect.DeepEqual(lt, rt) {
			f.useAll(span(i, len(f.items))...) // it says the same once more: idle (0 util)
			return nlq.Parse{}, false, nil
		}
		if err := f.contradiction(op, lt, rt); err != nil {
			return nlq.Parse{}, true, err
		}
		lt, rt = f.alike(lt, rt), f.alike(rt, lt)
		to, on := nlq.Joint(lt, rt, f.catalog)
		if len(on) == 0 && on != nil && (len(nlq.Labels(lt, f.catalog)) > 0 && len(nlq.Labels(rt, f.catalog)) > 0) {
			continue // nothing says which belong together
		}
		term := nlq.Term(nlq.Binary{Op: op, Left: lt, Right: to, On: on})
		if f.kind == lookup && f.counting {
			term = nlq.Group{Agg: nlq.Count, Of: term} // how many are both
		}
		out := nlq.Formula{Term: term, Alert: f.kind != lookup, Severity: f.severity,
			For: max(l.hold, r.hold, f.hold), ForSaid: l.holdSaid || r.holdSaid || f.holdSaid, Keep: max(l.keep, r.keep, f.keep)}
		return nlq.Parse{Intent: out, Assumed: append(l.assumed, r.assumed...), Confidence: min(l.confidence(), r.confidence()) - 0.05}, true, nil
	}
	f.useAll(f.loose...) // "although the pods of train hold it" only says which
	return nlq.Parse{}, false, nil
}

// aboutOthers reports whether right says by a place of its own what it is about: jobs
// are pending although nodes are idle.
func (f *frame) aboutOthers(left, right []item) bool {
	return len(right) > 0 && slices.ContainsFunc(right[:min(2, len(right))], func(it item) bool {
		return len(it.norms) == 1 && isPlaceWord(it.norms[0]) && !it.name && !f.saidIn(it, left)
	})
}

// doesNothing reports whether items say what of something there is none of, and not of
// what: none is running.
func (f *frame) doesNothing(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool {
		v, cmp := it.has("compare")
		return cmp && strings.HasPrefix(v, "== running ")
	})
}

// queued reports whether items say that something waits.
func (f *frame) queued(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool { return f.lexicon.sets["queued"][it.low] })
}

// saysOneOf reports whether what t is of, or a value that it is narrowed by, is called by a
// word of a set.
func (f *frame) saysOneOf(t nlq.Term, set string) bool {
	m, ok := nlq.Subject(t)
	words := strings.FieldsFunc(strings.ToLower(string(m.Metric)), isJoint)
	for _, w := range m.Where {
		words = append(words, strings.ToLower(w.Value))
	}
	return ok && slices.ContainsFunc(words, func(w string) bool { return f.lexicon.sets[set][w] }) &&
		!slices.ContainsFunc(words, func(w string) bool { return f.lexicon.sets["outcome"][w] }) // a queue's failed jobs do not wait
}

// stateless returns what items say beside a condition and the state that they tell:
// the requests that are waiting.
func (f *frame) stateless(items []item) []item {
	return slices.DeleteFunc(measureOf(items), func(it item) bool {
		_, state := it.has("state")
		return state || f.lexicon.sets["queued"][it.low] || f.plain(it)
	})
}

// namesOne reports whether a place or a label with a name behind it begins at item i.
func (f *frame) namesOne(i int) bool {
	_, n, ok := f.place(i)
	if !ok {
		_, n, ok = f.labelAt(i)
	}
	return ok && (f.isName(i+n) || at(f.items, i+n).name)
}

// wants reports whether items say that something is wanted.
func (f *frame) wants(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool { return f.lexicon.sets["wanting"][it.low] })
}

// alike returns t put together as other is, where other is of each of some things
// and t of a counter's single series: each ingress, and the requests that it gets.
func (f *frame) alike(t, other nlq.Term) nlq.Term {
	by := nlq.Labels(other, f.catalog)
	return nlq.Map(t, func(ms nlq.Measure) nlq.Measure {
		m, ok := f.catalog.Metric(ms.Metric)
		if ok && m.Type == catalog.Counter && ms.Agg == nlq.Each && len(by) > 0 && len(by) < len(m.Labels) && subset(by, m.Labels) && f.aggregated(other) {
			ms.Agg, ms.By = nlq.Sum, by
		}
		return ms
	})
}

// aggregated reports whether what t compares is put together of several series.
func (f *frame) aggregated(t nlq.Term) bool {
	sum := false
	nlq.Map(t, func(ms nlq.Measure) nlq.Measure {
		d, derived := f.catalog.Derived(ms.Metric)
		sum = sum || ms.Agg == nlq.Sum || ms.Agg == nlq.Mean || derived && strings.Contains(d.Expr, "sum by (")
		return ms
	})
	return sum
}

// sameLabel reports whether those of said before and behind item i are values of one
// label: waiting with ErrImagePull or ImagePullBackOff.
func sameLabel(said []saying, i int) bool {
	return slices.ContainsFunc(said, func(a saying) bool {
		return a.to == i && slices.ContainsFunc(said, func(b saying) bool {
			return b.from == i+1 && slices.Equal(a.Labels, b.Labels) && a.Value != b.Value && a.Op == b.Op
		})
	})
}

// both reports that two measures share one condition, and how they are joined.
func (f *frame) both() (op string, ok bool) {
	for i := range f.items {
		if v, is := f.says(i, "both"); is {
			return v, true
		}
	}
	return "", false
}

// ofItself returns items without what says that a share is of all there is of
// the same thing: less than 3% of its total.
func (f *frame) ofItself(items []item) []item {
	for i, it := range items {
		if it.number == nil || !it.number.isUnit || it.number.unit.dimension != "ratio" {
			continue
		}
		j := i + 1
		if at(items, j).low == "of" {
			j++
		}
		if at(items, j).low == "its" && f.lexicon.sets["all of it"][at(items, j+1).low] {
			return slices.Concat(items[:i+1], items[j+2:])
		}
	}
	return items
}

// conditionOf returns the comparisons of items with their limits.
func conditionOf(items []item) []item {
	var out []item
	for _, it := range items {
		_, cmp := it.has("compare")
		_, over := it.has("over")
		_, size := it.has("size")
		if cmp || over || size || it.number != nil && it.number.unit.dimension != "time" {
			out = append(out, it)
		}
	}
	return out
}

// tellingUnit reports whether a limit in items says by its unit what is
// measured: 300 watts are of power.
func (f *frame) tellingUnit(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool {
		return it.number != nil && it.number.isUnit && it.number.unit.dimension != "ratio" && f.lexicon.ofUnit[it.number.unit.dimension] != ""
	})
}

// part is a frame of some of the items, read as a condition beside other.
func (f *frame) part(items []item, other *frame) *frame {
	g := &frame{catalog: f.catalog, places: f.places, words: f.words, lexicon: f.lexicon, known: f.known, lenient: f.lenient, aggItem: -1, unheard: true, kind: alert, within: f.within + 1, items: slices.Clone(items), assumed: slices.Clone(f.assumed), doubt: f.doubt}
	if other != nil {
		g.implied = append(g.implied, other.entity)
		if other.brand(other.whose) {
			g.implied = append(g.implied, other.whose) // the requests of whose cache is full
		}
	}
	return g
}

// holds reads f as a condition.
func (f *frame) holds() (nlq.Term, error) {
	absent := *f
	absent.items, absent.assumed = slices.Clone(f.items), slices.Clone(f.assumed)
	p, err := f.read()
	if err != nil && absent.takeAbsence() {
		*f = absent // "while it generates no tokens"
		p, err = f.read()
	}
	if err != nil {
		return nil, err
	}
	switch i := p.Intent.(type) {
	case nlq.Alert:
		return nlq.Binary{Op: i.Compare.Op, Left: i.Measure, Right: nlq.Number(i.Compare.Limit)}, nil
	case nlq.Formula:
		return i.Term, nil
	}
	return nil, f.ask("What should hold?")
}

// condition reports whether items hold what can be a condition: a number, or
// a word for a state.
func (f *frame) condition(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool {
		if it.used {
			return false
		}
		_, state := it.has("state")
		_, cmp := it.has("compare")
		_, direction := it.has("direction")
		_, pace := it.has("pace")
		_, gone := it.has("absent") // "generates no tokens"
		return state || cmp || direction || pace || gone || it.number != nil
	})
}

// wanting returns the words of f that a measure could be called by.
func (f *frame) wanting() []string {
	var out []string
	for i, it := range f.items {
		_, cmp := it.has("compare")
		if _, given := f.limitOf(i); cmp && !given && f.lexicon.sets["found"][it.low] {
			cmp = false // hits and misses, and not what hits a limit
		}
		_, over := it.has("over")
		_, hold := it.has("hold")
		_, pace := it.has("pace")
		_, ago := it.has("ago")
		step := f.lexicon.sets["step"][it.low] && at(f.items, i+1).number != nil // gen 4
		if _, _, place := f.place(i); it.used || cmp || over || hold || pace || ago || it.low == "ago" || step || place || it.number != nil || f.plain(it) || it.name || it.whole != "" || it.inside {
			continue
		}
		out = append(out, it.low)
	}
	return out
}

// measureOf returns the items that say what is measured: not the condition. Of what is
// compared with what it was, that is what stands before the comparison.
func measureOf(items []item) []item {
	var out []item
	past := slices.ContainsFunc(items, func(it item) bool { _, ago := it.has("ago"); return ago || it.low == "ago" })
	for _, it := range items {
		if _, cmp := it.has("compare"); past && cmp {
			break
		}
		_, cmp := it.has("compare")
		_, over := it.has("over")
		_, hold := it.has("hold")
		if !cmp && !over && !hold && it.number == nil {
			out = append(out, it)
		}
	}
	return out
}

// contradiction asks back where nothing can be both.
func (f *frame) contradiction(op string, l, r nlq.Term) error {
	a, ok1 := l.(nlq.Binary)
	b, ok2 := r.(nlq.Binary)
	if !ok1 || !ok2 || op != "and" {
		return nil
	}
	x, ok1 := a.Right.(nlq.Number)
	y, ok2 := b.Right.(nlq.Number)
	m, same := a.Left.(nlq.Measure)
	n, too := b.Left.(nlq.Measure)
	if !ok1 || !ok2 || !same || !too || m.Metric != n.Metric || m.Over != n.Over || m.Agg != n.Agg || a.Op == "" || b.Op == "" {
		return nil
	}
	if a.Op[0] == '<' && b.Op[0] == '>' && x <= y || a.Op[0] == '>' && b.Op[0] == '<' && x >= y {
		return f.settle("Nothing is both at once. Is it outside these limits that you mean, or between them?", "outside", "between")
	}
	return nil
}
