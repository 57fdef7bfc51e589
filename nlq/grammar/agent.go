package grammar

import "slices"

// takeAgent reads a name that does something at the beginning: bert-large has 100
// pending requests.
func (f *frame) takeAgent() {
	i := f.next(0)
	if i >= len(f.items) || f.items[i].lead || !f.isName(i) || f.shapeOf(i).Name != "" || f.onlyValue(i) {
		return
	}
	name, to := f.name(i)
	verb := to
	if _, whole := f.says(to, "whole"); whole {
		verb++ // "mixtral-8x22b as a whole generates"
	}
	if !f.lexicon.sets["acting"][at(f.items, verb).low] {
		return
	}
	place, known := "pod", ""
	if f.known != nil {
		known = f.known(name)
	}
	if known != "" {
		place = known
	} else {
		f.assume(0.1, "%q is taken for the name of a pod", name)
	}
	f.add(i, filter{place: place, value: name, bare: known == ""}, span(i, to)...)
}

// agent reports whether the "by" before item i says who does it: used by.
func (f *frame) agent(i int) bool {
	return at(f.items, i-1).low == "by" && slices.Contains([]string{"used", "consumed", "held", "burned", "taken", "allocated", "requested", "occupied", "drawn", "owned"}, at(f.items, i-2).low)
}
