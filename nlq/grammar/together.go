package grammar

import (
	"slices"

	"vedette.dev/nlq"
)

// takeAllOf reads of what all GPUs are put together: averaged over all the GPUs
// of a pod, pods whose power added up over their GPUs.
func (f *frame) takeAllOf() {
	for i := range f.items {
		p, n, ok := f.place(i)
		if !ok || p.Name != "gpu" || i == 0 || f.named(i, n) {
			continue
		}
		all := slices.IndexFunc(f.items[max(0, i-4):i], func(it item) bool { return f.lexicon.sets["put together"][it.low] })
		if all < 0 {
			continue
		}
		of := i + n
		if at(f.items, of).low != "of" && at(f.items, of).low != "on" && at(f.items, of).low != "in" || !f.anyOf(of+1) && at(f.items, of+1).low != "the" {
			continue
		}
		q, m, ok := f.place(of + 2)
		if !ok || q.Name == "gpu" || f.named(of+2, m) {
			continue
		}
		all += max(0, i-4)
		f.agg = nlq.Mean
		if f.lexicon.sets["added up"][f.items[all].low] {
			f.agg = nlq.Sum
		}
		f.by = append(f.by, q.Name)
		f.useAll(span(all, i)...)
		f.useAll(span(of, of+2+m)...)
		for k := range n {
			f.items[i+k].weak = true
		}
		return
	}
}

// takeOneOf reads what makes one of several places the one whose things are put
// together: two GPUs of the same host, all requests for a single model.
func (f *frame) takeOneOf() {
	for i := range f.items {
		p, n, ok := f.place(i)
		before := at(f.items, i-1)
		if ok && p.Name == "gpu" && before.low == "same" && !before.used && f.test != nil {
			f.use(i - 1) // "hotter than the core of the same card": series are compared so anyway
			for k := range n {
				f.items[i+k].weak = true
			}
			continue
		}
		if !ok || p.Name == "gpu" || before.used || f.named(i, n) {
			continue
		}
		switch before.low {
		case "same":
			f.by = append(f.by, p.Name)
		case "one", "single":
			if w := at(f.items, i-2).low; f.kind == lookup || w != "for" && w != "of" && w != "a" && w != "in" {
				continue
			}
			f.each = append(f.each, p.Name)
		default:
			continue
		}
		f.use(i - 1)
		for k := range n {
			f.items[i+k].weak = true
		}
	}
}

// takeAnyLabel reads that any of the values of a label is meant: for any cluster queue.
func (f *frame) takeAnyLabel() {
	for i := range f.items {
		l, n, ok := f.labelAt(i)
		if before := at(f.items, i-1); !ok || n == 1 || before.low != "any" && before.low != "any one" || f.named(i, n) || f.kind == lookup {
			continue
		}
		f.anyLabels = append(f.anyLabels, l)
		for k := range n {
			f.items[i+k].weak = true
		}
	}
}

// inside reports whether a measure is called by the place at item i and the word behind
// it: a queue time is of no queue.
func (f *frame) inside(i, n int) bool {
	p, _, _ := f.place(i)
	next := at(f.items, i+n)
	return !next.used && len(next.roles) == 0 && len(next.norms) == 1 && f.words.called(p.Name, next.norms[0])
}

// takeAnyOne reads the one of several places, whichever it is, whose things are put
// together: a node's average utilization, the mean power of a pod.
func (f *frame) takeAnyOne() {
	if f.kind == lookup || !f.aggregates() || slices.ContainsFunc(f.items, func(it item) bool { return slices.Contains([]string{"max", "maximum", "min", "minimum"}, it.low) }) {
		return // "an HPA at its max replicas" is at what metrics call so
	}
	for i := range f.items {
		p, n, ok := f.place(i)
		before := i - 1
		for k := 0; k < 2 && before > 0 && len(f.items[before].roles) == 0 && !f.lexicon.stop[f.items[before].low] && f.words.all(f.items[before].norms) && !f.placeWord(f.items[before].low); k++ {
			before-- // "a Ray Serve deployment"
		}
		if a := at(f.items, before).low; !ok || a != "a" && a != "an" || p.Name == "gpu" || f.items[i].used || f.items[i].weak || f.named(i, n) || f.inside(i, n) {
			continue
		}
		f.each = append(f.each, p.Name)
		for k := range n {
			f.items[i+k].weak = true
		}
	}
}
