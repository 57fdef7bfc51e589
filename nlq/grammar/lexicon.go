package grammar

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// A role is what a phrase does in a question:
//
//	kind       value is the kind of question, and a severity it implies
//	compare    value is an operator, a measure word it implies, a limit it implies
//	over       a comparison before a number, a window before a time
//	hold       before how long a condition must hold
//	keep       before how long it goes on firing
//	during     before how long it must hold, or how far back for what is counted
//	window     before how far back to look
//	over time  before a window too; value says what is done within it
//	number     value is the number; period: value is seconds
//	most       how many of the highest, or (negative) lowest, are wanted
//	agg, top   how series are put together or ranked
//	by, determiner, where, not, called, only, since, once, and, this
//	severity   value is the severity
//	state      what may be wrong with something, in a why question
//	continue   goes on from what was said before
//	tell       somebody is told; value is the severity it implies
//	happens    that it is so at all is the condition
//	near       before how close to a limit
//	alerts     the alerts that shall be silent
//	route      before whom to tell
//	both       before two measures with one condition, joined by value
//	means      before what a word for a state is to mean
//	now        a value is asked for
//	less       between two of which the second is taken off the first
//	either way whatever the sign, in both directions
//	flip       goes back and forth; value: at all is enough
//	left out   behind what is not meant
//	operator   what is done with two measures
//	service    what is down where nothing is scraped from it
//	never      refused, wherever it stands
//	ambiguous  too little to be a measure by itself; value is of what there is one
//	slo        a share of requests that shall be good
//	success    what is good: not failed
//	filler     nothing, unless a measure is called by it
//	low end    the end at which something has run out
//	join       between two conditions; value is how
//	range      before two ends; value: in or out
//	direction  which way a value goes, > or <
//	trend      that is enough to be told
//	sometime   it was so once at least within what is looked back
//	throughout for how long, in seconds, every value is looked at
//	root       the filesystem mounted at /
//	wrong      whatever it may be: it is asked what
//	speed      before how fast it goes
//	pace       before how slow it goes: a lower rate, or a longer time
//	times      how many times as much: an x for each, or n for the number before it
//	versus     before what is compared with
//	ago, each  when in the past is meant, in seconds before now; each: a mean over so long
//	usual      what it is as a rule: the mean
//	sigma, odd how far from the mean
//	peers      the things beside it, in the same value
//	spread     how far apart; end: one of its ends, and the measure it implies
//	will, fill what is about to be, and that it is full then
//	hours      when it counts
//	attached, unattached  to a pod
//	none, busy not one of them is at work
//	absent     it is no longer told
//	turns      the comparison behind it round: it never was above
//	trend over before how far back a trend is taken
//	requests gpus  of pods, that they do
//	refuse     what is never done for words
//	plain      nothing, where one of its words would
//	vague      too high: a limit that must be asked for
//	device     the measure word value that names of devices with these beginnings imply
//	whole      of everything put together
//	size       a comparison, unless a time follows
//	fault      what is in the names of metrics that should be 0
//	set NAME   words that are looked for only beside others: leads to a condition, before a code, an end of a scale
//	of unit    what a limit in a unit of dimension value is a limit of
//	word       another way to say value, in the words of the catalog
type role string

// A phrase is one way to say something, in lower-case words.
type phrase struct {
	words []string
	role  role
	value string
	norms []string // of role word: value in the words of the catalog
}

// A unit is a word for a unit.
type unit struct {
	dimension              string
	factor, offset, binary float64 // binary is 0 where there is no such reading
}

// A device is a kind of device and how names of such begin.
type device struct {
	kind   string
	starts []string
}

// deviceOf returns the kind of device that is called name, or "".
func (l *lexicon) deviceOf(name string) string {
	for _, d := range l.devices {
		if slices.ContainsFunc(d.starts, func(s string) bool { return strings.HasPrefix(name, s) }) {
			return d.kind
		}
	}
	return ""
}

// A lexicon is what the words of one language mean.
type lexicon struct {
	phrases    map[string][]phrase // by first word, the longest first
	units      map[string]unit     // by word, as it is written
	unitsBegin map[string]bool     // words that units of several begin with
	numeric    map[string]bool     // words that numbers and periods in words begin with
	stop       map[string]bool
	words      map[string]bool // every word of a phrase
	examples   []string
	devices    []device
	sets       map[string]map[string]bool // words that matter only where another word stands beside them
	faults     []string                   // what is in the names of what there should be none of
	ofUnit     map[string]string          // by dimension, the measure word that a limit in it implies
}

//go:embed en
var files embed.FS

