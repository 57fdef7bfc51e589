package prose

import (
	"slices"
	"strings"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// A brand is the software whose metrics begin with a word.
type brand struct {
	plain bool     // every cluster has it: it goes without saying
	words []string // what people call it
}

// How much likelier a metric is of the software that a text names, and how
// much less so where the text names other software, or none, and it is not one
// that every cluster has.
const (
	named   = 1.5
	another = 0.5
	unnamed = 0.85
)

// brandSuits is how well the software that m is of goes with the text.
func (r *reading) brandSuits(m catalog.Metric) float64 {
	first := index.Name(string(m.ID))[0]
	switch b := r.lexicon.brands[first]; {
	case r.names(first):
		return named
	case b.plain:
		return 1
	case r.namesBrand():
		return another
	}
	return unnamed
}

// names reports whether the text names the software whose metrics begin with a word.
func (r *reading) names(first string) bool {
	words := []string{first}
	if b, known := r.lexicon.brands[first]; known {
		words = b.words
	}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(r.text, " "+w+" ") })
}

// namesBrand reports whether the text names any software that not every
// cluster has.
func (r *reading) namesBrand() bool {
	return slices.ContainsFunc(strings.Fields(r.text), func(w string) bool { return r.index.Brand(w) && !r.lexicon.brands[w].plain })
}
