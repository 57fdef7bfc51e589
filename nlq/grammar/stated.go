package grammar

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// mostSaid is how many words a value of a label takes at most: "unable to
// collect metrics".
const mostSaid = 4

// A saying is a value of a label that the items from one to another say.
type saying struct {
	catalog.LabelValue
	words    string
	from, to int
}

// sayings returns the values of labels that unused items say, the longest
// first. Those that a pattern says are read as codes are.
func (f *frame) sayings() []saying {
	var out []saying
	for i := range f.items {
		if f.inName(i) {
			continue // a pool that is called gpu-spot
		}
		words := make([]byte, 0, roomy)
		for to := i; to < min(len(f.items), i+mostSaid) && (!f.items[to].used || to > i && f.after(to+1, "by")); to++ {
			words = bytes.TrimSpace(append(append(words, ' '), f.items[to].low...))
			said := f.words.values[string(words)]
			if len(said) == 0 && to == i {
				said = f.words.values[singular(f.items[i].low)] // "SERVFAILs"
			}
			for _, v := range said {
				out = append(out, saying{v, string(words), i, to + 1})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b saying) int { return len(b.words) - len(a.words) })
	return out
}

// inName reports whether item i is within a hyphenated name: all of its words may
// be known, where the word for what is called so stands before it.
func (f *frame) inName(i int) bool {
	for i > 0 && f.items[i].inside {
		i--
	}
	if f.items[i].whole == "" {
		return false
	}
	called := false
	if i > 0 {
		_, _, place := f.place(i - 1)
		_, _, label := f.labelAt(i - 1)
		called = place || label
	}
	return called || f.isName(i)
}

// sure reports whether the words of s mean nothing but a value: there are
// several, or no measure is called so.
func (f *frame) sure(s saying) bool {
	return strings.Contains(s.words, " ") || !f.words.is(singular(s.words))
}

// onlyValue reports whether item i is a word for a value of a label and for
// nothing else.
func (f *frame) onlyValue(i int) bool {
	return len(f.words.values[f.items[i].low]) > 0 && !f.words.is(singular(f.items[i].low))
}

// stated returns the measure whose series are told apart by a label of which a
// value was said: pods in Pending, applications out of sync. Where
// there are hits by name, it must be one that their names do not say.
func (f *frame) stated(strong, weak []string, hits map[catalog.ID]*named) (catalog.Metric, bool) {
	var best saying
	var found catalog.Metric
	most := 0.0
	said := f.sayings()
	for _, s := range said {
		if most > 0 && (s.from != best.from || s.to != best.to) {
			break // the longest words come first
		}
		if or, _ := f.says(s.from-1, "join"); or == "or" && sameLabel(said, s.from-1) {
			continue // the first says what they are of
		}
		if len(hits) > 0 && (!f.sure(s) || f.namedSo(s, hits)) {
			continue
		}
		rest := slices.Clone(strong)
		for _, it := range f.items[s.from:f.orTo(s, said)] {
			rest = slices.DeleteFunc(rest, func(w string) bool { return slices.Contains(it.norms, w) })
		}
		rest = slices.DeleteFunc(rest, func(w string) bool { return f.filler(w) || f.lexicon.sets["stay"][w] })
		if len(rest) == 0 {
			rest = f.ofNamed()
		}
		if m, score := f.told(s, rest, weak); score > most {
			best, found, most = s, m, score
		}
	}
	if most == 0 {
		return catalog.Metric{}, false
	}
	return f.narrowed(found, best), true
}

// ofNamed returns what the thing is that is spoken of by no more than its name:
// kubelet.service is a unit.
func (f *frame) ofNamed() []string {
	for _, fl := range f.filters {
		if p := f.placeNamed(fl.place); p.Name != "" && p.Name != "node" && p.Within != "in" {
			return []string{p.Name}
		}
	}
	return nil
}

// orTo returns where those of said end that are as good as s.
func (f *frame) orTo(s saying, said []saying) int {
	to := s.to
	for _, next := range said {
		if or, _ := f.says(to, "join"); or == "or" && next.from == to+1 && slices.Equal(next.Labels, s.Labels) {
			to = next.to
		}
	}
	return to
}

// namedSo reports whether one of hits has the words of s in its name.
func (f *frame) namedSo(s saying, hits map[catalog.ID]*named) bool {
	var words []string
	for _, it := range f.items[s.from:s.to] {
		words = append(words, it.norms...)
	}
	for _, n := range hits {
		if subset(words, n.words) {
			return true
		}
	}
	return false
}

// told returns what rest names and s is a value of, and how well: 0 is none. Of facts rest need
// only be about what they are of.
func (f *frame) told(s saying, rest, weak []string) (found catalog.Metric, best float64) {
	said := append(slices.Clone(rest), strings.Fields(s.words)...)
	consider := func(m *catalog.Metric, score float64) {
		if score <= best {
			return
		}
		if _, ok := f.labelOf(*m, s); ok && f.suits(m) {
			best, found = score, *m
		}
	}
	for about := range f.words.about(rest) {
		if !s.Of(about.metric.ID) {
			continue
		}
		score := 0.5 - float64(len(about.words))/1000 // about it, and about little else
		if slices.ContainsFunc(about.names, func(n []string) bool { return subset(n, said) }) {
			score++
		}
		consider(&about.metric, score)
	}
	for n := range f.words.within(rest, weak) {
		if s.Of(n.id) {
			consider(n.metric, 2+float64(len(n.words)))
		}
	}
	return found, best
}

// narrow reads the values of labels of m that no word of what it is called
// says: of the nodepools' usage, that of CPU. It returns m as what they make of it.
func (f *frame) narrow(m catalog.Metric) catalog.Metric { return f.narrowBy(m, 0, len(f.items)) }

// narrowBy reads the values of labels of m that items from one to another say.
func (f *frame) narrowBy(m catalog.Metric, from, to int) catalog.Metric {
	called := func(w string) bool { return len(m.Words) > 0 && f.words.says(m.ID, w) }
	taken := map[string]bool{}
	for _, fl := range f.filters {
		taken[fl.label] = true
	}
	for _, s := range f.sayings() {
		label, ok := f.labelOf(m, s)
		if d, derived := f.catalog.Derived(m.ID); !ok && derived && f.of(s, m) && len(s.Metrics) > 0 && strings.Contains(s.words, " ") {
			if strings.Contains(d.Expr, s.Labels[0]+"=") && !strings.Contains(d.Expr, `"`+s.Value+`"`) {
				f.fixed = s.words
			}
		}
		if !ok || taken[label] || !f.of(s, m) || f.items[s.from].used || len(s.Metrics) == 0 || s.from < from || s.to > to {
			continue
		}
		if slices.ContainsFunc(f.items[s.from:s.to], func(it item) bool {
			return it.weak || len(it.norms) == 0 || slices.ContainsFunc(it.norms, called)
		}) {
			continue
		}
		taken[label] = true
		m = f.narrowed(m, s)
	}
	return m
}

// of reports whether s is a value of a label of m, or of what m is derived from.
func (f *frame) of(s saying, m catalog.Metric) bool {
	d, derived := f.catalog.Derived(m.ID)
	return s.Of(m.ID) || derived && slices.ContainsFunc(s.Metrics, func(begin string) bool { return strings.Contains(d.Expr, begin) })
}

// labelOf returns the label of m that s is a value of.
func (f *frame) labelOf(m catalog.Metric, s saying) (string, bool) {
	for _, l := range s.Labels {
		own := func(v catalog.LabelValue) bool { // each exporter writes a resource in its own way
			return len(v.Metrics) > 0 && slices.Contains(v.Labels, l) && f.of(saying{LabelValue: v}, m)
		}
		if f.catalog.Takes(m.ID, l) && !(len(s.Metrics) == 0 && slices.ContainsFunc(f.words.values[s.words], own)) {
			return l, true
		}
	}
	return "", false
}

// narrowed returns m as the state that s makes of it, and takes what says so.
func (f *frame) narrowed(m catalog.Metric, s saying) catalog.Metric {
	f.useAll(span(s.from, s.to)...)
	label, _ := f.labelOf(m, s)
	value := s.Value
	for _, or := range f.orElse(s, label, m) {
		value += "|" + or
	}
	no := strings.HasPrefix(s.words, "not") || strings.HasPrefix(s.words, "un") || strings.HasPrefix(s.words, "non")
	if is := (filter{label: label, value: value, not: s.Op[0] == '!', end: s.to}); no {
		f.filters = append(f.filters, is) // the "not" is part of what was said
	} else {
		f.add(s.from, is)
	}
	if m.Unit != "{bool}" {
		if m.Bad == "" && m.Type == catalog.Gauge && f.kind != lookup {
			m.Bad = "high" // it is asked for
		}
		return m
	}
	f.badSaid, m.Bad = true, "high"
	if no && s.Negated == "zero" {
		m.Bad = "low"
	}
	if label == "condition" && f.catalog.Takes(m.ID, "status") {
		status := "true"
		if no && s.Negated == "false" {
			status = "false"
		}
		f.add(s.from, filter{label: "status", value: status})
	}
	return m
}

// orElse returns the values of label that are said to be as good as s: "ErrImagePull
// or ImagePullBackOff".
func (f *frame) orElse(s saying, label string, m catalog.Metric) (values []string) {
	to := s.to
	for _, next := range f.sayings() {
		if or, _ := f.says(to, "join"); or != "or" || next.from != to+1 || next.Op != s.Op || !next.Of(m.ID) || !slices.Contains(next.Labels, label) || next.Value == s.Value {
			continue
		}
		f.useAll(span(to, next.to)...)
		to = next.to
		values = append(values, next.Value)
	}
	return values
}

// A fact is a metric whose series are told apart by what is so: 1 for the phase
// of a pod that it is in, or how many workloads are inadmissible.
type fact struct {
	metric catalog.Metric
	names  [][]string
	words  map[string]bool
}

// about yields the facts that are about what all of words say, of which there must be some.
func (v *vocabulary) about(words []string) iter.Seq[*fact] {
	return func(yield func(*fact) bool) {
		if len(words) == 0 {
			return
		}
		for _, i := range v.factsOn[words[0]] {
			t := &v.facts[i]
			if !slices.ContainsFunc(words[1:], func(w string) bool { return !t.words[w] }) && !yield(t) {
				return
			}
		}
	}
}

// factsOf returns the facts of a catalog whose labels have values with words.
func factsOf(c *catalog.Catalog, values []catalog.LabelValue) []fact {
	var out []fact
	for _, m := range c.All() {
		if m.Type != catalog.Gauge || !slices.ContainsFunc(values, func(v catalog.LabelValue) bool {
			return v.Of(m.ID) && (m.Unit == "{bool}" || len(v.Metrics) > 0) && slices.ContainsFunc(v.Labels, m.Has)
		}) {
			continue
		}
		t := fact{metric: m, words: map[string]bool{m.Entity: true, brandOf(m.ID): true}}
		for _, words := range m.Words {
			n := catalogWords(words)
			t.names = append(t.names, n)
			for _, w := range n {
				t.words[w] = true
			}
		}
		for _, p := range nlq.Places() {
			if slices.ContainsFunc(p.Labels, m.Has) {
				t.words[p.Name] = true
			}
		}
		out = append(out, t)
	}
	return out
}
