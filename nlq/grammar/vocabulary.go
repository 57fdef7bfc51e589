package grammar

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// A named measure is one phrase by which a measure is known.
type named struct {
	id      catalog.ID
	metric  *catalog.Metric
	derived bool
	words   []string // as a set, in the words of the catalog
	ids     []wordID // of words
	rank    int      // of the phrase among the measure's own
}

// A spelling is what a word and one that is a slip of it have in common, or nearly so.
type spelling struct {
	first byte
	long  int
}

// A wordID numbers the words of a vocabulary, so that sets of them are slices.
type wordID int32

// A vocabulary is what a catalog's measures are called.
type vocabulary struct {
	twins       map[string][]twin
	names       []named
	at          map[catalog.ID][2]int           // where in names those of a measure begin and end
	known       map[string]wordID               // every word in them
	byWord      [][]int32                       // by word, the names that have it, in their order
	signed      []signature                     // by name
	family      map[string][]int32              // by the first word of the names of metrics themselves, names
	weight      []float64                       // by word, how much it tells: more the fewer names have it
	spelt       map[spelling][]string           // the words in them, of the lexicon and of units
	brands      map[string]bool                 // the first words of metrics' own names, such as vllm
	makers      map[string]bool                 // the words of exporters' names that have several: cluster autoscaler
	labels      map[string]string               // by the words of its name, a label that no place goes by
	exactly     map[string]bool                 // labels whose names no word looks like: destination_service
	joined      map[string]string               // labels whose names have several words, by these in one: clusterqueue
	named       map[string]string               // labels, as words
	labelsBegin map[string]bool                 // the words that keys of both begin with
	values      map[string][]catalog.LabelValue // by what people say for them
	states      map[string][]catalog.State      // by what people say for them
	facts       []fact
	factsOn     map[string][]int // by word, the facts that it is about
	tallies     sync.Pool        // of *tally
}

var builtinVocabulary = sync.OnceValue(func() *vocabulary { return makeVocabulary(catalog.Builtin()) })

func vocabularyOf(c *catalog.Catalog) *vocabulary {
	if c == catalog.Builtin() {
		return builtinVocabulary()
	}
	return makeVocabulary(c)
}

// withTraffic returns what m is called by, which counts what is received or sent, with
// what may be said as well: traffic, data.
func withTraffic(m *catalog.Metric, called []string) []string {
	if !strings.Contains(string(m.Unit), "By") {
		return called
	}
	for _, c := range called {
		if words := catalogWords(c); slices.ContainsFunc(words, isWay) && !slices.Contains(words, "traffic") && !slices.Contains(words, "data") {
			called = append(slices.Clip(called), c+" traffic", c+" data")
		}
	}
	return called
}

// isWay reports whether a word says one of the two ways that data goes.
func isWay(w string) bool { return w == "received" || w == "sent" }

