// Package index finds metrics by words: those of their names, of their help,
// and what people call them. Nobody needs to have written words for a metric.
//
// What it says of a metric is how well the words go with it, and nothing else:
// which of those found is meant is for package prose to weigh.
package index

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/catalog"
)

// An Index is made once of a catalog, and then read by many at once.
type Index struct {
	docs    []doc
	weights []float64 // by doc: what the words of its name tell, together
	place   []int     // by doc: where its name stands in the order of names
	at      map[string]entry
	brand   map[string]bool    // first words of the names of several metrics
	number  map[catalog.ID]int // of a metric's doc
	kin     map[string][]int   // docs by the first word of their names
	sums    sync.Pool          // of *sums: what a question adds up
}

// A doc is what is known of one metric.
type doc struct {
	id      catalog.ID
	name    []string   // the keys of the words of the name, once each
	parts   []string   // the words of the name, stems only
	phrases [][]string // the keys of the words of what people call it
}

// An entry is what a word is said of, and how much it tells metrics apart.
type entry struct {
	idf float64
	of  []mention
}

// A mention is a word said of a metric.
type mention struct {
	doc    int32
	inName bool
	weight float32
}

// What a word says about a metric, by where it stands. A name is made of what
// matters; help is a sentence, with words for people in between.
const (
	inName  = 1.0
	inWords = 1.2
	inPair  = 0.6
	inHelp  = 0.5
)

// several metrics that begin with one word are of one software; fewer begin so
// by chance: with a noun that texts have for other reasons.
const several = 8

// New returns the index of what c lists and derives.
func New(c *catalog.Catalog, w *Words) *Index {
	x := &Index{at: map[string]entry{}, number: map[catalog.ID]int{}, brand: map[string]bool{}, kin: map[string][]int{}}
	measures := slices.Clone(c.All())
	for _, d := range c.AllDerived() {
		if strings.Contains(string(d.ID), ":") {
			continue // of a histogram, which is asked for itself
		}
		measures = append(measures, d.Metric)
	}
	count := map[string]int{}
	for i, m := range measures {
		if h, ok := c.Histogram(Whole(m.ID)); ok {
			m.Words = h.Words // people ask for the histogram, not for what is stored of it
		}
		name := Name(string(m.ID))
		count[name[0]]++
		x.brand[name[0]] = count[name[0]] >= several && isOf(name[0], m.Exporter)
		x.number[m.ID] = i
		x.kin[kinOf(m.ID)] = append(x.kin[kinOf(m.ID)], i)
		d := doc{id: m.ID, parts: make([]string, len(name))}
		for k, word := range name {
			d.parts[k] = Stem(word)
			if key := w.Key(word); !slices.Contains(d.name, key) {
				d.name = append(d.name, key)
			}
		}
		if len(m.Words) == 0 { // its name is what it is called
			d.phrases = append(d.phrases, d.name)
		}
		for _, words := range m.Words {
			d.phrases = append(d.phrases, w.keys(Plain(words)))
		}
		x.docs = append(x.docs, d)
		x.mention(i, said(m, name, w), d.name)
	}
	for word, e := range x.at {
		e.idf = math.Log(1 + float64(len(x.docs))/float64(len(e.of)))
		x.at[word] = e
	}
	x.place = make([]int, len(x.docs))
	order := slices.SortedFunc(maps.Values(x.number), func(a, b int) int { return strings.Compare(string(x.docs[a].id), string(x.docs[b].id)) })
	for at, doc := range order {
		x.place[doc] = at
	}
	x.weights = make([]float64, len(x.docs))
	for i := range x.docs {
		for _, k := range x.docs[i].name {
			x.weights[i] += x.at[k].idf
		}
	}
	x.sums.New = func() any { return &sums{of: make([]sum, len(x.docs))} }
	return x
}

// said returns what is said of m, with how much each word says about it.
func said(m catalog.Metric, name []string, w *Words) map[string]float64 {
	out := map[string]float64{}
	add := func(weight float64, words []string) {
		for _, word := range words {
			if k := w.Key(word); k != "" && !w.Stop[word] {
				out[k] = max(out[k], weight)
			}
		}
	}
	add(inHelp, Plain(m.Help))
	for _, words := range m.Words {
		add(inWords, Plain(words))
	}
	add(inName, name)
	for _, two := range w.Pairs(name) {
		out[two] = inPair
	}
	return out
}

func (x *Index) mention(doc int, said map[string]float64, name []string) {
	for word, weight := range said {
		e := x.at[word]
		e.of = append(e.of, mention{int32(doc), slices.Contains(name, word), float32(weight)})
		x.at[word] = e
	}
}

// Knows reports whether anything is said of any metric by the word of that key.
func (x *Index) Knows(key string) bool { return len(x.at[key].of) > 0 }

