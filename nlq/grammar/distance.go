package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeDistance reads how far from another measure a value is: within 5 degrees
// of the maximum, 300 MHz short of the max clock, 10% lower than the limit.
func (f *frame) takeDistance() {
	if f.test != nil || f.kind == lookup {
		return
	}
	for i := range f.items {
		if f.items[i].low == "than" && f.fewerThan(i) {
			return
		}
		n, ok := f.amount(i)
		if !ok || n.unit.dimension == "time" && n.isUnit {
			continue
		}
		after := at(f.items, i+1).low
		switch {
		case at(f.items, i-1).low == "within" && after == "of":
			if f.farFrom(i+2, "<", n, span(i-1, i+2)) || f.closeTo(i+2, n, span(i-1, i+2)) {
				return
			}
		case after == "to" && f.near(i-1):
			if f.farFrom(i+2, "<", n, span(i-1, i+2)) {
				return
			}
		case after == "short of" || after == "short" && at(f.items, i+2).low == "of":
			from := i + 2
			if after == "short" {
				from++
			}
			op, took := ">", span(i, from)
			if v, cmp := f.says(i-1, "compare"); cmp && len(v) <= 2 {
				op, took = v, append(took, i-1)
			} else if _, over := f.says(i-1, "over"); over {
				took = append(took, i-1)
			}
			if f.farFrom(from, op, n, took) {
				return
			}
		case after == "away from" || after == "away" && at(f.items, i+2).low == "from" || after == "off":
			from := i + 2
			if after == "away" {
				from++
			}
			op, cmp := f.says(i-1, "compare")
			if cmp && len(op) <= 2 && f.farFrom(from, op, n, span(i-1, from)) {
				f.extra = append(f.extra, f.ofUnit(n)...)
				return
			}
		default:
			if f.furtherThan(i) {
				return
			}
		}
	}
}

// closeTo reads from item i on what a value has come close to, but for a share of it.
func (f *frame) closeTo(i int, n number, took []int) bool {
	for to := min(len(f.items), i+longestName); to > i && n.isUnit && n.unit.dimension == "ratio"; to-- {
		m, ok := f.second(i, to, f.items[:took[0]])
		if !ok || f.dimension(m.Unit) == "ratio" {
			continue
		}
		f.useAll(append(took, span(i, to)...)...)
		f.beside(m)
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			other, on := nlq.Joint(t, f.like(t, m), f.catalog)
			return nlq.Binary{Op: ">", Left: nlq.Binary{Op: "/", Left: t, Right: other, On: on}, Right: nlq.Number(round(1 - n.value*n.unit.factor))}
		}
		return true
	}
	return false
}

// ofUnit returns the measure word of n's unit, where nothing else says what is
// measured.
func (f *frame) ofUnit(n number) []string {
	word, ok := f.lexicon.ofUnit[n.unit.dimension]
	left, _ := f.said(false)
	if !ok || slices.ContainsFunc(left, func(w string) bool { return w != "gpu" && w != "core" && w != "usage" }) {
		return nil
	}
	return []string{word}
}

// near reports whether item i is "closer than".
func (f *frame) near(i int) bool {
	_, ok := f.says(i, "near")
	return ok
}

// farFrom reads from item i on what a value is below, by how much of n.
func (f *frame) farFrom(i int, op string, n number, took []int) bool {
	for to := min(len(f.items), i+longestName); to > i; to-- {
		m, ok := f.second(i, to, f.items[:took[0]])
		if !ok || !f.comparable(m, n) {
			continue
		}
		f.useAll(append(took, span(i, to)...)...)
		f.beside(m)
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			other, on := nlq.Joint(t, f.like(t, m), f.catalog)
			return nlq.Binary{Op: op, Left: nlq.Binary{Op: "-", Left: other, Right: t, On: on}, Right: nlq.Number(f.convert(n, m.Unit))}
		}
		return true
	}
	return false
}

// furtherThan reads: N lower than another measure, where N is item i.
func (f *frame) furtherThan(i int) bool {
	for j := i + 1; j < min(len(f.items), i+4); j++ {
		how, cmp := f.items[j].has("compare")
		_, dir := f.items[j].has("direction")
		if !cmp && !dir || strings.HasPrefix(f.items[j].low, "or ") {
			continue
		}
		from := j + 1
		for from < len(f.items) && slices.Contains([]string{"than", "the", "its"}, f.items[from].low) {
			from++
		}
		before := f.items[:i]
		if _, of, says := strings.Cut(how, " "); says && !strings.Contains(of, " ") {
			before = append(slices.Clone(before), item{raw: of, low: of, norms: []string{of}}) // "hotter than the core" is about its temperature
		}
		for to := min(len(f.items), from+longestName); to > from; to-- {
			m, ok := f.second(from, to, before)
			if !ok {
				continue
			}
			r := f.relationBefore(from, to)
			if r.op == "" || r.by == nil || r.by.unit.dimension != "ratio" && !f.comparable(m, *r.by) {
				return false
			}
			f.useAll(append(r.took, span(j, to)...)...)
			f.beside(m)
			f.test = func(t nlq.Term, own catalog.Metric) nlq.Term {
				other, on := nlq.Joint(t, f.like(t, m), f.catalog)
				return f.against(r, t, reference{of: other, on: on}, own)
			}
			return true
		}
	}
	return false
}

