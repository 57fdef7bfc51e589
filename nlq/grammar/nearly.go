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

// maker reports whether a word is one of several that say what exposes a metric.
func (f *frame) maker(w string) bool { return f.words.makers[w] }

// badState reports whether a word says that something is not as it should be.
func (f *frame) badState(w string) bool { return f.lexicon.is(w, "state") }

// filler reports whether a word adds nothing where no measure is called by it.
func (f *frame) filler(w string) bool {
	return f.lexicon.is(w, "filler")
}

// shorter returns the measure called by less, if it is of the brands in strong,
// and a state where a state was said.
func (f *frame) shorter(less, weak, strong []string) (catalog.Metric, bool) {
	best, found := -1, catalog.Metric{}
	share := f.shareSaid()
	for n := range f.words.within(less, weak) {
		closer := len(n.words) > best || share && len(n.words) == best && n.derived && f.dimension(n.metric.Unit) == "ratio" && f.dimension(found.Unit) != "ratio"
		if !closer || !f.suits(n.metric) {
			continue
		}
		ok := !slices.ContainsFunc(strong, func(w string) bool {
			if slices.Contains(less, w) || brandOf(n.id) == w || slices.Contains(makersOf(*n.metric), w) {
				return false
			}
			return f.brand(w) || f.maker(w) || f.badState(w) && n.metric.Unit != "{bool}"
		})
		if ok {
			best, found = len(n.words), *n.metric
		}
	}
	return found, best >= 0
}

// byUnit returns what strong names together with what the limit's unit says: an
// NVSwitch over 85 °C.
func (f *frame) byUnit(strong, weak []string) (catalog.Metric, bool) {
	unit := f.silent()
	if len(unit) == 0 || unit[0] == "usage" || slices.Contains(strong, unit[0]) {
		return catalog.Metric{}, false
	}
	m, ok := f.shorter(append(slices.Clone(strong), unit...), weak, strong)
	if ok {
		f.assume(0.1, "%s is what the unit says", f.title(m.ID))
	}
	return m, ok
}

// failures returns what counts the failures of what strong says to be failing:
// "failing rule evaluations".
func (f *frame) failures(strong, weak []string) (catalog.Metric, bool) {
	less := f.without(strong, f.badState)
	if len(less) == len(strong) || len(less) == 0 {
		return catalog.Metric{}, false
	}
	for _, what := range [][]string{less, f.without(less, f.brand)} {
		for _, w := range []string{"failure", "failed", "error"} {
			if m, ok := f.shorter(append(slices.Clone(what), w), weak, strong); ok && m.Type == catalog.Counter && len(what) > 0 {
				return m, true
			}
		}
	}
	return catalog.Metric{}, false
}

// brandOf returns whose metric id is: the first word of its name.
func brandOf(id catalog.ID) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(string(id)), ":", "_"), "_")
	return singular(first) // as the words of a question are
}

// ofAnother reports whether the measure id is of other software than words name.
func (f *frame) ofAnother(id catalog.ID, words []string) bool {
	of := brandOf(id)
	m, _ := f.catalog.Measure(id)
	if slices.ContainsFunc(makersOf(m), func(w string) bool { return slices.Contains(words, w) }) {
		return false
	}
	return f.brand(of) && !slices.Contains(words, of) && slices.ContainsFunc(words, func(w string) bool {
		return w != of && f.brand(w) && f.lexicon.sets["software"][w]
	})
}

// enough is the share, by weight, of what was said that a measure's name must
// cover, and of the name that must have been said, for the measure to be meant
// although words are left over. With less, one in two was wrong on requests of
// our own.
const enough = 0.55

