package grammar

import (
	"slices"
	"strings"

	"vedette.dev/rules/catalog"
)

// grouped is what was said to group by: the items from from to to, which are
// taken for the place f.by has at by. Where by is negative nothing is called so,
// and how many items it is nobody knows.
type grouped struct{ from, to, by int }

// groupedAs looks for what is measured without the words behind "per" that are
// no place of it, if what is found then has a label by that name: requests per
// ingress host, DNS queries by record type.
func (f *frame) groupedAs() (catalog.Metric, bool) {
	if f.quiet {
		return catalog.Metric{}, false
	}
	for _, g := range f.grouped {
		for to := f.endOfGroup(g); to > g.from && to >= g.to; to-- {
			for from := g.from; from < to; from++ {
				was := *f
				was.items, was.by = slices.Clone(f.items), slices.Clone(f.by)
				was.unheard = true
				if g.by >= 0 {
					was.by = slices.Delete(was.by, g.by, g.by+1)
				}
				for i := g.from; i < to; i++ {
					was.items[i].used = i >= from // what stands before it is part of what is measured: ingress
				}
				m, err := was.lookUp()
				if err != nil {
					continue
				}
				label, ok := was.groupLabel(m, from, to)
				if !ok {
					continue
				}
				was.by = append(was.by, "label "+label)
				was.unheard = f.unheard
				*f = was
				return m, true
			}
		}
	}
	return catalog.Metric{}, false
}

// ownGroups prefers labels of m itself over the places that some words are for
// otherwise: hosts that an ingress serves are no nodes.
func (f *frame) ownGroups(m catalog.Metric) {
	for _, g := range f.grouped {
		word := singular(f.items[g.from].low)
		if g.by < 0 || g.to != g.from+1 || g.by >= len(f.by) || m.Entity == f.by[g.by] || !slices.Contains(m.Labels, word) {
			continue
		}
		if p := f.placeNamed(f.by[g.by]); p.Name != "" && !slices.Contains(p.Labels, word) {
			f.by[g.by] = "label " + word
		}
	}
	for i, it := range f.items {
		p, n, ok := f.place(i)
		if !ok || n != 1 || !it.weak || !slices.Contains(f.each, p.Name) || p.Name == m.Entity {
			continue
		}
		if word := singular(it.low); slices.Contains(m.Labels, word) && !slices.Contains(p.Labels, word) {
			f.each = slices.DeleteFunc(f.each, func(e string) bool { return e == p.Name }) // "of every host"
			f.by = append(f.by, "label "+word)
		}
	}
}

// endOfGroup returns the item behind the words that may say what is grouped by.
func (f *frame) endOfGroup(g grouped) int {
	to := g.to
	for to < min(g.from+3, len(f.items)) && !f.items[to].used && !f.plain(f.items[to]) && f.items[to].number == nil && !f.items[to].sign {
		to++
		if f.items[to-1].ends {
			break
		}
	}
	return to
}

// groupLabel returns the label of m that the items from from to to are the words
// for, or the last of them: the type that a record type is.
func (f *frame) groupLabel(m catalog.Metric, from, to int) (string, bool) {
	for i := from; i < to; i++ {
		if i > from && slices.ContainsFunc(f.items[i-1].norms, func(w string) bool { return f.brand(w) || isPlaceWord(w) }) {
			return "", false
		}
		var said, one []string
		for _, it := range f.items[i:to] {
			said, one = append(said, it.low), append(one, singular(it.low))
		}
		for _, words := range []string{strings.Join(said, " "), strings.Join(one, " "), strings.Join(f.normsOf(i, to), " ")} {
			if slices.Contains(m.Labels, words) {
				return words, true
			}
			if l, ok := f.labelCalled(m, words); ok && f.catalog.Splits(m.ID, l) {
				return l, true
			}
		}
	}
	return "", false
}
