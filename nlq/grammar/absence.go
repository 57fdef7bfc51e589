package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// saysReadings reports whether it is values that are said to be there no more: a
// reading that is no longer told is not 0.
func (f *frame) saysReadings() bool {
	more, readings := false, false
	for _, it := range f.items {
		_, gone := it.has("absent")
		more = more || f.lexicon.sets["no more"][it.low] || gone && strings.Contains(it.low, " ") // has stopped sending
		readings = readings || f.lexicon.sets["told values"][it.low] || gone && strings.HasPrefix(it.low, "no longer report")
	}
	return more && readings
}

// takeAbsence reads that something is no longer told: no temperature from
// gpu-03 any more, power readings missing. It is only tried where the words
// mean nothing else: replicas may be missing too.
func (f *frame) takeAbsence() bool {
	if f.saysAny("onward") {
		return false // it has none left in two days
	}
	found, none := false, !slices.ContainsFunc(f.items, func(it item) bool { return f.lexicon.sets["told values"][it.low] || f.lexicon.sets["no more"][it.low] })
	for i := range f.items {
		if f.items[i].low == "no" && i+1 < len(f.items) && slices.ContainsFunc(f.items[i+1:min(i+4, len(f.items))], func(it item) bool { return f.lexicon.sets["told values"][it.low] }) {
			f.use(i) // "no DCGM data"
			found = true
		}
		zero, compares := f.says(i, "compare")
		if _, ok := f.says(i, "absent"); ok || compares && zero == "==  0" && strings.HasPrefix(f.items[i].low, "there ") && f.saysReadings() {
			f.use(i)
			found, none = true, none && f.items[i].low == "no"
		}
	}
	if !found {
		return false
	}
	for i := range f.items {
		switch f.items[i].low {
		case "reporting", "coming in", "coming", "in", "arriving", "any more", "anymore", "left", "anywhere", "everywhere", "visible", "present", "seen", "there", "data", "metric", "metrics", "readings", "series", "samples", "sample", "values":
			f.use(i)
		}
		if f.items[i].low == "from" && f.isName(i+1) { // metrics come from nodes
			name, to := f.name(i + 1)
			f.add(i, filter{place: "node", value: name, bare: true}, span(i, to)...)
		}
		if f.isName(i) && !f.items[i].used && !f.isKind(strings.Join(at(f.items, i-1).norms, " ")) {
			name, to := f.name(i)
			if at(f.items, to).low == "has" || at(f.items, to).low == "have" {
				to++
			}
			if _, gone := at(f.items, to).has("absent"); gone || f.lexicon.sets["tells"][at(f.items, to).low] || at(f.items, to).low == "not" && f.lexicon.sets["tells"][at(f.items, to+1).low] {
				f.add(i, filter{place: "node", value: name, bare: true}, span(i, to)...) // gpu-03 no longer sends
			}
		}
	}
	for i := range f.items {
		if low := f.items[i].low; f.lexicon.sets["tells"][low] || (low == "not" || low == "does") && f.lexicon.sets["tells"][at(f.items, i+1).low] {
			f.use(i)
		}
	}
	for i := range f.items {
		if p, n, ok := f.place(i); ok && p.Name == "gpu" && at(f.items, i-1).low == "same" {
			f.useAll(span(i-1, i+n)...) // as is compared anyway
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
	f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
		if none && f.counts(m) {
			return nlq.Binary{Op: "==", Left: t, Right: nlq.Number(0)} // no requests: who counts them is still there
		}
		return nlq.Func{Name: "absent", Of: compared(t)}
	}
	return true
}

// counts reports whether m says how many there are or were of something.
func (f *frame) counts(m catalog.Metric) bool {
	return m.Type == catalog.Counter || m.Type == catalog.Gauge && f.dimension(m.Unit) == "count" && m.Unit != "{bool}" && m.Unit != "{state}" && m.Unit != "{value}"
}