// english returns the English lexicon.
var english = sync.OnceValue(func() *lexicon {
	l, err := read("en")
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return l
})

func read(language string) (*lexicon, error) {
	l := &lexicon{phrases: map[string][]phrase{}, units: map[string]unit{}, unitsBegin: map[string]bool{}, numeric: map[string]bool{}, stop: map[string]bool{}, words: map[string]bool{}, sets: map[string]map[string]bool{}, ofUnit: map[string]string{}}
	rows, err := table(language+"/lexicon.csv", "role,value,phrases")
	if err != nil {
		return nil, err
	}
	for _, f := range rows {
		if f[0] == "device" {
			l.devices = append(l.devices, device{f[1], strings.Split(f[2], "|")})
			continue
		}
		if f[0] == "fault" {
			l.faults = strings.Split(f[2], "|")
			continue
		}
		if name, isSet := strings.CutPrefix(f[0], "set "); isSet {
			l.sets[name] = map[string]bool{}
			for w := range strings.SplitSeq(f[2], "|") {
				l.sets[name][w] = true
			}
			continue
		}
		if f[0] == "of unit" {
			l.ofUnit[f[1]] = f[2]
			continue
		}
		for text := range strings.SplitSeq(f[2], "|") {
			w := strings.Fields(strings.ReplaceAll(text, "-", " "))
			for _, one := range w {
				l.words[one] = true
			}
			p := phrase{words: w, role: role(f[0]), value: f[1]}
			if p.role == "word" {
				p.norms = singulars(p.value)
			}
			l.numeric[w[0]] = l.numeric[w[0]] || p.role == "number" || p.role == "period"
			l.phrases[w[0]] = append(l.phrases[w[0]], p)
		}
	}
	for _, ps := range l.phrases {
		slices.SortStableFunc(ps, func(a, b phrase) int { return len(b.words) - len(a.words) })
	}
	if err := l.readUnits(language + "/units.csv"); err != nil {
		return nil, err
	}
	for line := range lines(language + "/stopwords.txt") {
		for _, w := range strings.Fields(line) {
			l.stop[w] = true
		}
	}
	for line := range lines(language + "/examples.txt") {
		l.examples = append(l.examples, line)
	}
	return l, nil
}

func (l *lexicon) readUnits(file string) error {
	rows, err := table(file, "words,dimension,factor,offset,binary")
	if err != nil {
		return err
	}
	for i, f := range rows {
		u := unit{dimension: f[1]}
		for k, into := range []*float64{&u.factor, &u.offset, &u.binary} {
			if f[2+k] == "" {
				continue
			}
			if *into, err = strconv.ParseFloat(f[2+k], 64); err != nil {
				return fmt.Errorf("%s: row %d: %w", file, i+1, err)
			}
		}
		if u.factor == 0 {
			return fmt.Errorf("%s: row %d: a factor is required", file, i+1)
		}
		for w := range strings.SplitSeq(f[0], "|") {
			if _, twice := l.units[w]; twice {
				return fmt.Errorf("%s: row %d: %q is listed twice", file, i+1, w)
			}
			l.units[w] = u
			if first, _, more := strings.Cut(w, " "); more {
				l.unitsBegin[first] = true
			}
		}
	}
	return nil
}

func table(file, header string) ([][]string, error) {
	b, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	err = strictcsv.Each(file, bytes.NewReader(b), header, func(f []string) error {
		rows = append(rows, f)
		return nil
	})
	return rows, err
}

// lines yields the lines of an embedded file that say something.
func lines(file string) func(func(string) bool) {
	return func(yield func(string) bool) {
		b, err := files.ReadFile(file)
		if err != nil {
			panic(err) // embedded data
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") && !yield(line) {
				return
			}
		}
	}
}

// is reports whether a word by itself has a role.
func (l *lexicon) is(word string, r role) bool {
	return slices.ContainsFunc(l.phrases[word], func(p phrase) bool { return p.role == r && len(p.words) == 1 })
}

// of returns the value that a word has in role r, "" where it has none.
func (l *lexicon) of(word string, r role) string {
	for _, p := range l.phrases[word] {
		if p.role == r && len(p.words) == 1 {
			return p.value
		}
	}
	return ""
}

// unit returns the unit that words say, which may be several: "degrees C".
func (l *lexicon) unit(words string) (unit, bool) {
	if u, ok := l.units[words]; ok {
		return u, true
	}
	if _, multiplier := multipliers[words]; multiplier {
		return unit{}, false // 1M is a million, not a minute
	}
	u, ok := l.units[strings.ToLower(words)]
	return u, ok
}
