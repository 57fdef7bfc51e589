package grammar

import (
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
		op, implied, _ := strings.Cut(value, " ")
		if !ok || len(op) > 2 || strings.Contains(implied, " ") || strings.HasPrefix(f.items[i].low, "or ") || i == 0 {
			continue
		}
		if _, given := f.limitOf(i); given {
			if _, times := f.says(i+2, "times"); !times {
				continue
			}
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
			if err != nil {
				continue
			}
			f.useAll(span(i, to)...)
			if implied != "" {
				f.extra = append(f.extra, implied) // narrower is about the width
			}
			f.beside(m)
			f.test = func(t nlq.Term, own catalog.Metric) nlq.Term {
				right, on := nlq.Joint(t, f.like(t, m), f.catalog)
				if times != 1 {
					right = nlq.Binary{Op: "*", Left: nlq.Number(times), Right: right}
				}
				return nlq.Binary{Op: op, Left: t, Right: right, On: on}
			}
			return
		}
	}
}
