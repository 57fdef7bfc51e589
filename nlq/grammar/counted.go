package grammar

import (
	"slices"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// countedThings brings a count of things and what is to be so of them into the
// order in which they are read: at least 95 °C on more than three GPUs becomes
// more than three GPUs, whose … at least 95 °C.
func (f *frame) countedThings() {
	for i := 1; i+1 < len(f.items); i++ {
		core := f.items[i+1].low == "core" || f.items[i+1].low == "cpu"
		if n := f.items[i-1].number; n != nil && !n.isUnit && core && (f.items[i].low == "per" || f.items[i].low == "a") {
			f.items = slices.Delete(f.items, i, i+1) // "1.5 per core" is a limit of what goes by the core
		}
	}
	if i, end := f.countAt(0); i >= 0 && i < 3 && at(f.items, end).low == "with" && f.comparesWithin(end+1, len(f.items)) {
		f.items[end] = whose(f.items[end])
		return
	}
	for i := 1; i < len(f.items); i++ {
		start, end := f.countAt(i)
		if start < 0 {
			return
		}
		i = end
		on := at(f.items, start-1).low
		if on != "on" && on != "across" && on != "for" && on != "in" || !f.comparesWithin(0, start-1) {
			continue
		}
		from := 0 // behind what asks to be told
		for from < start-1 {
			_, kind := f.items[from].has("kind")
			if !kind && !f.lexicon.sets["lead"][f.items[from].low] && !f.lexicon.stop[f.items[from].low] {
				break
			}
			from++
		}
		if of, _, place := f.place(end + 1); place && of.Name != "" && (at(f.items, end).low == "of" || at(f.items, end).low == "per") {
			end += 2
		}
		said := slices.Clone(f.items[from : start-1])
		f.items = slices.Concat(f.items[:from], f.items[start:end], []item{whose(item{raw: "whose"})}, said, f.items[end:])
		return
	}
}

// whose is an item that says only that what follows is of what stands before it.
func whose(was item) item { return item{raw: was.raw, low: "whose", norms: []string{"whose"}} }

// countAt finds from item i on a number of things that is compared with: more
// than three cards. It returns -1 where there is none.
func (f *frame) countAt(i int) (start, end int) {
	for ; i+2 < len(f.items); i++ {
		_, cmp := f.items[i].has("compare")
		_, over := f.items[i].has("over")
		n := f.items[i+1].number
		if !cmp && !over || n == nil || n.isUnit || n.value != float64(int(n.value)) {
			continue
		}
		if _, words, ok := f.place(i + 2); ok {
			return i, i + 2 + words
		}
	}
	return -1, -1
}

// comparesWithin reports whether an operator with its limit stands between two items.
func (f *frame) comparesWithin(from, to int) bool {
	for i := from; i < to; i++ {
		if f.comparesAt(i) {
			return true
		}
	}
	return false
}

// takeRequesting reads of pods that they ask for GPUs, which what is measured
// of them need not say: pending pods that request GPUs.
func (f *frame) takeRequesting() {
	for i := range f.items {
		if _, ok := f.says(i, "requests gpus"); !ok {
			continue
		}
		f.use(i)
		f.implied = append(f.implied, "pod")
		f.conds = append(f.conds, func(t nlq.Term, m catalog.Metric) nlq.Term {
			if m.Entity == "gpu" || !m.Has("pod") {
				return t // who holds a GPU asked for it
			}
			asked := nlq.Measure{Metric: "kube_pod_container_resource_requests", Where: []nlq.Matcher{{Label: "resource", Op: "=", Value: "nvidia_com_gpu"}}}
			return nlq.Binary{Op: "and", Left: t, Right: nlq.Binary{Op: ">", Left: asked, Right: nlq.Number(0)}, On: []string{"namespace", "pod"}}
		})
		return
	}
}

// countHappened counts those that it happened to: of pods, which are told by their
// containers, each is one.
func (f *frame) countHappened(ms *nlq.Measure, m catalog.Metric) {
	labels, by := f.labelsOf(m, f.subject), f.kept(m, f.by)
	if f.subject == "" || f.subject == m.Entity || len(labels) == 0 || !subset(by, labels) {
		ms.Only = nlq.Comparison{Op: ">"}
		return
	}
	ms.Agg, ms.By = nlq.Sum, labels
	f.conds = append(f.conds, func(t nlq.Term, _ catalog.Metric) nlq.Term {
		return nlq.Group{Agg: nlq.Count, Of: nlq.Binary{Op: ">", Left: t, Right: nlq.Number(0)}, By: by}
	})
}

// takeTogether reads of what everything is added up: all adapters of a node
// added up, the power of all GPUs of a host together.
func (f *frame) takeTogether() {
	for i := range f.items {
		if f.items[i].low != "all" || f.items[i].used {
			continue
		}
		of := i + 1
		for of < min(len(f.items), i+4) && f.items[of].low != "of" && f.items[of].low != "on" && f.items[of].low != "in" {
			of++
		}
		p, n, ok := f.place(of + 2)
		if !ok || of == i+1 || !f.anyOf(of+1) || p.Name == "gpu" || f.named(of+2, n) {
			continue
		}
		if agg, sum := f.says(of+2+n, "agg"); !sum || agg != string(nlq.Sum) {
			continue
		}
		f.agg = nlq.Sum
		f.by = append(f.by, p.Name)
		for k := i + 1; k < of; k++ {
			f.items[k].weak = true // it may be in what the measure is called
		}
		f.use(i)
		f.useAll(span(of, of+2+n+1)...)
		return
	}
}