func makeVocabulary(c *catalog.Catalog) *vocabulary {
	v := &vocabulary{at: map[catalog.ID][2]int{}, known: map[string]wordID{}, family: map[string][]int32{}, spelt: map[spelling][]string{}, brands: map[string]bool{}, makers: map[string]bool{}}
	add := func(m *catalog.Metric, called []string, derived bool) {
		called = withTraffic(m, called)
		v.at[m.ID] = [2]int{len(v.names), len(v.names) + len(called)}
		for rank, words := range called {
			n := named{id: m.ID, metric: m, derived: derived, words: catalogWords(words), rank: rank}
			for _, w := range n.words {
				id, ok := v.known[w]
				if !ok {
					id = wordID(len(v.byWord))
					v.known[w] = id
					v.byWord = append(v.byWord, nil)
				}
				n.ids = append(n.ids, id)
				v.byWord[id] = append(v.byWord[id], int32(len(v.names)))
			}
			if first, _ := firstWord(string(m.ID)); !derived {
				v.family[first] = append(v.family[first], int32(len(v.names)))
			}
			v.names = append(v.names, n)
			v.signed = append(v.signed, signatureOf(n.ids))
		}
	}
	for i, m := range c.All() {
		for _, b := range []string{brandOf(m.ID), strings.ToLower(m.Exporter)} {
			if !isPlaceWord(b) && !english().words[b] {
				v.brands[b] = true
			}
		}
		if of := makersOf(m); len(of) > 1 {
			for _, w := range of {
				if !isPlaceWord(w) && !english().words[w] {
					v.makers[w] = true
				}
			}
		}
		if len(m.Words) == 0 && m.Exporter == catalog.Discovered {
			m.Words = []string{strings.NewReplacer("_", " ", ":", " ").Replace(string(m.ID))}
		}
		add(&c.All()[i], m.Words, false)
	}
	for i, d := range c.AllDerived() {
		add(&c.AllDerived()[i].Metric, d.Words, true)
	}
	for w, many := range v.common() {
		if many {
			delete(v.brands, w)
		}
	}
	v.labels, v.exactly, v.joined, v.named = labelWords(c), map[string]bool{}, map[string]string{}, map[string]string{}
	for _, m := range c.All() {
		for _, l := range m.Labels {
			if _, seen := v.named[l]; !seen {
				v.exactly[l], v.named[l] = strings.Contains(l, "_"), labelName(l)
			}
		}
	}
	for words, l := range v.labels {
		if one := strings.ReplaceAll(words, " ", ""); one != words && v.labels[one] == "" {
			v.joined[one] = l
		}
	}
	v.labelsBegin = map[string]bool{}
	for _, labels := range []map[string]string{v.labels, v.joined} {
		for words := range labels {
			first, _, _ := strings.Cut(words, " ")
			v.labelsBegin[first] = true
		}
	}
	v.values = map[string][]catalog.LabelValue{}
	for _, l := range catalog.LabelValues() {
		if strings.HasSuffix(l.Op, "~") && strings.ContainsAny(l.Value, ".*") {
			continue // a pattern: codes
		}
		for _, w := range l.Words {
			v.values[w] = append(v.values[w], l)
		}
	}
	v.twins = twinsOf(c)
	v.states = statesOf(catalog.States())
	for _, words := range []iter.Seq[string]{maps.Keys(v.known), maps.Keys(english().words), maps.Keys(english().units)} {
		for w := range words {
			if w != "" {
				as := spelling{w[0], len(w)}
				v.spelt[as] = append(v.spelt[as], w)
			}
		}
	}
	v.facts, v.factsOn = factsOf(c, catalog.LabelValues()), map[string][]int{}
	for i, t := range v.facts {
		for w := range t.words {
			v.factsOn[w] = append(v.factsOn[w], i)
		}
	}
	v.weight = make([]float64, len(v.byWord))
	for id, names := range v.byWord {
		v.weight[id] = math.Log(1 + float64(len(v.names))/(1+float64(len(names))))
	}
	v.tallies.New = func() any { return &tally{shared: make([]uint8, len(v.names))} }
	return v
}

// makersOf returns the words of what exposes m, as the words of a question are.
func makersOf(m catalog.Metric) []string {
	of := strings.Fields(strings.ToLower(m.Exporter))
	for i, w := range of {
		of[i] = singular(strings.TrimSuffix(strings.TrimSuffix(w, "_exporter"), "-exporter"))
	}
	return of
}

