package grammar

import (
	"slices"
	"strings"
)

// prepositions say the place of a bare name.
var prepositions = map[string]string{"on": "node", "in": "namespace", "of": "pod", "for": "pod", "from": "pod", "outside": "namespace", "except": "namespace", "excluding": "namespace", "ignoring": "namespace", "but ignore the": "pod", "ignore the": "pod", "but ignore": "pod", "apart from": "namespace", "besides": "namespace", "leaving out": "namespace"}

func (it item) preposition() (place string, ok bool) {
	low := it.low
	if strings.HasSuffix(low, " of") {
		low = "of"
	}
	if _, not := it.has("not"); not && (strings.HasSuffix(low, " in") || strings.HasSuffix(low, " on")) {
		low = low[len(low)-2:] // unless in, not on
	}
	place, ok = prepositions[low]
	return place, ok
}

// takePreposition reads: on gpu-03, in prod. What it takes the name for is assumed.
func (f *frame) takePreposition(i int) bool {
	place, ok := f.items[i].preposition()
	if !ok || i+1 >= len(f.items) {
		return false
	}
	from, j := i, i+1
	if strings.HasSuffix(f.items[i].low, " of") {
		from = j // the hit rate of qwen3-32b: "rate of" says more
	}
	if f.items[j].low == "the" && j+1 < len(f.items) {
		j++
	}
	_, not := f.excludes(i)
	if stepShape.MatchString(f.items[j].raw) || !f.isName(j) && !(place != "namespace" && f.unknown(j) && f.serves(j)) && !(place == "namespace" && (f.unknown(j) || f.lexicon.sets["environment"][f.items[j].low] || not && f.listed(j))) || f.shapeOf(j).Name != "" || f.onlyValue(j) || renamed.MatchString(f.items[j].raw) {
		return false
	}
	name, to := f.name(j)
	if _, _, followed := f.place(to); followed && place != "node" {
		return false // "in team-a namespace"
	}
	if _, unit := f.lexicon.units[name]; unit && f.items[i].low == "in" {
		return false // "in ms"
	}
	if p, n, followed := f.place(to); followed && p.Name == place {
		to += n // "on the tc-* nodes"
	} else if strings.Contains(name, "*") && (place == "namespace" && f.items[i].low != "in" || place == "node") {
		place = "pod" // what goes by a pattern is mostly pods
	}
	if k := len(f.filters) - 1; place == "pod" && k >= 0 && f.filters[k].place == "gpu" && f.filters[k].end == i {
		place = "node" // gpu 3 of dgx-a09
	}
	known := ""
	if f.known != nil {
		known = f.known(name)
	}
	switch {
	case known != "":
		place = known
	case !f.isName(j) && place != "namespace":
		place = "model" // inter-token latency on codestral
	case place == "pod":
		f.assume(0.1, "%q is taken for the name of a pod", name)
	default:
		f.assume(0.02, "%q is taken for the name of a %s", name, place)
	}
	f.add(i, filter{place: place, value: name, bare: known == ""}, span(from, to)...)
	return true
}

// serves reports whether the question is about what serves models, so that item i, a
// word that nothing is called by, names one of them; no verb does.
func (f *frame) serves(i int) bool {
	next := at(f.items, i+1)
	_, _, place := f.place(i + 1)
	return !place && !strings.HasSuffix(f.items[i].low, "s") && !strings.HasSuffix(f.items[i].low, "ing") && (i+1 == len(f.items) || f.items[i].ends || next.sign || len(next.roles) > 0 || f.lexicon.stop[next.low]) && slices.ContainsFunc(f.items, func(it item) bool {
		return slices.ContainsFunc(it.norms, func(w string) bool { return f.lexicon.sets["serving"][w] })
	})
}

// alternatives joins a name that was read from item i on with one of the same
// place before it, and goes on to those after it: in prod and staging, H100s
// or A100s.
func (f *frame) alternatives(i int) {
	last := len(f.filters) - 1
	this := &f.filters[last]
	if this.label != "" || this.place == "xid" {
		return
	}
	if last > 0 && f.filters[last-1].place == this.place && (f.filters[last-1].not == this.not || f.filters[last-1].not) && f.onlyJoins(f.filters[last-1].end, i) {
		before := &f.filters[last-1]
		if !slices.ContainsFunc(strings.Split(before.value, "|"), func(v string) bool { return strings.EqualFold(v, this.value) }) {
			before.value += "|" + this.value
		}
		f.useAll(span(before.end, i)...)
		before.end = this.end
		if f.kind == lookup && f.firstWord("compare") && !slices.Contains(f.by, this.place) {
			f.by = append(f.by, this.place)
		}
		f.filters = f.filters[:last]
		this, last = before, last-1
	}
	j := this.end
	if _, or := at(f.items, j).has("and"); !or || j+1 >= len(f.items) || f.shapeOf(j+1).Name != "" {
		return
	}
	if _, _, place := f.place(j + 1); place || !f.isName(j+1) && !(this.place == "namespace" && (f.unknown(j+1) || f.listed(j+1))) {
		return
	}
	name, to := f.name(j + 1)
	if _, _, followed := f.place(to); followed {
		return // "on gpu-03 and train-0 pods"
	}
	this.value += "|" + name
	f.useAll(span(j, to)...)
	this.end = to
	f.alternatives(j + 1)
}

// listed reports whether item i, a word that measures are called by too, is the
// name of a namespace in a list of such names: except dev and test, for 10m.
func (f *frame) listed(i int) bool {
	if !f.onlyName(i, f.placeNamed("namespace")) {
		return false
	}
	next := at(f.items, i+1)
	_, hold := next.has("hold")
	_, kind := next.has("kind")
	_, severity := next.has("severity")
	_, and := next.has("and")
	return i+1 == len(f.items) || f.items[i].ends || hold || kind || severity || and && f.listed(i+2)
}

// onlyJoins reports whether the items from i to to only join two names.
func (f *frame) onlyJoins(i, to int) bool {
	for ; i < to; i++ {
		_, and := f.items[i].has("and")
		_, versus := f.items[i].has("versus")
		if !and && !versus && !slices.Contains([]string{"with", "the", "to", "on", "in", "of"}, f.items[i].low) {
			return false
		}
	}
	return true
}
