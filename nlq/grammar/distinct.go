package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeDistinct reads how many different values of a label there are: more than
// one distinct driver version, how many different kernel versions.
func (f *frame) takeDistinct() {
	for i := range f.items {
		label, n, ok := f.labelAt(i)
		if !ok {
			n, label = 1, f.words.labels[strings.Join(f.items[i].norms, " ")] // images
			ok = label != ""
		}
		if !ok || i == 0 || f.items[i].used {
			continue
		}
		j := i - 1
		if _, words, place := f.place(j); place && words == 1 && j > 0 {
			j-- // container images
		}
		distinct := f.lexicon.sets["distinct"][at(f.items, j).low]
		if distinct {
			j--
		}
		if !distinct && !f.oneOfFew(i+n-1) {
			continue
		}
		op, took := "", span(j+1, i+n)
		limit, given := f.amount(j)
		if v, cmp := f.says(j-1, "compare"); given && !limit.isUnit && cmp && len(v) <= 2 {
			op, took = v, append(took, j-1, j)
		}
		if op == "" && (!distinct || !f.counting) {
			continue
		}
		f.useAll(took...)
		f.distinct, f.counting = label, false
		for _, it := range f.items[i : i+n] {
			f.implied = append(f.implied, it.norms...)
		}
		within := append(f.eachBefore(j), f.takeWithin(i+n)...)
		for k := range f.items {
			if _, n, ok := f.place(k); ok && !f.isName(k+n) {
				for w := range n {
					f.items[k+w].weak = true // nodes run them
				}
			}
		}
		count := func(t nlq.Term, m catalog.Metric) nlq.Term {
			by := f.kept(m, within)
			each := nlq.Group{Agg: nlq.Count, Of: t, By: append(slices.Clone(by), f.ownLabel(m, label))}
			return nlq.Group{Agg: nlq.Count, Of: each, By: by}
		}
		if op == "" {
			f.values = append(f.values, count)
			return
		}
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			return nlq.Binary{Op: op, Left: count(t, m), Right: nlq.Number(limit.value)}
		}
		return
	}
}

// eachBefore returns the places before item i of each of which values are counted: a
// node has GPUs with more than one.
func (f *frame) eachBefore(i int) (places []string) {
	for k := 1; k < i; k++ {
		if p, n, ok := f.place(k); ok && p.Name != "gpu" && f.anyOf(k-1) && !f.named(k, n) {
			places = append(places, p.Name)
			f.useAll(span(k-1, k+n)...)
		}
	}
	return places
}

// oneOfFew reports whether item i is the word for what things have one of, and
// differ in: more than one version of something is more than one value.
func (f *frame) oneOfFew(i int) bool {
	return slices.ContainsFunc(f.items[i].norms, func(w string) bool { return f.lexicon.sets["differs in"][w] })
}

// ofThings returns the words of what has one series for each of the things that
// are told apart by a label, where nothing else is said: the GPUs that there are.
func (f *frame) ofThings() []string {
	for i := range f.items {
		if p, _, ok := f.place(i); ok && f.items[i].weak {
			switch p.Name {
			case "gpu":
				return []string{"gpu", "usage"}
			case "node":
				return []string{"node", "info"}
			case "pod", "container":
				return []string{"pod", "container", "information"}
			}
		}
	}
	if m, _ := f.catalog.Measure("kube_node_info"); f.ownLabel(m, f.distinct) != "" {
		return []string{"node", "info"}
	}
	return []string{"pod", "container", "information"}
}
