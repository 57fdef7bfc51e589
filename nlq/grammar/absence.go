package grammar

import (
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// saysReadings reports whether it is values that are said to be there no more: a
// reading that is no longer told is not 0.
func (f *frame) saysReadings() bool {
	more, readings := false, false
	for _, it := range f.items {
		more = more || f.lexicon.sets["no more"][it.low]
		readings = readings || f.lexicon.sets["told values"][it.low]
	}
	return more && readings
}

// takeAbsence reads that something is no longer told: no temperature from
// gpu-03 any more, power readings missing. It is only tried where the words
// mean nothing else: replicas may be missing too.
func (f *frame) takeAbsence() bool {
	found := false
	for i := range f.items {
		none, compares := f.says(i, "compare")
		if _, ok := f.says(i, "absent"); ok || compares && none == "==  0" && strings.HasPrefix(f.items[i].low, "there ") && f.saysReadings() {
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
