package prose

import (
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// valueOf returns the matchers of the states that the text speaks of and m's
// series tell apart by a label. It reports whether the text says "not".
func (r *reading) valueOf(m catalog.Metric) (found []nlq.Matcher, negated string) {
	if len(r.spoken) == 0 {
		return nil, ""
	}
	var taken map[string]string // by label, what says its value
	for _, v := range r.spoken {
		if !v.Of(m.ID) {
			continue
		}
		i := slices.IndexFunc(v.Labels, func(l string) bool { return r.catalog.Takes(m.ID, l) })
		if i < 0 {
			continue
		}
		said := v.said
		if before, ok := taken[v.Labels[i]]; ok {
			r.orElse(found, v.Labels[i], before, v)
			continue
		}
		if r.inName(said, m.ID) || len(v.Metrics) == 0 && r.traits[m.ID].bad && m.Type == catalog.Counter {
			continue
		}
		if taken == nil {
			taken = map[string]string{} // seldom: most metrics have no such label
		}
		taken[v.Labels[i]] = said
		found = append(found, nlq.Matcher{Label: v.Labels[i], Op: v.Op, Value: v.Value})
		if v.Labels[i] != "condition" || !r.catalog.Takes(m.ID, "status") {
			continue
		}
		status := "true"
		if slices.ContainsFunc([]string{"not", "non", "un"}, func(no string) bool { return strings.HasPrefix(said, no) }) {
			negated = v.Negated
		}
		if negated == "false" {
			status = "false"
		}
		found = append(found, nlq.Matcher{Label: "status", Op: "=", Value: status})
	}
	return found, negated
}

// orElse adds the value v of label to those in found where the text says the
// one or the other: ImagePullBackOff or ErrImagePull.
func (r *reading) orElse(found []nlq.Matcher, label, before string, v spoken) {
	if !r.says(before+" or "+v.said) && !r.says(v.said+" or "+before) || v.Op != "=" {
		return
	}
	for i := range found {
		if f := &found[i]; f.Label == label && (f.Op == "=" || f.Op == "=~") && f.Value != v.Value {
			f.Op, f.Value = "=~", f.Value+"|"+v.Value
		}
	}
}

// A spoken is a value of a label with the words by which a text says it.
type spoken struct {
	catalog.LabelValue
	said string
}

// readValues finds the states that the text speaks of.
func (r *reading) readValues() {
	var some []int
	for w := range strings.FieldsSeq(r.text) {
		some = append(some, valuesBegin()[w]...)
	}
	slices.Sort(some)
	for _, i := range slices.Compact(some) {
		v := catalog.LabelValues()[i]
		if said := r.longest(v.Words); said != "" {
			r.spoken = append(r.spoken, spoken{v, said})
		}
	}
}

// valuesBegin returns by the first of the words for them the values of labels,
// as they are numbered in [catalog.LabelValues].
var valuesBegin = sync.OnceValue(func() map[string][]int {
	m := map[string][]int{}
	for i, v := range catalog.LabelValues() {
		for _, words := range v.Words {
			first, _, _ := strings.Cut(words, " ")
			m[first] = append(m[first], i)
		}
	}
	return m
})

// longest returns the longest of words that the text says.
func (r *reading) longest(words []string) (said string) {
	for _, w := range words {
		if len(w) > len(said) && r.says(w) {
			said = w
		}
	}
	return said
}

// says reports whether the text has words as they are, one after the other.
func (f *facts) says(words string) bool {
	for at := 0; ; {
		i := strings.Index(f.text[at:], words)
		if i < 0 {
			return false
		}
		at += i
		if at > 0 && f.text[at-1] == ' ' && f.text[at+len(words)] == ' ' { // the text ends with a space
			return true
		}
		at++
	}
}

// inName reports whether the name of a metric says a word itself: its series
// need not be told apart by it.
func (r *reading) inName(said string, id catalog.ID) bool {
	return !slices.ContainsFunc(strings.Fields(said), func(w string) bool { return !slices.Contains(r.traits[id].keys, r.lexicon.Key(w)) })
}

// ofState is a gauge whose series are told apart by the state they are of.
func (r *reading) ofState(m catalog.Metric) (nlq.Term, bool) {
	where, negated := r.valueOf(m)
	if len(where) == 0 || m.Type != catalog.Gauge || isTimestamp(m) {
		return nil, false
	}
	t := r.measure(m.ID)
	t.Where = append(t.Where, where...)
	t.Agg, t.By = r.together(m)
	switch {
	case len(r.conds) > 0:
		return nil, false
	case negated == "zero":
		return nlq.Binary{Op: "==", Left: t, Right: nlq.Number(0)}, true
	}
	return nlq.Binary{Op: ">", Left: t, Right: nlq.Number(0)}, true
}

// byClass reports whether a metric's name says that it counts by class.
func (r *reading) byClass(m catalog.Metric) bool {
	return slices.ContainsFunc(r.index.Parts(m.ID), func(s string) bool { return r.lexicon.Partner(s, "class") })
}

// ofResult is the share that results of one kind have among all.
func (r *reading) ofResult(m catalog.Metric) (nlq.Term, bool) {
	where, _ := r.valueOf(m)
	if len(where) == 0 || m.Type != catalog.Counter || !r.percent() && !r.cues["share"] {
		return nil, false
	}
	whole := r.flow(m.ID).(nlq.Measure)
	whole.Agg, whole.By = nlq.Sum, r.by(m)
	part := whole
	part.Where = append(slices.Clone(whole.Where), where...)
	if p, ok := r.partner(m, "class", "whole"); ok && p.of == m.ID && r.byClass(m) { // what is counted by class has a count of all beside it
		whole.Metric = p.by
	}
	return nlq.Binary{Op: "/", Left: part, Right: whole}, true
}
