package grammar

import (
	"math/bits"
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// A named measure is one phrase by which a measure is known.
type named struct {
	id    catalog.ID
	words []string // as a set, in the words of the catalog
	rank  int      // of the phrase among the measure's own

	weights []float64 // of words
}

// A vocabulary is what a catalog's measures are called.
type vocabulary struct {
	names  []named
	known  map[string]bool  // every word in them
	byWord map[string][]int // of names, those that have it
	byLen  map[int][]string // known words by their length
	brands map[string]bool  // the first words of metrics' own names, such as vllm
}

var builtinVocabulary = sync.OnceValue(func() *vocabulary { return makeVocabulary(catalog.Builtin()) })

func vocabularyOf(c *catalog.Catalog) *vocabulary {
	if c == catalog.Builtin() {
		return builtinVocabulary()
	}
	return makeVocabulary(c)
}

func makeVocabulary(c *catalog.Catalog) *vocabulary {
	v := &vocabulary{known: map[string]bool{}, byWord: map[string][]int{}, byLen: map[int][]string{}, brands: map[string]bool{}}
	add := func(m catalog.Metric) {
		for rank, words := range m.Words {
			n := named{id: m.ID, words: catalogWords(words), rank: rank}
			for _, w := range n.words {
				if !v.known[w] {
					v.byLen[len(w)] = append(v.byLen[len(w)], w)
				}
				v.known[w] = true
				v.byWord[w] = append(v.byWord[w], len(v.names))
			}
			v.names = append(v.names, n)
		}
	}
	for _, m := range c.All() {
		for _, b := range []string{brandOf(m.ID), strings.ToLower(m.Exporter)} {
			if !isPlaceWord(b) && !english().words[b] {
				v.brands[b] = true
			}
		}
		if len(m.Words) == 0 && m.Exporter == catalog.Discovered {
			m.Words = []string{strings.NewReplacer("_", " ", ":", " ").Replace(string(m.ID))}
		}
		add(m)
	}
	for _, d := range c.AllDerived() {
		add(d.Metric)
	}
	for i := range v.names {
		n := &v.names[i]
		n.weights = make([]float64, len(n.words))
		for k, w := range n.words {
			n.weights[k] = v.weight(w)
		}
	}
	return v
}

// catalogWords brings a catalog's phrase into the same form as a question's words.
func catalogWords(s string) []string {
	var ts []token
	for _, w := range strings.Fields(s) {
		ts = append(ts, token{raw: w})
	}
	var out []string
	for i := 0; i < len(ts); {
		n, norms := 1, []string{singular(strings.ToLower(ts[i].raw))}
		for _, p := range english().phrases[strings.ToLower(ts[i].raw)] {
			if p.role == "word" && startsWith(ts[i:], p.words) {
				n = len(p.words)
				norms = english().norms(item{roles: []phrase{p}})
				break
			}
		}
		if n > 1 || !english().stop[strings.ToLower(ts[i].raw)] {
			out = append(out, norms...)
		}
		i += n
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// having returns the names that have all of words.
func (v *vocabulary) having(words []string) []named {
	if len(words) == 0 {
		return nil
	}
	rarest := slices.MinFunc(words, func(a, b string) int { return len(v.byWord[a]) - len(v.byWord[b]) })
	var out []named
	for _, i := range v.byWord[rarest] {
		if subset(words, v.names[i].words) {
			out = append(out, v.names[i])
		}
	}
	return out
}

func (v *vocabulary) all(words []string) bool {
	for _, w := range words {
		if !v.known[w] {
			return false
		}
	}
	return len(words) > 0
}

// correct mends the spelling of words that are close to one that is known.
// What may be a name is left as it is.
func (f *frame) correct(ts []token) []token {
	for i := range ts {
		t := &ts[i]
		low := strings.ToLower(t.raw)
		if t.quoted || t.metric || t.sign || t.parts > 0 || len(low) < 4 || nameShape.MatchString(t.raw) || f.isWord(low) {
			continue
		}
		if i > 0 && f.namesFollow(ts[i-1]) || i > 1 && asksWhy(ts[i-2], ts[i-1]) || f.known != nil && f.known(t.raw) != "" {
			continue
		}
		in := i > 0 && strings.EqualFold(ts[i-1].raw, "in")
		best, ok := f.closest(low, in)
		if !ok {
			continue
		}
		f.assume(0.15, "%q is read as %q", t.raw, best)
		t.raw = best
	}
	return ts
}

// isWord reports whether a single word has a meaning in some phrase.
func (f *frame) isWord(low string) bool {
	if f.lexicon.stop[low] || f.words.known[singular(low)] || f.placeWord(low) {
		return true
	}
	if _, ok := f.lexicon.unit(low); ok {
		return true
	}
	return f.lexicon.words[low]
}

func isPlaceWord(low string) bool {
	return slices.ContainsFunc(nlq.Places(), func(p nlq.Place) bool { return slices.Contains(p.Words, low) })
}

func (f *frame) placeWord(low string) bool {
	for _, p := range f.places {
		if slices.Contains(p.Words, singular(low)) {
			return true
		}
	}
	return false
}

// asksWhy reports whether a and b are "why is": the word after them is what is
// asked about, however much it looks like a word misspelt.
func asksWhy(a, b token) bool {
	return strings.EqualFold(a.raw, "why") && (strings.EqualFold(b.raw, "is") || strings.EqualFold(b.raw, "are") || strings.EqualFold(b.raw, "did"))
}

// namesFollow reports whether the word after t may be any name at all.
func (f *frame) namesFollow(t token) bool {
	low := strings.ToLower(t.raw)
	return f.placeWord(low) && low != "gpu" && low != "type" || low == "named" || low == "called" || low == "label" || low == "with" || low == "like" || low == "matching"
}

// closest returns the known word nearest to low: one slip, two in a long word.
// After "in" only the word for a place will do: what else stands there is a name.
func (f *frame) closest(low string, afterIn bool) (string, bool) {
	limit := 1
	if len(low) >= 10 {
		limit = 2
	}
	best, least := "", limit+1
	try := func(w string) {
		if w[0] != low[0] {
			return // hands slip later in a word
		}
		if d := len(w) - len(low); len(low) == 4 && d != 1 || len(w) < 4 || d > limit || -d > limit {
			return
		}
		if d := distance(low, w); d < least || d == least && w < best {
			best, least = w, d
		}
	}
	for _, p := range f.places {
		for _, w := range p.Words {
			try(w)
		}
	}
	if !afterIn {
		for w := range f.lexicon.units {
			try(w)
		}
		for n := len(low) - limit; n <= len(low)+limit; n++ {
			for _, w := range f.words.byLen[n] {
				try(w)
			}
		}
		for w := range f.lexicon.words {
			try(w)
		}
	}
	return best, least <= limit
}

// distance is the number of letters put in, left out, changed or swapped with
// their neighbour between a and b; 4 where they are further apart than anybody
// asks. Every unknown word is compared with thousands: it keeps three rows of
// the table, and none on the heap.
func distance(a, b string) int {
	const far, longest = 4, 40
	if d := len(a) - len(b); d >= far || d <= -far || len(b) >= longest {
		return far
	}
	if bits.OnesCount32(letters(a)^letters(b)) > 2*(far-1) { // a change makes two letters differ at most
		return far
	}
	var rows [3][longest]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, twoAbove := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= far {
			return far
		}
	}
	return min(far, rows[len(a)%3][len(b)])
}

// letters is the set of letters in s, a bit for each.
func letters(s string) (set uint32) {
	for i := range len(s) {
		set |= 1 << (s[i] & 31)
	}
	return set
}

// nearest returns what is understood and has most in common with the question:
// three examples, and the measures whose names share words with it.
func (f *frame) nearest() []string {
	said := map[string]bool{}
	for _, it := range f.items {
		if !f.lexicon.stop[it.low] {
			for _, w := range it.norms {
				said[w] = true
			}
		}
	}
	var out []string
	for _, id := range f.nearMeasures(said) {
		out = append(out, f.title(id))
	}
	examples := slices.Clone(f.lexicon.examples)
	score := func(s string) (n int) {
		for _, w := range exampleWords()[s] {
			if said[w] {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(examples, func(a, b string) int { return score(b) - score(a) })
	return append(examples[:min(3, len(examples))], out...)
}

var exampleWords = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	for _, e := range english().examples {
		m[e] = catalogWords(e)
	}
	return m
})

func (f *frame) nearMeasures(said map[string]bool) []catalog.ID {
	type hit struct {
		id    catalog.ID
		score float64
	}
	var hits []hit
	shared := make([]uint8, len(f.words.names))
	for w := range said {
		for _, i := range f.words.byWord[w] {
			shared[i]++
		}
	}
	for i, common := range shared {
		if common == 0 {
			continue
		}
		n := f.words.names[i]
		if s := float64(common) / float64(len(n.words)); s >= 0.5 {
			hits = append(hits, hit{n.id, s + float64(common)/10})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return strings.Compare(string(a.id), string(b.id))
	})
	var ids []catalog.ID
	for _, h := range hits {
		if !slices.Contains(ids, h.id) && len(ids) < 3 {
			ids = append(ids, h.id)
		}
	}
	return ids
}

// title is a measure's name for people.
func (f *frame) title(id catalog.ID) string {
	m, ok := f.catalog.Measure(id)
	if !ok || len(m.Words) == 0 {
		return string(id)
	}
	return m.Words[0] + " (" + string(id) + ")"
}

func (f *frame) ask(question string, choices ...string) error {
	if len(choices) == 0 {
		choices = f.nearest()
	}
	return &nlq.NotUnderstood{Ask: question, Nearest: choices}
}

// settle asks what must be said, whoever reads the question.
func (f *frame) settle(question string, choices ...string) error {
	err := f.ask(question, choices...).(*nlq.NotUnderstood)
	err.Sure = true
	return err
}