// nearly returns the measure whose name has most in common with what was said,
// words weighing the more the fewer names they are in.
func (f *frame) nearly(strong, weak []string) (catalog.Metric, bool, error) {
	if known := slices.DeleteFunc(slices.Clone(strong), func(w string) bool { return !f.words.is(w) && !isPlaceWord(w) }); len(known) < len(strong) && !slices.ContainsFunc(known, func(w string) bool { return !isPlaceWord(w) }) {
		if strong = append(known, f.silent()...); len(strong) > len(known) {
			if m, ok := f.shorter(strong, weak, strong); ok {
				f.assume(0.4, "%s is what the unit says", f.title(m.ID))
				return m, true, nil
			}
		}
	}
	if slices.ContainsFunc(f.items, func(it item) bool {
		_, gone := it.has("absent")
		return gone && !it.used && !it.weak && !slices.ContainsFunc(strings.Fields(it.low), func(w string) bool { return f.words.is(w) && !f.lexicon.stop[w] })
	}) {
		return catalog.Metric{}, false, nil // what is no longer there has no value
	}
	total := 0.0
	for i, w := range strong { // sorted
		id, ok := f.words.known[w]
		switch {
		case i > 0 && strong[i-1] == w:
		case ok:
			total += f.words.weight[id]
		default:
			total += unheard
		}
	}
	words, _ := f.words.ids(strong)
	sayable, _ := f.words.ids(weak)
	said, maySay := f.words.set(words), f.words.set(sayable)
	gpuSaid := -1
	if id, ok := f.words.known["gpu"]; ok && slices.Contains(strong, "gpu") {
		gpuSaid = int(id)
	}
	best, score, covered := catalog.Metric{}, 0.0, []string(nil)
	share := f.shareSaid()
	found := turn{} // of two as near the first is taken, as words find them
	f.words.tally(f.words.telling(words, enough*total), every, func(i, _ int) {
		n := &f.words.names[i]
		shared, named := 0.0, 0.0
		for _, w := range n.ids {
			switch {
			case said[w]:
				shared += f.words.weight[w]
				named += f.words.weight[w]
			case !maySay[w]:
				named += f.words.weight[w]
			default:
				shared += 0.1 // said, and the measure may do without it
				named += 0.1
			}
		}
		of, in := shared/total, shared/named
		if gpuSaid >= 0 && n.metric.Entity == "gpu" && !slices.Contains(n.ids, wordID(gpuSaid)) {
			of += f.words.weight[gpuSaid] / total // what is of GPUs need not be called so
		}
		s := math.Sqrt(of * in)
		if of < enough || in < enough || s < score {
			return
		}
		if f.ofAnother(n.id, strong) || f.leftOf(n.metric, n.words, strong) {
			return
		}
		if !n.derived && !n.metric.Default {
			s *= 0.85 // there only where somebody asked for it
		}
		if f.otherGPU(n) {
			s *= 0.7
		}
		if slices.ContainsFunc(n.words, func(w string) bool {
			return (f.brand(w) || f.maker(w)) && !slices.Contains(strong, w) && !slices.Contains(weak, w)
		}) {
			s *= 0.8 // whose it is goes without saying only where one thing has it
		}
		at := turn{slices.IndexFunc(words, func(w wordID) bool { return slices.Contains(n.ids, w) }), i}
		if share && n.derived && f.dimension(n.metric.Unit) == "ratio" {
			s *= 1.01 // of those as near
		}
		if (s > score || s == score && at.before(found)) && f.suits(n.metric) {
			best, score, covered, found = *n.metric, s, n.words, at
		}
	})
	if score == 0 {
		if m, own, ok := f.contained(words, signatureOf(sayable), said, maySay); ok {
			if err := f.dropped(own); err != nil {
				return catalog.Metric{}, false, err
			}
			if f.aboutOther(own, strong) || f.limitsShare() && f.leftOf(&m, own, strong) {
				return catalog.Metric{}, false, nil
			}
			f.assume(0.45, "%s is what the words hold", f.title(m.ID))
			return m, true, nil
		}
	}
	if score > 0 {
		if err := f.dropped(covered); err != nil {
			return catalog.Metric{}, false, err
		}
		f.assume(0.5*(1-min(1, score))+0.1, "%s is what comes nearest", f.title(best.ID))
	}
	return best, score > 0, nil
}

// leftOf reports whether strong speaks of what is left, and m, which goes by own, tells
// what is used.
func (f *frame) leftOf(m *catalog.Metric, own, strong []string) bool {
	return m.Bad == "high" && slices.ContainsFunc(strong, func(w string) bool { return f.lexicon.sets["remaining"][w] && !slices.Contains(own, w) })
}

// A turn is when a name is found: by which of the words said, and where among all.
type turn struct{ word, at int }

func (a turn) before(b turn) bool {
	return a.word < b.word || a.word == b.word && a.at < b.at
}

// telling returns words without those that are in so many names that all of them
// together do not weigh least: what has none but these need not be looked at.
func (v *vocabulary) telling(words []wordID, least float64) []wordID {
	const beside = 2 // more than what a name has beside what was said counts for
	out := slices.Clone(words)
	slices.SortFunc(out, func(a, b wordID) int { return len(v.byWord[b]) - len(v.byWord[a]) })
	weight, n := float64(beside), 0
	for n < len(out) && weight+v.weight[out[n]] < least {
		weight += v.weight[out[n]]
		n++
	}
	return out[n:]
}

// aboutOther reports whether a word that the measure is not called by says that
// something else is meant: GPU usage is not the usage of a GPU quota.
func (f *frame) aboutOther(own, strong []string) bool {
	return slices.ContainsFunc(strong, func(w string) bool { return f.lexicon.sets["another thing"][w] && !slices.Contains(own, w) })
}

// unheard is how much a word weighs that no measure is called by: as much as
// one of one name in a hundred, for it may be an ornament.
const unheard = 5

// contained returns the measure of whose name every word was said, of several
// the one that holds most of them: at least two, for one word is said of
// anything.
func (f *frame) contained(words []wordID, sayable signature, said, maySay []bool) (best catalog.Metric, name []string, ok bool) {
	score := 0.0
	first := 0 // name of those that say as much, which is taken
	f.words.tally(words, signatureOf(words)|sayable, func(i, _ int) {
		n := &f.words.names[i]
		weight := 0.0
		for _, w := range n.ids {
			switch {
			case said[w]:
				weight += f.words.weight[w]
			case !maySay[w]:
				return
			}
		}
		if len(n.ids) < 2 || weight < score {
			return
		}
		if !n.derived && !n.metric.Default {
			weight *= 0.85
		}
		if f.otherGPU(n) {
			weight *= 0.7
		}
		if (weight > score || weight == score && i < first) && f.suits(n.metric) {
			best, name, score, first = *n.metric, n.words, weight, i
		}
	})
	return best, name, score > 0
}