// catalogWords brings a catalog's phrase into the same form as a question's words.
func catalogWords(s string) []string {
	l, said := english(), strings.Fields(strings.ToLower(s))
	out := make([]string, 0, len(said))
	for i := 0; i < len(said); {
		n, at := 1, slices.IndexFunc(l.phrases[said[i]], func(p phrase) bool { return p.role == "word" && begins(said[i:], p.words) })
		if at >= 0 {
			n = len(l.phrases[said[i]][at].words)
		}
		switch {
		case n == 1 && l.stop[said[i]]:
		case at >= 0:
			out = append(out, l.phrases[said[i]][at].norms...)
		default:
			out = append(out, singular(said[i]))
		}
		i += n
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// begins reports whether said begins with words.
func begins(said, words []string) bool {
	return len(said) >= len(words) && slices.Equal(said[:len(words)], words)
}

// ids returns the numbers of those of words that are known, and whether all are.
func (v *vocabulary) ids(words []string) ([]wordID, bool) {
	out := make([]wordID, 0, len(words))
	for _, w := range words {
		if id, ok := v.known[w]; ok {
			out = append(out, id)
		}
	}
	return out, len(out) == len(words)
}

// is reports whether a measure's name has the word.
func (v *vocabulary) is(word string) bool {
	_, ok := v.known[word]
	return ok
}

// everybodys is in the names of how many brands' metrics a word must be to be
// nobody's: request, response, controller are; istio, the most used brand, is in 18.
const everybodys = 20

// common returns the words that the measures of many brands are called by.
func (v *vocabulary) common() map[string]bool {
	of := map[string]map[string]bool{}
	for _, n := range v.names {
		for _, w := range n.words {
			if of[w] == nil {
				of[w] = map[string]bool{}
			}
			of[w][brandOf(n.id)] = true
		}
	}
	out := map[string]bool{}
	for w, brands := range of {
		out[w] = len(brands) >= everybodys
	}
	return out
}

// set returns by word whether it is one of words.
func (v *vocabulary) set(words []wordID) []bool {
	s := make([]bool, len(v.byWord))
	for _, w := range words {
		s[w] = true
	}
	return s
}

func (v *vocabulary) all(words []string) bool {
	_, ok := v.ids(words)
	return ok && len(words) > 0
}

// anyOf reports whether a measure is called by any of words.
func (v *vocabulary) anyOf(words []string) bool { return slices.ContainsFunc(words, v.is) }

// correct mends the spelling of words that are close to one that is known.
// What may be a name is left as it is.
func (f *frame) correct(ts []token) []token {
	for i := range ts {
		t := &ts[i]
		low := strings.ToLower(t.raw)
		if said, ok := f.slipped(ts, i); ok {
			f.assume(0.15, "%q is read as %q", t.raw, said)
			t.raw = said
			continue
		}
		if t.quoted || t.metric || t.sign || t.parts > 0 || len(low) < 4 || shaped(t.raw) || f.isWord(low) || f.lexicon.sets["environment"][low] {
			continue
		}
		if i > 0 && f.namesFollow(ts[i-1]) && singular(strings.ToLower(ts[i-1].raw)) == strings.ToLower(ts[i-1].raw) || i > 1 && asksWhy(ts[i-2], ts[i-1]) || f.known != nil && f.known(t.raw) != "" {
			continue
		}
		in := i > 0 && strings.EqualFold(ts[i-1].raw, "in")
		if whose, ok := strings.CutSuffix(low, "'s"); ok && f.isWord(whose) {
			continue
		}
		best, ok := f.closest(low, in)
		if i+1 < len(ts) && strings.EqualFold(ts[i+1].raw, "than") {
			if comparative, is := f.comparativeOf(low); is {
				best, ok = comparative, true
			}
		}
		if !ok || i+1 < len(ts) && f.lexicon.sets["named before"][strings.ToLower(ts[i+1].raw)] && len(f.lexicon.phrases[best]) == 0 {
			continue // "the dataloader container" has a name
		}
		f.assume(0.15, "%q is read as %q", t.raw, best)
		t.raw = best
	}
	return ts
}

// slipped returns the word of a comparison that token i of ts can only be a
// slip of: "more then 3", "undr 30%".
func (f *frame) slipped(ts []token, i int) (string, bool) {
	low := strings.ToLower(ts[i].raw)
	if i == 0 || i+1 == len(ts) {
		return "", false
	}
	if before := strings.ToLower(ts[i-1].raw); low == "then" && (before == "more" || before == "less" || strings.HasSuffix(before, "er")) {
		return "than", true
	}
	if strings.EqualFold(ts[i+1].raw, "than") && !f.isWord(low) {
		if comparative, ok := f.comparativeOf(low); ok {
			return comparative, true
		}
	}
	if len(low) < 4 || !startsNumber.MatchString(ts[i+1].raw) || f.isWord(low) || shaped(ts[i].raw) {
		return "", false
	}
	best := ""
	for w := range f.lexicon.words {
		if (f.lexicon.is(w, "compare") || f.lexicon.is(w, "over")) && w[0] == low[0] && (distance(low, w) == 1 || swapped(low, w)) && (best == "" || w < best) {
			best = w
		}
	}
	return best, best != ""
}

var startsNumber = regexp.MustCompile(`^[0-9]`)

// comparativeOf returns the word of a comparison that is one slip from low.
func (f *frame) comparativeOf(low string) (string, bool) {
	best := ""
	for w := range f.lexicon.words {
		if (strings.HasSuffix(w, "er") || w == "more" || w == "less") && w[0] == low[0] && distance(low, w) == 1 && (best == "" || w < best) {
			best = w
		}
	}
	return best, best != ""
}

// isWord reports whether a single word has a meaning in some phrase.
func (f *frame) isWord(low string) bool {
	if f.lexicon.stop[low] || f.words.is(singular(low)) || f.placeWord(low) || len(f.words.values[low]) > 0 {
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
		if d := len(w) - len(low); len(low) == 4 && d != 1 && !swapped(low, w) || len(w) < 4 || d > limit || -d > limit {
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
		for n := len(low) - limit; n <= len(low)+limit; n++ {
			for _, w := range f.words.spelt[spelling{low[0], n}] {
				try(w)
			}
		}
	} else if len(low) >= 6 {
		for w := range f.words.values {
			try(w) // "stuck in pendng"
		}
	}
	return best, least <= limit
}

// swapped reports whether two neighbouring letters of a are the other way round in b.
func swapped(a, b string) bool {
	return len(a) == len(b) && letters(a) == letters(b) && distance(a, b) == 1
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
	var said []string
	for _, it := range f.items {
		if !f.lexicon.stop[it.low] {
			said = append(said, it.norms...)
		}
	}
	var out []string
	for _, id := range f.nearMeasures(said) {
		out = append(out, f.title(id))
	}
	examples := slices.Clone(f.lexicon.examples)
	score := func(s string) (n int) {
		for _, w := range exampleWords()[s] {
			if slices.Contains(said, w) {
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

// nearMeasures returns the three measures whose names have most in common with
// what was said: half of the name's words at least.
func (f *frame) nearMeasures(said []string) []catalog.ID {
	type hit struct {
		id    catalog.ID
		score float64
	}
	nearer := func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(string(a.id), string(b.id)))
	}
	words, _ := f.words.ids(said)
	slices.Sort(words)
	var best []hit // the nearest first
	f.words.tally(slices.Compact(words), every, func(i, common int) {
		n := &f.words.names[i]
		h := hit{n.id, float64(common)/float64(len(n.ids)) + float64(common)/10}
		if common*2 < len(n.ids) || len(best) == 3 && h.score < best[2].score {
			return
		}
		if k := slices.IndexFunc(best, func(o hit) bool { return o.id == h.id }); k >= 0 {
			if best[k].score >= h.score {
				return
			}
			best = slices.Delete(best, k, k+1)
		}
		at, _ := slices.BinarySearchFunc(best, h, nearer)
		best = slices.Insert(best, at, h)
		best = best[:min(3, len(best))]
	})
	var ids []catalog.ID
	for _, h := range best {
		ids = append(ids, h.id)
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

// ask returns an error that asks back. Where it has no choices, what is nearest
// to the question is offered; see [Engine.Parse].
func (f *frame) ask(question string, choices ...string) error {
	return &nlq.NotUnderstood{Ask: question, Nearest: choices}
}

// settle asks what must be said, whoever reads the question.
func (f *frame) settle(question string, choices ...string) error {
	err := f.ask(question, choices...).(*nlq.NotUnderstood)
	err.Sure = true
	return err
}
