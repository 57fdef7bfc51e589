// Package lexicon is what the words of one language mean in the text of an
// alert: the ways to say something, the words of metrics' names that tell
// states and sides, software. It is data, in en; the package
// reads it and matches patterns. What follows from them is for package prose.
package lexicon

import (
	"bytes"
	"embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// A Pattern is a way to say something. In it <t> stands for a time, <n> for a
// number, <w> for any word.
type Pattern struct {
	Words       []string
	Role, Value string
}

// An Abbreviation is the key of a word that stands for several.
type Abbreviation struct {
	Key  string
	Long []string
}

// A Lexicon is what the words of one language mean in a text.
type Lexicon struct {
	index.Words
	patterns map[string][]Pattern // by first word, the longest first
	Weights  map[string]float64   // of the features that speak for a metric
	Weak     map[string]bool      // words that seldom name a measure
	Opposite map[string]string    // of a word's key, the key of its opposite
	States   map[string]string    // stem of a word in a metric's name to what 0 or 1 of it means: good or bad
	Brands   map[string]Brand
	BrandsBy map[string][]string  // the first words of the names of their metrics, by the first words of what people call them
	Always   []catalog.LabelValue // what is meant where nobody says
	Short    []Abbreviation
	partners map[string][]string // words by which names of one family differ, by what they mean
}

//go:embed en
var files embed.FS

// English returns the English lexicon.
var English = sync.OnceValue(func() *Lexicon {
	l, err := read("en/")
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return l
})

func read(dir string) (*Lexicon, error) {
	l := &Lexicon{patterns: map[string][]Pattern{}, Words: index.Words{Same: map[string]string{}, Stop: map[string]bool{}}, States: map[string]string{}, partners: map[string][]string{}, Brands: map[string]Brand{}, BrandsBy: map[string][]string{}, Weights: map[string]float64{}, Weak: map[string]bool{}, Opposite: map[string]string{}}
	err := each(dir+"patterns.csv", "role,value,patterns", func(f []string) {
		for _, text := range strictcsv.List(f[2]) {
			w := strings.Fields(text)
			l.patterns[w[0]] = append(l.patterns[w[0]], Pattern{Words: w, Role: f[0], Value: f[1]})
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
			l.States[w] = f[0]
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
			l.Weak[w] = true
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"opposites.csv", "word,opposite", func(f []string) { l.Opposite[l.Key(f[0])] = l.Key(f[1]) }); err != nil {
		return nil, err
	}
	if err = each(dir+"brands.csv", "prefix,plain,each,words", func(f []string) {
		l.Brands[f[0]] = Brand{Plain: f[1] == "yes", Each: strictcsv.List(f[2]), Words: strictcsv.List(f[3])}
		for _, words := range l.Brands[f[0]].Words {
			first, _, _ := strings.Cut(words, " ")
			l.BrandsBy[first] = append(l.BrandsBy[first], f[0])
		}
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"abbreviations.csv", "short,long", func(f []string) {
		l.Short = append(l.Short, Abbreviation{l.Key(f[0]), strictcsv.List(f[1])})
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"always.csv", "metrics,label,op,value,source", func(f []string) {
		l.Always = append(l.Always, catalog.LabelValue{Metrics: strictcsv.List(f[0]), Labels: f[1:2], Op: f[2], Value: f[3]})
	}); err != nil {
		return nil, err
	}
	if err = each(dir+"rank.csv", "feature,weight", func(f []string) {
		l.Weights[f[0]], _ = strconv.ParseFloat(f[1], 64)
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

// Partner reports whether a stem in a metric's name has that meaning.
func (l *Lexicon) Partner(stem, meaning string) bool {
	return slices.Contains(l.partners[meaning], stem)
}

// A Brand is the software whose metrics begin with a word.
type Brand struct {
	Plain bool     // every cluster has it: it goes without saying
	Each  []string // the labels by which what it says is put together: those of its copies
	Words []string // what people call it
}
