package grammar

import (
	"regexp"
	"slices"
	"strings"

	"vedette.dev/rules/catalog"
)

// takeLabel reads: with label LABEL VALUE.
func (f *frame) takeLabel(i int) bool {
	if f.items[i].low != "with label" || i+2 >= len(f.items) {
		return false
	}
	f.add(i, filter{label: f.items[i+1].raw, value: f.items[i+2].raw}, i, i+1, i+2)
	return true
}

// takeNamedLabel reads a label by the words of its name: cluster queue gpu-batch.
func (f *frame) takeNamedLabel(i int) bool {
	label, n, ok := f.labelAt(i)
	if i+1 < len(f.items) && renamed.MatchString(f.items[i].raw) && !f.items[i].used && (f.isName(i+1) || f.unknown(i+1)) {
		name, to := f.name(i + 1)
		f.add(i, filter{label: f.items[i].raw, value: name}, span(i, to)...)
		return true
	}
	if !ok || !f.isName(i+n) && at(f.items, i+n).whole == "" && !(n > 1 && i+n < len(f.items) && f.unknown(i+n)) && !f.agentOf(i, i+n) || n == 1 && f.shapeOf(i+n).Name != "" {
		return false
	}
	name, to := f.name(i + n)
	for _, it := range f.items[i : i+n] {
		f.implied = append(f.implied, it.norms...)
	}
	f.add(i, filter{label: label, value: name, must: true}, span(i, to)...)
	return true
}

// takeCalledLabel reads what a label is called like: whose instance begins with infra.
func (f *frame) takeCalledLabel(i int) bool {
	label, n, ok := f.labelAt(i)
	v, called := f.says(i+n, "called")
	if j := i + n + 1; !ok || !called || v != "" || j >= len(f.items) || f.items[j].number != nil {
		return false
	}
	name, to := f.name(i + n + 1)
	if low := f.items[i+n].low; strings.Contains(low, "start") || strings.Contains(low, "begin") {
		name = strings.TrimSuffix(name, "*") + "*"
	}
	f.add(i, filter{label: label, value: name, must: true}, span(i, to)...)
	return true
}

// agentOf reports whether item i is the name of one of what the items from label on
// are, and does something: node pool spot uses …
func (f *frame) agentOf(label, i int) bool {
	it := at(f.items, i)
	if !f.lexicon.sets["having"][at(f.items, i+1).low] || it.used || it.number != nil || len(it.roles) > 0 || f.lexicon.stop[it.low] || len(it.norms) == 0 || pastTense.MatchString(it.low) {
		return false
	}
	called := slices.Clone(it.norms)
	for _, of := range f.items[label:i] {
		called = append(called, of.norms...)
	}
	return len(f.words.having(called)) == 0 // the queue length has a name
}

// renamed is the name of a label that Prometheus has renamed.
var renamed = regexp.MustCompile(`^` + catalog.Renamed + `[a-z_]+$`)
