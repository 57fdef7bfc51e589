package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeShareOf reads how many of some things a condition must hold for: more
// than half of the GPUs are idle, more than 4 GPUs above 85 °C. The condition
// is what the rest says.
func (f *frame) takeShareOf() {
	for i := range f.items {
		n, ok := f.amount(i)
		if !ok || f.kind == lookup {
			continue
		}
		share := n.unit.dimension == "ratio" && n.isUnit
		if n.isUnit && !share || !share && n.value != float64(int(n.value)) {
			continue
		}
		j, orMore := i+1, ""
		if v, cmp := f.says(j, "compare"); cmp && strings.HasPrefix(f.items[j].low, "or ") && !share {
			orMore = v // three or more GPUs
			j++
		}
		for (share || at(f.items, i+1).low == "of") && j < len(f.items) && slices.Contains([]string{"of", "the", "all", "our", "its", "their"}, f.items[j].low) {
			j++
		}
		var owner []string
		if q, m, ok := f.place(j + 1); ok && at(f.items, j).low == "a" && q.Name != "gpu" && !f.named(j+1, m) {
			if _, _, thing := f.place(j + 1 + m); thing {
				owner, j = []string{q.Name}, j+1+m // "half of a node's GPUs"
			}
		}
		p, words, ok := f.place(j)
		if shaped := f.shape(j); !ok && shaped == "model" { // "half of the H100s"
			p, words, ok = f.placeNamed("gpu"), 0, true
		}
		present := -1
		if k := f.next(f.behindPlace(j + words)); ok && !share {
			_, is := f.says(k, "present")
			if _, none := f.says(k+1, "none"); is && (none || f.vanished) {
				continue // of what is not there, there is nothing to count
			}
			if is {
				present = k
			}
		}
		if next := at(f.items, j+words); ok && share && words > 0 && !next.used && len(next.roles) == 0 && len(next.norms) == 1 && f.words.called(p.Name, next.norms[0]) {
			continue // 90% of the GPU quota is no share of GPUs
		}
		if !ok || share && j == i+1 && f.items[i].low != "half" && !strings.HasSuffix(f.items[i].low, " of") || words > 0 && f.isName(j+words) || present < 0 && !f.conditionAfter(j+words) {
			continue
		}
		op, took := ">=", span(i, j)
		for k := i - 1; k >= 0 && k >= i-2; k-- {
			if v, isCmp := f.says(k, "compare"); isCmp && len(v) <= 2 {
				op, took = v, append(took, k)
			} else if _, over := f.says(k, "over"); over {
				op, took = ">", append(took, k)
			}
		}
		if orMore != "" {
			op = orMore
		}
		if f.items[i].low == "one" && orMore == "" && len(took) == j-i {
			continue // "one card is hotter than its peers": each that is
		}
		f.useAll(took...)
		for k := range words {
			f.items[j+k].weak = true
		}
		f.implied = append(f.implied, p.Name)
		if present >= 0 {
			f.use(present)
			if k := f.next(present + 1); !slices.ContainsFunc(at(f.items, k).norms, func(w string) bool { return f.words.is(w) && !isPlaceWord(w) }) {
				f.extra = append(f.extra, "usage") // which all that are there have
			}
			f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term { return t }
		}
		by := f.takeWithin(j + words)
		if its := at(f.items, j-1).low; its == "its" || its == "their" {
			owner = f.owner(i)
		}
		by = append(by, owner...)
		f.conds = append(f.conds, func(t nlq.Term, m catalog.Metric) nlq.Term {
			labels := f.kept(m, by)
			if _, compares := t.(nlq.Binary); present >= 0 && m.Unit == "{bool}" && !compares {
				t = nlq.Binary{Op: "==", Left: t, Right: nlq.Number(1)} // of those that report that it is so
			}
			count := nlq.Term(nlq.Group{Agg: nlq.Count, Of: t, By: labels})
			limit := n.value
			if share {
				count = nlq.Binary{Op: "/", Left: count, Right: nlq.Group{Agg: nlq.Count, Of: compared(t), By: labels}}
				limit = round(n.value * n.unit.factor)
			}
			return nlq.Binary{Op: op, Left: count, Right: nlq.Number(limit)}
		})
		return
	}
}

