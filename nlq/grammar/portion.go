package grammar

import (
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takePortion reads how much of all there is each of several has: each namespace's
// share of the total GPU power, the share of the total by pod. Where more follows on
// the total, it may be of what a part is told, which is read elsewhere: bare says
// that nothing may.
func (f *frame) takePortion(bare bool) {
	if f.kind != lookup && f.kind != unsaid || f.test != nil || f.saysAny("compare") || f.saysAny("over") {
		return
	}
	share, total := -1, -1
	for i, it := range f.items {
		kind, _ := it.has("kind")
		switch {
		case it.used:
		case kind == "share", f.lexicon.sets["share"][strings.TrimSuffix(it.low, " of")], strings.HasSuffix(it.low, " share of"):
			share = i
		case f.lexicon.sets["everything"][it.low]:
			total = i
		}
	}
	if share < 0 || total < share {
		return
	}
	if next := f.next(total + 1); bare && next < len(f.items) {
		if _, by := f.says(next, "by"); !by {
			return
		}
	}
	for i := range f.items {
		p, n, ok := f.place(i)
		before := at(f.items, i-1)
		_, by := before.has("by")
		each := by || before.low == "each" || before.low == "every" || strings.HasSuffix(strings.ToLower(before.raw), "each")
		if !ok || p.Name == "gpu" || !each || f.named(i, n) {
			continue
		}
		f.useAll(span(i-1, i+n)...)
		f.useAll(share, total)
		f.kind, f.by = lookup, append(f.by, p.Name)
		f.values = append(f.values, func(t nlq.Term, m catalog.Metric) nlq.Term {
			if ms, ok := t.(nlq.Measure); ok {
				ms.Agg, ms.By = nlq.Each, nil
				t = ms
			}
			return nlq.Binary{Op: "/", Left: nlq.Group{Agg: nlq.Sum, Of: t, By: f.labelsOf(m, p.Name)}, Right: nlq.Group{Agg: nlq.Sum, Of: t}, On: []string{}, Many: true}
		})
		return
	}
}
