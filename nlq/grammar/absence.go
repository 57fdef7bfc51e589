package grammar

import (
	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeAbsence reads that something is no longer told: no temperature from
// gpu-03 any more, power readings missing. It is only tried where the words
// mean nothing else: replicas may be missing too.
func (f *frame) takeAbsence() bool {
	found := false
	for i := range f.items {
		if _, ok := f.says(i, "absent"); ok {
			f.use(i)
			found = true
		}
	}
	if !found {
		return false
	}
	for i := range f.items {
		switch f.items[i].low {
		case "reporting", "coming in", "coming", "in", "arriving", "any more", "anymore", "anywhere", "everywhere", "visible", "present", "seen", "there", "data", "metric", "metrics", "readings", "series", "samples", "sample", "values":
			f.use(i)
		}
		if f.items[i].low == "from" && f.isName(i+1) { // metrics come from nodes
			name, to := f.name(i + 1)
			f.add(i, filter{place: "node", value: name, bare: true}, span(i, to)...)
		}
	}
	f.vanished = true
	for i := range f.items {
		_, d, from, to, ok := f.pastAt(i)
		if !ok {
			continue
		}
		f.useAll(span(from, to)...) // "which was there an hour ago"
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			t = compared(t)
			var on []string
			if m.Has("UUID") {
				on = []string{"UUID"}
			}
			return nlq.Binary{Op: "unless", Left: nlq.Func{Name: nlq.Ago, Of: t, Window: d}, Right: t, On: on}
		}
		return true
	}
	f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term { return nlq.Func{Name: "absent", Of: compared(t)} }
	return true
}
