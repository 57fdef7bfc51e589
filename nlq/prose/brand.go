package prose

import "strings"

// Brands are the software that a text names: where, by the first word of the
// names of its metrics. Several may share a name.
type brands struct {
	at    map[string]int
	first int  // where one that not every cluster has is named first: what the text is about
	any   bool // any is named that not every cluster has
}

func (r *reading) readBrands() {
	r.brands = brands{at: map[string]int{}, first: len(r.text)}
	for w := range strings.FieldsSeq(r.text) {
		for _, first := range r.lexicon.BrandsBy[w] {
			b := r.lexicon.Brands[first]
			for _, w := range b.Words {
				r.brands.note(r.text, first, w, b.Plain)
			}
		}
		if _, known := r.lexicon.Brands[w]; !known && r.index.Brand(w) {
			r.brands.note(r.text, w, w, false)
		}
	}
	r.brands.qualify(r.text)
}

func (b *brands) note(text, first, word string, plain bool) {
	i := strings.Index(text, " "+word+" ")
	if i < 0 {
		return
	}
	if old, again := b.at[first]; !again || i < old {
		b.at[first] = i
	}
	if !plain {
		b.any, b.first = true, min(b.first, i)
	}
}

// qualify forgets what only stands before the name of other software: the
// Prometheus of Prometheus Alertmanager.
func (b *brands) qualify(text string) {
	for first, i := range b.at {
		_, rest, more := strings.Cut(strings.TrimPrefix(text[i:], " "), " ")
		next := len(text) - len(rest) - 1
		for other, j := range b.at {
			if more && other != first && j == next {
				b.first = max(b.first, j)
			}
		}
	}
}

// names reports whether the text names the software whose metrics begin with
// a word, and whether that is the first that it names.
func (r *reading) names(first string) (named, atFirst bool) {
	i, named := r.brands.at[first]
	return named, named && i == r.brands.first
}
