package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
)

// A kind is what sort of answer is wanted.
type kind string

const (
	unsaid kind = ""
	alert  kind = "alert"
	lookup kind = "lookup"
	why    kind = "why"
	when   kind = "when"

	changes kind = "changes"
	pending kind = "pending"
	actions kind = "actions"

	anomalies kind = "anomalies"
	dismiss   kind = "dismiss" // an anomaly

	silence kind = "silence"
	lift    kind = "lift" // a silence
)

// takeKind reads what is wanted from the verbs. A question without one is an
// alert if it has a condition, which is known only later.
func (f *frame) takeKind() error {
	for i := range f.items {
		_, never := f.items[i].has("never")
		if _, no := f.items[i].has("refuse"); never || no && f.commands(i) {
			return &nlq.NotUnderstood{Words: []string{f.items[i].raw}, Refused: true,
				Ask: "Questions are answered and alerts are proposed here; nothing is changed or deleted for words."}
		}
	}
	f.takeAsked()
	for i := range f.items {
		it := &f.items[i]
		v, ok := it.has("kind")
		if !ok || it.used {
			continue
		}
		k, implied, _ := strings.Cut(v, " ")
		if before := at(f.items, i-1); it.low == "what" && (before.low == "of" || before.low == "than" || strings.HasSuffix(before.low, " of") || strings.HasSuffix(before.low, " than")) {
			continue // "half of what it was"
		}
		if it.low == "which" && i > 0 && f.kind == unsaid {
			it.used = true // "a GPU which was there"
			continue
		}
		if it.low == "get" && i > 0 && !f.commands(i) {
			it.used = true // "pods get throttled"
			continue
		}
		if it.low == "report" && i > 0 && !f.commands(i) {
			continue // "cards report a temperature"
		}
		if (it.low == "count" || it.low == "count of" && !f.lexicon.stop[f.items[max(i-1, 0)].low]) && i > 0 {
			it.used = true // "the error count" counts nothing more, nor does "pending request count of"
			continue
		}
		if it.low == "number of" && f.comparesWith(i) {
			it.used = true // "twice the number of cores"
			continue
		}
		if k == "count" {
			k, f.counting = "lookup", true
		}
		if k == "share" {
			if !f.takeShareAsked(i) {
				continue
			}
			k = "lookup"
		}
		if k := kind(k); k == silence || k == lift {
			if f.commands(i) {
				f.kind, it.used = k, true
				return nil
			}
			continue
		}
		if k := kind(k); (k == anomalies || k == dismiss) && f.kind != unsaid {
			continue // "alert when anything is unusual" is about something else
		}
		switch {
		case kind(k) == pending || kind(k) == actions:
			f.kind, it.used = kind(k), true
			continue
		case kind(k) == why:
			f.kind = why
		case f.kind == unsaid:
			f.kind = kind(k)
		}
		switch {
		case implied != "" && kind(k) == alert:
			f.severity = implied
		case implied == "pod":
			f.subject = implied // who uses it: pods do
		case implied != "":
			f.extra = append(f.extra, implied)
		}
		if _, both := it.has("agg"); f.kind == lookup && f.counting && both && kind(k) != lookup {
			continue
		}
		it.used = true
	}
	for i := range f.items {
		if _, wrong := f.says(i, "wrong"); wrong && f.kind == alert {
			return f.settle("What should count as wrong? An alert needs what is measured, and from where on it is bad.")
		}
	}
	if f.kind == lookup && f.counting && (f.firstWord("number of") || f.saysAny("will") && f.saysWord("number of")) && !f.measured() && !f.withAny() {
		f.kind = unsaid // "number of pods above 3" is a condition
	}
	return nil
}

// withAny reports whether things are counted that have at least one of something.
func (f *frame) withAny() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { return it.low == "with any" || it.low == "having any" || it.low == "that have any" })
}

// comparesWith reports whether what stands before item i compares with it.
func (f *frame) comparesWith(i int) bool {
	for i--; i >= 0 && f.items[i].low == "the"; i-- {
	}
	_, cmp := at(f.items, i).has("compare")
	_, times := at(f.items, i).has("times")
	return cmp && i > 0 || times
}

// measured reports whether a limit has a unit: it is not one of a count then.
func (f *frame) measured() bool {
	return slices.ContainsFunc(f.items, func(it item) bool {
		return it.number != nil && it.number.isUnit && it.number.unit.dimension != "time" && it.number.unit.dimension != "count"
	})
}

func (f *frame) saysWord(low string) bool {
	return slices.ContainsFunc(f.items, func(it item) bool { return it.low == low })
}

func (f *frame) firstWord(low string) bool { return len(f.items) > 0 && f.items[0].low == low }

// commands reports whether item i stands where an order to do something does.
func (f *frame) commands(i int) bool {
	if next := at(f.items, i+1); len(next.norms) == 1 && len(f.items[i].norms) == 1 && (next.low == "count" || next.low == "rate" || !isPlaceWord(next.norms[0]) && f.words.called(next.norms[0], f.items[i].norms[0])) {
		return false // "scale up failures", "restart count"
	}
	if i == 0 {
		return true
	}
	prev := f.items[i-1]
	_, and := prev.has("and")
	return and || prev.low == "please" || prev.low == "then"
}

// last reports whether item i ends the question, but for when to tell.
func (f *frame) last(i int) bool {
	for _, it := range f.items[i+1:] {
		if _, now := it.has("once"); !now && !it.used && !f.lexicon.stop[it.low] {
			return false
		}
	}
	return true
}

// takeSeverity reads how bad it is, where a word says it that means nothing else.
func (f *frame) takeSeverity() {
	for i := range f.items {
		it := &f.items[i]
		v, ok := it.has("severity")
		if !ok || it.used || f.isState(i) {
			continue
		}
		if it.low == "page" && !f.last(i) {
			continue // "page faults"; only at the end it is an order
		}
		f.severity, it.used = v, true
		if p := at(f.items, i-1); p.low == "=" || p.low == "==" {
			f.use(i - 1) // "... = critical"
		}
	}
}
