package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeVersus reads a comparison with another measure: ready replicas lower
// than desired, allocatable fewer than the capacity.
func (f *frame) takeVersus() {
	if f.test != nil || f.kind == lookup {
		return
	}
	for i := range f.items {
		value, ok := f.says(i, "compare")
		if size, is := f.says(i, "size"); is && !ok {
			value, ok = size, true // a queue longer than the batch
		}
		op, implied, _ := strings.Cut(value, " ")
		if !ok || len(op) > 2 || strings.Contains(implied, " ") || strings.HasPrefix(f.items[i].low, "or ") || i == 0 {
			continue
		}
		if _, given := f.limitOf(i); given {
			if _, times := f.says(i+2, "times"); !times {
				continue
			}
		} else if at(f.items, i+1).number != nil {
			continue // a share of something, which is read elsewhere
		}
		from, times := i+1, 1.0
		if v, ok := f.says(from, "times"); ok && strings.Trim(v, "x") == "" && v != "" {
			times, from = float64(len(v)), from+1 // more than twice the number of cores
		} else if v, ok := f.says(from, "times"); ok && v == "half" {
			times, from = 0.5, from+1
		} else if n, ok := f.amount(from); ok && !n.isUnit {
			if v, ok := f.says(from+1, "times"); ok && v == "n" {
				times, from = n.value, from+2
			}
		}
		for to := min(len(f.items), from+longestName); to > from; to-- {
			g := f.part(f.items[from:to], nil)
			g.kind, g.lenient, g.quiet = lookup, false, true
			if len(g.wanting()) == 0 {
				break
			}
			for _, it := range f.items[:i] {
				if !f.plain(it) {
					g.implied = append(g.implied, it.norms...)
				}
			}
			m, err := g.measure()
			if err != nil || f.unlike(f.items[:i], m) {
				continue
			}
			f.narrowBy(m, from, to)
			f.useAll(span(i, to)...)
			if implied != "" {
				f.extra = append(f.extra, implied) // narrower is about the width
			}
			f.beside(m)
			f.test = func(t nlq.Term, own catalog.Metric) nlq.Term {
				right, on := nlq.Joint(t, f.like(t, m), f.catalog)
				if ms, ok := t.(nlq.Measure); ok && ms.Agg == nlq.Each && own.Unit == "{bool}" && m.Unit == "{bool}" {
					t, right, on = nlq.Group{Agg: nlq.Sum, Of: t}, nlq.Group{Agg: nlq.Sum, Of: f.like(t, m)}, nil // of how many it is so
				}
				if times != 1 {
					right = nlq.Binary{Op: "*", Left: nlq.Number(times), Right: right}
				}
				return nlq.Binary{Op: op, Left: t, Right: right, On: on}
			}
			return
		}
		if f.ofOwn(i, from, op, times) {
			f.use(i)
			return
		}
	}
}

// unlike reports whether what before measures cannot be compared with m: CPU
// that is used is no number of GPUs that are requested.
func (f *frame) unlike(before []item, m catalog.Metric) bool {
	g := f.part(undirected(before), nil)
	g.kind, g.lenient, g.quiet = lookup, false, true
	own, err := g.measure()
	switch {
	case err != nil:
		_, derived := f.catalog.Derived(m.ID)
		gpus := slices.ContainsFunc(before, func(it item) bool { return slices.Contains(it.norms, "gpu") })
		return derived && f.dimension(m.Unit) == "ratio" || gpus && m.Unit == "{resource}" // it is not known yet, but no share, nor all that a node has
	case f.dimension(own.Unit) != f.dimension(m.Unit):
		return true
	}
	return (own.Entity != m.Entity || own.Unit == "{gpu}") && own.Unit != m.Unit && strings.HasPrefix(string(m.Unit), "{")
}

// undirected returns what items say beside a condition and its direction.
func undirected(items []item) []item {
	return slices.DeleteFunc(measureOf(items), func(it item) bool { _, dir := it.has("direction"); return dir })
}

// ofOwn reads a comparison with what items from from on say as one of the share
// that is measured: more memory than its limit is more than all of the limit.
func (f *frame) ofOwn(i, from int, op string, times float64) bool {
	if op[0] != '<' && op[0] != '>' {
		return false
	}
	for to := min(len(f.items), from+longestName); to > from; to-- {
		tells := slices.ContainsFunc(f.items[from:to], func(it item) bool { return !it.used && !f.plain(it) && f.words.anyOf(it.norms) })
		if tells && f.shareOfBoth(undirected(f.items[:i]), f.items[from:to]) {
			f.compares = append(f.compares, compare{op: op, limit: number{value: times, unit: f.lexicon.units["1"], isUnit: true}})
			f.useAll(span(i+1, from)...)
			return true
		}
	}
	return false
}

// takeCeiling reads a comparison with what a thing can do at most: fewer lanes
// than the card can use, slower than it should be.
func (f *frame) takeCeiling() {
	if f.test != nil || f.kind == lookup {
		return
	}
	for i := range f.items {
		value, ok := f.says(i, "compare")
		than := i
		if !ok || !strings.HasSuffix(f.items[i].low, "than") {
			if value, ok = f.says(i, "direction"); !ok {
				continue
			}
			than = slices.IndexFunc(f.items[i:min(len(f.items), i+4)], func(it item) bool { return it.low == "than" }) + i
			if than <= i {
				continue
			}
		}
		op, implied, _ := strings.Cut(value, " ")
		to, able := f.ability(than + 1)
		if !able || op != "<" && op != ">" {
			continue
		}
		f.use(i)
		f.useAll(span(than, to)...)
		if implied != "" {
			f.extra = append(f.extra, implied) // narrower is about the width
		}
		f.ceiling = op
		return
	}
}

// ability reads from item i on what something can do, and returns the item after it.
func (f *frame) ability(i int) (to int, able bool) {
	for to = i; to < len(f.items); to++ {
		it := f.items[to]
		_, _, place := f.place(to)
		if it.number != nil || it.used || !f.lexicon.sets["able"][it.low] && !f.lexicon.sets["doing"][it.low] && !place && !f.lexicon.stop[it.low] {
			break
		}
		able = able || f.lexicon.sets["able"][it.low]
	}
	return to, able
}

// belowCeiling has m compared with what it can be at most, where that was said.
func (f *frame) belowCeiling(m catalog.Metric) (catalog.Metric, error) {
	if f.ceiling == "" {
		return m, nil
	}
	if own, ok := f.catalog.Floor(m.ID); ok {
		m = own // "a lower generation than it can do" is not about the highest
	}
	most, ok := f.catalog.Ceiling(m.ID)
	if !ok {
		return m, f.settle("How much can " + f.title(m.ID) + " be? No metric says so.")
	}
	op := f.ceiling
	f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
		right, on := nlq.Joint(t, f.like(t, most), f.catalog)
		return nlq.Binary{Op: op, Left: t, Right: right, On: on}
	}
	return m, nil
}
