package prose

import (
	"bytes"
	"embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/strictcsv"
)

// A pattern is a way to say something. In it <t> stands for a time, <n> for a
// number, <w> for any word.
type pattern struct {
	words       []string
	role, value string
}

// An abbreviation is the key of a word that stands for several.
type abbreviation struct {
	key  string
	long []string
}

// A lexicon is what the words of one language mean in a text.
type lexicon struct {
	index.Words
	patterns map[string][]pattern // by first word, the longest first
	weights  map[string]float64   // of the features that speak for a metric
	weak     map[string]bool      // words that seldom name a measure
	opposite map[string]string    // of a word's key, the key of its opposite
	states   map[string]string    // stem of a word in a metric's name to what 0 or 1 of it means: good or bad
	brands   map[string]brand
	values   []labelled
	always   []labelled
	short    []abbreviation
	partners map[string][]string // words by which names of one family differ, by what they mean
}

//go:embed en
var files embed.FS

// english returns the English lexicon.
var english = sync.OnceValue(func() *lexicon {
	l, err := read("en/")
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return l
})

func read(dir string) (*lexicon, error) {
	l := &lexicon{patterns: map[string][]pattern{}, Words: index.Words{Same: map[string]string{}, Stop: map[string]bool{}}, states: map[string]string{}, partners: map[string][]string{}, brands: map[string]brand{}, weights: map[string]float64{}, weak: map[string]bool{}, opposite: map[string]string{}}
	err := each(dir+"patterns.csv", "role,value,patterns", func(f []string) {
		for _, text := range strictcsv.List(f[2]) {
			w := strings.Fields(text)
			l.patterns[w[0]] = append(l.patterns[w[0]], pattern{words: w, role: f[0], value: f[1]})
		}
	})
	if err != nil {
		return nil, err
	}
	if err = each(dir+"synonyms.csv", "word,others", func(f []string) {
		for _, w := range append(strictcsv.List(f[1]), f[0]) {
			l.Same[index.Stem(w)] = index.Stem(f[0])
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"states.csv", "meaning,words", func(f []string) {
		for _, w := range strictcsv.List(f[1]) {
			l.states[w] = f[0]
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"partners.csv", "meaning,words", func(f []string) {
		for _, w := range strictcsv.List(f[1]) {
			l.partners[f[0]] = append(l.partners[f[0]], index.Stem(w))
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"weak.csv", "words", func(f []string) {
		for _, w := range strings.Fields(f[0]) {
			l.weak[w] = true
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"opposites.csv", "word,opposite", func(f []string) { l.opposite[l.Key(f[0])] = l.Key(f[1]) }); err != nil {
		return nil, err
	}
	if err = each(dir+"brands.csv", "prefix,plain,each,words", func(f []string) {
		l.brands[f[0]] = brand{plain: f[1] == "yes", each: strictcsv.List(f[2]), words: strictcsv.List(f[3])}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"values.csv", "metrics,labels,op,value,words,negated,source", func(f []string) {
		l.values = append(l.values, labelled{strictcsv.List(f[0]), strictcsv.List(f[1]), f[2], f[3], strictcsv.List(f[4]), f[5]})
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"abbreviations.csv", "short,long", func(f []string) {
		l.short = append(l.short, abbreviation{l.Key(f[0]), strictcsv.List(f[1])})
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"always.csv", "metrics,label,op,value,source", func(f []string) {
		l.always = append(l.always, labelled{metrics: strictcsv.List(f[0]), labels: f[1:2], op: f[2], value: f[3]})
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"rank.csv", "feature,weight", func(f []string) {
		l.weights[f[0]], _ = strconv.ParseFloat(f[1], 64)
	}); err != nil {
		return nil, err
	}
	return l, each(dir+"stopwords.csv", "words", func(f []string) {
		for _, w := range strings.Fields(f[0]) {
			l.Stop[w] = true
		}
	})
}

func each(file, header string, row func(f []string)) error {
	b, err := files.ReadFile(file)
	if err != nil {
		return err
	}
	return strictcsv.Each(file, bytes.NewReader(b), header, func(f []string) error {
		row(f)
		return nil
	})
}

// partner reports whether a stem in a metric's name has that meaning.
func (l *lexicon) partner(stem, meaning string) bool {
	return slices.Contains(l.partners[meaning], stem)
}
