package prose

import (
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/rules/catalog"
)

// Traits are what the name and the row of a metric say of it, whatever is
// asked: found once for each metric, since a question looks at many.
type traits struct {
	first     string   // word of the name: the software it is of
	exporter  []string // the words of what exposes it
	words     []string // of the name
	keys      []string // of those
	rest      bool     // … what is left of something
	pairs     []string // of those that follow one another
	sides     bool     // a word of the name says that it is a part of something, or the whole
	counter   bool
	bucket    bool // of a histogram
	part      bool // _sum or _count, of a histogram or a summary
	facts     bool // always 1: its labels carry the facts
	timestamp bool
	share     bool // of one, or percent
	bound     bool // what something else is held to
	good, bad bool // what a word of the name says of a 1, or of more
	derived   bool
	names     int // that people have for it: what is spoken of has more
}

func traitsOf(m catalog.Metric, derived bool, c *catalog.Catalog, l *lexicon.Lexicon) traits {
	id := string(m.ID)
	t := traits{words: index.Name(id), exporter: index.Plain(m.Exporter), counter: m.Type == catalog.Counter, derived: derived,
		bucket: strings.HasSuffix(id, "_bucket"), timestamp: isTimestamp(m) || isRemaining(m), share: m.Unit == "%" || ofOne(m), bound: isBound(id)}
	t.first = t.words[0]
	t.names = namesOf(m, c)
	t.pairs = l.Pairs(t.words)
	for _, w := range t.words {
		t.keys = append(t.keys, l.Key(w))
		s := index.Stem(w)
		t.rest = t.rest || l.Partner(s, "rest")
		t.sides = t.sides || l.Partner(s, "part") || l.Partner(s, "rest") || l.Partner(s, "whole")
	}
	t.part = t.counter && (strings.HasSuffix(id, "_sum") || strings.HasSuffix(id, "_count"))
	t.facts = strings.HasSuffix(id, "_info") || strings.HasSuffix(id, "_labels") || strings.HasSuffix(id, "_version") || strings.HasSuffix(id, "_created") && !t.timestamp
	t.good = slices.ContainsFunc(t.words, func(w string) bool { return l.States[w] == "good" })
	t.bad = slices.ContainsFunc(t.words, func(w string) bool { return l.States[w] == "bad" })
	return t
}

// namesOf counts the names that people have for m, or for the histogram that it
// is a part of. Nobody was asked about what only a Prometheus told of: it is
// taken to be of the usual kind.
func namesOf(m catalog.Metric, c *catalog.Catalog) int {
	const usually, many = 3, 4
	if h, ok := c.Histogram(index.Whole(m.ID)); ok {
		m.Words = h.Words
	}
	if len(m.Words) == 0 {
		return usually
	}
	return min(many, len(m.Words))
}

var builtinTraits = sync.OnceValue(func() map[catalog.ID]traits { return makeTraits(catalog.Builtin()) })

func traitsOfAll(c *catalog.Catalog) map[catalog.ID]traits {
	if c == catalog.Builtin() {
		return builtinTraits()
	}
	return makeTraits(c)
}

func makeTraits(c *catalog.Catalog) map[catalog.ID]traits {
	out := make(map[catalog.ID]traits, len(c.All()))
	for _, m := range c.All() {
		out[m.ID] = traitsOf(m, false, c, lexicon.English())
	}
	for _, d := range c.AllDerived() {
		out[d.ID] = traitsOf(d.Metric, true, c, lexicon.English())
	}
	return out
}