// Brand reports whether names of several metrics begin with word, which is the
// name of software.
func (x *Index) Brand(word string) bool { return x.brand[word] }

// A Hit is a metric that words may be about.
type Hit struct {
	ID    catalog.ID
	Said  float64 // 0..1: how much of the words is said of the metric
	Named float64 // 0..1: how much of the metric's name is in the words
}

// Score is how likely the words are about the metric by themselves, 0..1. A
// metric is likelier the more of the words it says, and the less it says
// beside them: a name of which nothing was asked counts a good third.
func (h Hit) Score() float64 {
	const unasked = 0.4
	return h.Said * (unasked + (1-unasked)*h.Named)
}

// Sums are what a question adds up for each metric. They are used again: there
// are thousands of metrics, and a question is about few.
type sums struct {
	of      []sum // by doc
	touched []int32
}

type sum struct{ found, named float64 }

// Find returns the n metrics that query is about, the likeliest first; query
// says how much each word counts. Words are gone through in order: sums of
// floats depend on it.
func (x *Index) Find(query map[string]float64, n int) []Hit {
	s := x.sums.Get().(*sums)
	defer x.sums.Put(s)
	asked := 0.0
	for _, word := range slices.Sorted(maps.Keys(query)) {
		e, counts := x.at[word], query[word]
		asked += counts * e.idf
		found, named := counts*e.idf, e.idf*min(1, counts)
		for _, m := range e.of {
			d := &s.of[m.doc]
			if d.found == 0 {
				s.touched = append(s.touched, m.doc)
			}
			d.found += found * float64(m.weight)
			if m.inName {
				d.named += named
			}
		}
	}
	best := make([]scored, 0, n+1)
	for _, i := range s.touched {
		h := scored{x.hit(i, s.of[i], asked).Score(), i}
		if len(best) == n && h.score < best[n-1].score {
			continue // most
		}
		at, _ := slices.BinarySearchFunc(best, h, x.better)
		best = slices.Insert(best, at, h)
		best = best[:min(n, len(best))]
	}
	hits := make([]Hit, len(best))
	for k, b := range best {
		hits[k] = x.hit(b.doc, s.of[b.doc], asked)
		hits[k].ID = x.docs[b.doc].id
	}
	for _, i := range s.touched {
		s.of[i] = sum{}
	}
	s.touched = s.touched[:0]
	return hits
}

// hit returns the metric number doc as it is found, without its name.
func (x *Index) hit(doc int32, s sum, asked float64) Hit {
	h := Hit{Said: s.found / asked}
	if w := x.weights[doc]; w > 0 { // a name may have no word that tells anything: up
		h.Named = s.named / w
	}
	return h
}

// A scored is a metric with the score of its hit.
type scored struct {
	score float64
	doc   int32
}

func (x *Index) better(a, b scored) int {
	if c := cmp.Compare(b.score, a.score); c != 0 {
		return c
	}
	return cmp.Compare(x.place[a.doc], x.place[b.doc])
}

// Family yields the metrics whose names begin as that of id, with the stems of
// the words of those.
func (x *Index) Family(id catalog.ID) iter.Seq2[catalog.ID, []string] {
	return func(yield func(catalog.ID, []string) bool) {
		for _, d := range x.kin[kinOf(id)] {
			if !yield(x.docs[d].id, x.docs[d].parts) {
				return
			}
		}
	}
}

// Called returns how many words of the longest phrase that people call the
// metric id by are all in query, and how many there are; and how many words of
// its name are in query, and how many there are.
func (x *Index) Called(id catalog.ID, query map[string]float64) (phrase, name, of int) {
	d := &x.docs[x.number[id]]
	for _, p := range d.phrases {
		if len(p) > phrase && !slices.ContainsFunc(p, func(k string) bool { return query[k] == 0 }) {
			phrase = len(p)
		}
	}
	for _, k := range d.name {
		if query[k] > 0 {
			name++
		}
	}
	return phrase, name, len(d.name)
}

// Parts returns the stems of the words of the name of a metric that is listed.
func (x *Index) Parts(id catalog.ID) []string { return x.docs[x.number[id]].parts }

// Whole is the name of the histogram or the summary that id is a part of,
// or nothing.
func Whole(id catalog.ID) catalog.ID {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if h, ok := strings.CutSuffix(string(id), end); ok {
			return catalog.ID(h)
		}
	}
	return ""
}

// isOf reports whether a word is in the name of an exporter, which may be
// written as several: argocd, of Argo CD.
func isOf(word, exporter string) bool {
	return strings.Contains(strings.Join(Plain(exporter), ""), word)
}

func kinOf(id catalog.ID) string {
	first, _, _ := strings.Cut(string(id), "_")
	return first
}
