package prose

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"vedette.dev/rules/catalog"
)

// An index finds metrics by words: those of their names, their help, and what
// people call them. Nobody needs to have written words for a metric.
type index struct {
	docs   []doc
	df     map[string]int // in how many docs a word is
	at     map[string][]int
	brand  map[string]bool    // first words of the names of several metrics
	number map[catalog.ID]int // of a metric's doc
	kin    map[string][]int   // docs by the first words of their names
}

// A doc is what is known of one metric.
type doc struct {
	id    catalog.ID
	name  []string           // the words of the name that tell something, once each
	parts []string           // the words of the name, stems only
	score map[string]float64 // how much each word says about the metric
}

// What a word says about a metric, by where it stands. A name is made of what
// matters; help is a sentence, with words for people in between.
const (
	inName  = 1.0
	inWords = 1.2
	inPair  = 0.6
	inHelp  = 0.5
)

var builtinIndex = sync.OnceValue(func() *index { return makeIndex(catalog.Builtin(), english()) })

func indexOf(c *catalog.Catalog, l *lexicon) *index {
	if c == catalog.Builtin() {
		return builtinIndex()
	}
	return makeIndex(c, l)
}

// several metrics that begin with one word are of one software; fewer begin so
// by chance: with a noun that texts have for other reasons.
const several = 8

func makeIndex(c *catalog.Catalog, l *lexicon) *index {
	x := &index{df: map[string]int{}, at: map[string][]int{}, number: map[catalog.ID]int{}, brand: map[string]bool{}, kin: map[string][]int{}}
	measures := slices.Clone(c.All())
	for _, d := range c.AllDerived() {
		if strings.Contains(string(d.ID), ":") {
			continue // of a histogram, which is asked for itself
		}
		measures = append(measures, d.Metric)
	}
	count := map[string]int{}
	for _, m := range measures {
		d := doc{id: m.ID, score: map[string]float64{}}
		add := func(weight float64, words []string) {
			for _, w := range words {
				if k := l.key(w); k != "" && !l.stop[w] {
					d.score[k] = max(d.score[k], weight)
				}
			}
		}
		for _, w := range nameWords(string(m.ID)) {
			if k := l.key(w); !slices.Contains(d.name, k) {
				d.name = append(d.name, k)
			}
			d.parts = append(d.parts, stem(w))
		}
		first := nameWords(string(m.ID))[0]
		count[first]++
		x.brand[first] = count[first] >= several
		x.number[m.ID] = len(x.docs)
		x.kin[kinOf(m.ID)] = append(x.kin[kinOf(m.ID)], len(x.docs))
		add(inHelp, plainWords(m.Help))
		for _, w := range m.Words {
			add(inWords, plainWords(w))
		}
		add(inName, nameWords(string(m.ID)))
		for _, two := range pairs(l, nameWords(string(m.ID))) {
			d.score[two] = inPair
		}
		for w := range d.score {
			x.df[w]++
			x.at[w] = append(x.at[w], len(x.docs))
		}
		x.docs = append(x.docs, d)
	}
	return x
}

// nameWords splits a metric's name: at underscores, colons and capitals.
func nameWords(id string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(id, func(r rune) bool { return r == '_' || r == ':' || r == '.' }) {
		if part == strings.ToUpper(part) {
			out = append(out, strings.ToLower(part))
			continue
		}
		from := 0
		for i, r := range part {
			if i > 0 && unicode.IsUpper(r) {
				out = append(out, strings.ToLower(part[from:i]))
				from = i
			}
		}
		out = append(out, strings.ToLower(part[from:]))
	}
	return out
}

func plainWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// idf is how much a word tells metrics apart. A word that is nowhere tells nothing.
func (x *index) idf(w string) float64 {
	if x.df[w] == 0 {
		return 0
	}
	return math.Log(1 + float64(len(x.docs))/float64(x.df[w]))
}

// A hit is a metric that words may be about.
type hit struct {
	id    catalog.ID
	score float64 // 0..1: 1 where all words are in all that the metric says
}

// find returns the metrics that query is about, the likeliest first. A metric
// is likelier the more of the query it says, and the less it says beside that.
// Words are gone through in order: sums of floats depend on it.
func (x *index) find(query map[string]float64, n int) []hit {
	asked, found := 0.0, map[int]float64{}
	for _, w := range slices.Sorted(maps.Keys(query)) {
		v := query[w] * x.idf(w)
		asked += v
		for _, i := range x.at[w] {
			found[i] += v * x.docs[i].score[w]
		}
	}
	hits := make([]hit, 0, len(found))
	for i, f := range found {
		hits = append(hits, hit{x.docs[i].id, f / asked * x.covered(&x.docs[i], query)})
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(string(a.id), string(b.id)))
	})
	return hits[:min(n, len(hits))]
}

// covered is how much of a metric's name is asked for: from unasked where
// nothing is to 1.
func (x *index) covered(d *doc, query map[string]float64) float64 {
	const unasked = 0.4
	own, all := 0.0, 0.0
	for _, w := range d.name {
		v := x.idf(w)
		all += v
		own += v * min(1, query[w])
	}
	if all == 0 {
		return unasked
	}
	return unasked + (1-unasked)*own/all
}

// family returns the docs of metrics whose names begin as that of id.
func (x *index) family(id catalog.ID) []int { return x.kin[kinOf(id)] }

func kinOf(id catalog.ID) string {
	first, rest, _ := strings.Cut(string(id), "_")
	second, _, _ := strings.Cut(rest, "_")
	if len(first)+len(second) < len("node_") { // fs_x belongs to fs_y
		return first
	}
	return first + "_" + second
}

// pairs returns the words that follow one another, as one: "queue depth" says
// more than queue and depth.
func pairs(l *lexicon, words []string) []string {
	var out []string
	before := ""
	for _, w := range words {
		if l.stop[w] {
			continue
		}
		k := l.key(w)
		if before != "" {
			out = append(out, before+" "+k)
		}
		before = k
	}
	return out
}