// fewerThan reads: fewer lanes than the link's width, where "than" is item i.
func (f *frame) fewerThan(i int) bool {
	dir, j := "", i-1
	for ; j >= 0 && j > i-4 && dir == ""; j-- {
		dir, _ = f.says(j, "direction")
	}
	if dir == "" || j+2 == i {
		return false // "less than" is a comparison
	}
	from := i + 1
	for from < len(f.items) && (f.items[from].low == "the" || f.items[from].low == "its") {
		from++
	}
	if f.ofOwn(i, from, dir, 1) {
		f.useAll(i, j+1)
		return true // more memory than requested
	}
	for to := min(len(f.items), from+longestName); to > from; to-- {
		m, ok := f.second(from, to, f.items[:i])
		if !ok || f.unlike(f.items[:i], m) {
			continue
		}
		if d, derived := f.catalog.Derived(m.ID); f.calledByAll(f.items[:to]) || derived && strings.Contains(d.Expr, " - ") {
			return false // "fewer available replicas than wanted" are missing replicas
		}
		f.useAll(append(span(i, to), j+1)...)
		f.beside(m)
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			other, on := nlq.Joint(t, f.like(t, m), f.catalog)
			return nlq.Binary{Op: dir, Left: t, Right: other, On: on}
		}
		return true
	}
	return false
}

// calledByAll reports whether some measure that is made of others goes by all
// words of items that measures are called by.
func (f *frame) calledByAll(items []item) bool {
	var words, said []string
	for _, it := range items {
		said = append(said, it.norms...)
		_, cmp := it.has("compare")
		_, dir := it.has("direction")
		if cmp || dir || it.used || it.name || f.plain(it) || it.inside || it.whole != "" {
			continue
		}
		for _, w := range it.norms {
			if f.words.is(w) && !isPlaceWord(w) {
				words = append(words, w)
			}
		}
	}
	return f.words.some(words, func(n *named) bool {
		return n.derived && subset(n.words, said)
	})
}

// beside notes that what is measured is compared with m.
func (f *frame) beside(m catalog.Metric) {
	f.implied = append(f.implied, m.Entity)
	f.outUnit = f.dimension(m.Unit)
	if w := f.lexicon.ofUnit[f.outUnit]; w != "" && !f.saysMore() {
		f.extra = append(f.extra, w) // "a GPU within 5 degrees of its slowdown temperature"
	}
}

// saysMore reports whether a word is left that may say what is measured.
func (f *frame) saysMore() bool {
	return slices.ContainsFunc(f.items, func(it item) bool {
		return !it.used && it.number == nil && !f.plain(it) && len(it.norms) == 1 && f.words.is(it.norms[0]) && !isPlaceWord(it.norms[0])
	})
}

// like is m of the same series as t, put together in the same way.
func (f *frame) like(t nlq.Term, m catalog.Metric) nlq.Measure {
	other := nlq.Measure{Metric: m.ID}
	if ms, ok := t.(nlq.Measure); ok {
		other.Where, other.Agg, other.By, other.Over, other.Window = f.taken(ms.Where, m.ID), ms.Agg, f.sameBy(ms.By, m), ms.Over, ms.Window
	}
	return other
}

// sameBy returns the labels by which m tells apart what labels do: a node may go by
// another label there. Those of what m knows nothing of are left out.
func (f *frame) sameBy(labels []string, m catalog.Metric) (by []string) {
	for _, l := range labels {
		if i := slices.IndexFunc(f.places, func(p nlq.Place) bool { return slices.Contains(p.Labels, l) }); i >= 0 && !f.catalog.Splits(m.ID, l) {
			l, _ = f.keptLabel(m, f.places[i])
		}
		if l != "" && f.catalog.Splits(m.ID, l) && !slices.Contains(by, l) {
			by = append(by, l)
		}
	}
	return by
}

// taken returns those of where that the measure id can be narrowed by.
func (f *frame) taken(where []nlq.Matcher, id catalog.ID) []nlq.Matcher {
	return slices.DeleteFunc(slices.Clone(where), func(w nlq.Matcher) bool { return !f.catalog.Takes(id, w.Label) })
}
