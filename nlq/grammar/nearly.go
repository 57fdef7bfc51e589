package grammar

import (
	"math"
	"slices"
	"strings"

	"vedette.dev/rules/catalog"
)

// without returns words without those that drop says and without fillers.
func (f *frame) without(words []string, drop func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return drop(w) || f.filler(w) })
}

// brand reports whether a word says whose metric is meant, such as vllm: what
// it is called may lack it.
func (f *frame) brand(w string) bool { return f.words.brands[w] }

// badState reports whether a word says that something is not as it should be.
func (f *frame) badState(w string) bool { return f.lexicon.is(w, "state") }

// filler reports whether a word adds nothing where no measure is called by it.
func (f *frame) filler(w string) bool {
	return f.lexicon.is(w, "filler")
}

// shorter returns the measure called by less, if it is of the brands in strong,
// and a state where a state was said.
func (f *frame) shorter(less, weak, strong []string) (catalog.Metric, bool) {
	sayable := append(slices.Clone(less), weak...)
	best, found := -1, catalog.Metric{}
	for _, n := range f.words.having(less) {
		m, _ := f.catalog.Measure(n.id)
		if !subset(n.words, sayable) || f.fits(m) != nil || len(n.words) <= best {
			continue
		}
		ok := !slices.ContainsFunc(strong, func(w string) bool {
			return f.brand(w) && !slices.Contains(less, w) && brandOf(n.id) != w && strings.ToLower(m.Exporter) != w || f.badState(w) && !slices.Contains(less, w) && m.Unit != "{bool}"
		})
		if ok {
			best, found = len(n.words), m
		}
	}
	return found, best >= 0
}

// brandOf returns whose metric id is: the first word of its name.
func brandOf(id catalog.ID) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(string(id)), ":", "_"), "_")
	return first
}

// enough is the share, by weight, of what was said that a measure's name must
// cover, and of the name that must have been said, for the measure to be meant
// although words are left over. With less, one in two was wrong on requests of
// our own.
const enough = 0.55

// nearly returns the measure whose name has most in common with what was said,
// words weighing the more the fewer names they are in.
func (f *frame) nearly(strong, weak []string) (catalog.Metric, bool) {
	if known := slices.DeleteFunc(slices.Clone(strong), func(w string) bool { return !f.words.known[w] && !isPlaceWord(w) }); len(known) < len(strong) && !slices.ContainsFunc(known, func(w string) bool { return !isPlaceWord(w) }) {
		if strong = append(known, f.silent()...); len(strong) > len(known) {
			if m, ok := f.shorter(strong, weak, strong); ok {
				f.assume(0.4, "%s is what the unit says", f.title(m.ID))
				return m, true
			}
		}
	}
	said := map[string]bool{}
	total := 0.0
	for _, w := range strong {
		if !said[w] {
			total += f.words.weight(w)
		}
		said[w] = true
	}
	sayable := map[string]bool{}
	for _, w := range weak {
		sayable[w] = true
	}
	seen := map[int]bool{}
	best, score := catalog.Metric{}, 0.0
	for _, w := range strong { // in their order: the first of two as near is taken
		for _, i := range f.words.byWord[w] {
			if seen[i] {
				continue
			}
			seen[i] = true
			n := f.words.names[i]
			covered, named := 0.0, 0.0
			for k, w := range n.words {
				switch {
				case said[w]:
					covered += n.weights[k]
					fallthrough
				case !sayable[w]:
					named += n.weights[k]
				default:
					covered += 0.1 // said, and the measure may do without it
					named += 0.1
				}
			}
			of, in := covered/total, covered/named
			s := math.Sqrt(of * in)
			if of < enough || in < enough || s <= score {
				continue
			}
			m, _ := f.catalog.Measure(n.id)
			if _, derived := f.catalog.Derived(n.id); !derived && !m.Default {
				s *= 0.85 // there only where somebody asked for it
			}
			if s > score && f.fits(m) == nil {
				best, score = m, s
			}
		}
	}
	if score == 0 {
		if m, ok := f.contained(said, sayable); ok {
			f.assume(0.45, "%s is what the words hold", f.title(m.ID))
			return m, true
		}
	}
	if score > 0 {
		f.assume(0.5*(1-min(1, score))+0.1, "%s is what comes nearest", f.title(best.ID))
	}
	return best, score > 0
}

// weight is how much a word tells: more the fewer names have it.
func (v *vocabulary) weight(w string) float64 {
	if len(v.byWord[w]) == 0 {
		return 5 // as much as a word of one name in a hundred: it may be an ornament
	}
	return math.Log(1 + float64(len(v.names))/(1+float64(len(v.byWord[w]))))
}

// contained returns the measure of whose name every word was said, of several
// the one that holds most of them: at least two, for one word is said of
// anything.
func (f *frame) contained(said, sayable map[string]bool) (catalog.Metric, bool) {
	best, score := catalog.Metric{}, 0.0
	for _, i := range f.words.holding(said) {
		n := f.words.names[i]
		own, weight := 0, 0.0
		for k, w := range n.words {
			switch {
			case said[w]:
				own++
				weight += n.weights[k]
			case !sayable[w]:
				own = -len(n.words)
			default:
				own++
			}
		}
		m, _ := f.catalog.Measure(n.id)
		if _, derived := f.catalog.Derived(n.id); !derived && !m.Default {
			weight *= 0.85
		}
		if own >= 2 && weight > score && f.fits(m) == nil {
			best, score = m, weight
		}
	}
	return best, score > 0
}

// holding returns the names that have one of words, in their order.
func (v *vocabulary) holding(words map[string]bool) []int {
	var out []int
	for w := range words {
		out = append(out, v.byWord[w]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