// owner takes the place before item i whose things are meant: a host where fewer
// than half of its GPUs are busy. It returns none where nothing of the kind is said.
func (f *frame) owner(i int) []string {
	for k := range i {
		if p, n, ok := f.place(k); ok && p.Name != "gpu" && !f.items[k].used && !f.named(k, n) {
			f.useAll(span(k, k+n)...)
			return []string{p.Name}
		}
	}
	return nil
}

// behindPlace returns the item behind the place where the things before item i
// are, i where none is said: fewer than eight cards on a host report.
func (f *frame) behindPlace(i int) int {
	in := at(f.items, i).low
	if in != "on" && in != "of" && in != "in" {
		return i
	}
	if _, words, ok := f.place(i + 1); ok && f.named(i+1, words) {
		_, to := f.name(i + 1 + words)
		return to // of host gpu-17
	}
	if !f.anyOf(i + 1) {
		return i
	}
	if _, words, ok := f.place(i + 2); ok && !f.named(i+2, words) {
		return i + 2 + words
	}
	return i
}

// takeShareAsked reads which share of things something holds for: what fraction
// of the GPUs is idle.
func (f *frame) takeShareAsked(i int) bool {
	j := i + 1
	for j < len(f.items) && (f.items[j].low == "the" || f.items[j].low == "all" || f.items[j].low == "our") {
		j++
	}
	p, words, ok := f.place(j)
	state := slices.ContainsFunc(f.items[min(j+words, len(f.items)):], func(it item) bool { _, is := it.has("state"); return is })
	if next := at(f.items, j+words); ok && len(next.norms) == 1 && !f.comparesAt(j+words) && f.words.called(p.Name, next.norms[0]) {
		return false // "of the GPU memory" is of no GPUs
	}
	for k := j + words; k < len(f.items); k++ { // "of the pods is ready": a measure is called so
		if be := f.items[k-1].low; ok && (be == "is" || be == "are") && len(f.items[k].norms) == 1 && f.words.called(p.Name, f.items[k].norms[0]) {
			state = true
		}
	}
	if !ok || f.isName(j+words) || f.longerLabel(j, words) || at(f.items, j+words).whole != "" || j+words < len(f.items) && f.unknown(j+words) || !f.conditionAfter(j+words) && !state {
		return false
	}
	for k := range words {
		f.items[j+k].weak = true
	}
	f.implied = append(f.implied, p.Name)
	f.conds = append(f.conds, func(t nlq.Term, m catalog.Metric) nlq.Term {
		labels := f.kept(m, f.by)
		if _, compares := t.(nlq.Binary); !compares && m.Unit == "{bool}" {
			so := 1.0
			if f.badSaid && m.Bad == "low" {
				so = 0
			}
			t = nlq.Binary{Op: "==", Left: t, Right: nlq.Number(so)} // in which state they are
		}
		return nlq.Binary{Op: "/", Left: nlq.Group{Agg: nlq.Count, Of: t, By: labels}, Right: nlq.Group{Agg: nlq.Count, Of: compared(t), By: labels}}
	})
	return true
}

// takeWithin reads in what the things are counted: of a node, on any host, per
// namespace.
func (f *frame) takeWithin(i int) []string {
	var by []string
	for j := i; j < len(f.items); j++ {
		_, det := f.says(j-1, "determiner")
		_, per := f.says(j-1, "by")
		p, n, ok := f.place(j)
		if !ok || p.Name == "gpu" || f.named(j, n) || !det && !per && !slices.Contains([]string{"a", "one", "same", "the same"}, f.items[j-1].low) {
			continue
		}
		by = append(by, p.Name)
		f.useAll(span(j, j+n)...)
		f.use(j - 1)
	}
	return by
}
