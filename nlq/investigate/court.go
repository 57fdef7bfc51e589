package investigate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vedette.dev/analyzer/topology"
)

// A court holds sentences to what they cite. It goes by looks: names, numbers,
// denials and claims that the evidence does not have are found; a sentence that
// twists in plain words what it cites may pass.
type court struct {
	*file
	sure  []string        // the ids of the causes that the engine is sure enough of, the likeliest first
	names map[string]bool // plain words that something in the cluster is called
}

func (x *session) court() *court {
	c := &court{file: x.file, names: map[string]bool{}}
	for _, d := range x.Report.Diagnoses {
		if d.Confidence >= sure {
			c.sure = append(c.sure, x.file.put("C", causeItem(d)).id)
		}
	}
	if x.Snapshot != nil {
		for _, s := range topology.New(x.Snapshot).Subjects() {
			c.names[strings.ToLower(s.Name)], c.names[strings.ToLower(s.Namespace)] = true, true
		}
		delete(c.names, "")
	}
	return c
}

// The most that a sentence may be.
const (
	mostSays  = 400 // bytes: three lines
	mostCites = 8
)

// hear returns the sources of what s cites, or why it is not borne out.
func (c *court) hear(s sentence) (sources []string, why string) {
	switch {
	case strings.TrimSpace(s.Says) == "":
		return nil, "it says nothing"
	case len(s.Says) > mostSays:
		return nil, fmt.Sprintf("it is longer than %d characters", mostSays)
	case printable(s.Says) != s.Says:
		return nil, "it holds characters that are no text"
	case strings.Contains(s.Says, "://"):
		return nil, "it holds an address"
	case len(s.Cites) == 0:
		return nil, "it cites nothing"
	case len(s.Cites) > mostCites:
		return nil, fmt.Sprintf("it cites more than %d items", mostCites)
	}
	e := &exhibit{}
	for _, id := range s.Cites {
		i := c.items[id]
		if i == nil {
			return nil, fmt.Sprintf("it cites %s, and there is no such item", printable(clip(id, 20)))
		}
		e.add(c, i)
		if !slices.Contains(sources, i.source) {
			sources = append(sources, i.source)
		}
	}
	says := tokens(s.Says)
	e.close(says)
	for _, test := range []func(*exhibit, []token) string{c.named, counted, c.judged, advised, denied, overlapping} {
		if why := test(e, says); why != "" {
			return nil, why
		}
	}
	return sources, ""
}

// An exhibit is all that one sentence cites.
type exhibit struct {
	items   []*item
	text    string // in lower case, as the model saw it
	remedy  string // what the engine advises, likewise
	plain   string // the words of text, with one blank around each
	advice  bool   // whether the sentence gives some
	numbers []float64
	words   []token
}

func (e *exhibit) add(c *court, i *item) {
	e.items = append(e.items, i)
	e.text += " " + stamped.ReplaceAllString(strings.ToLower(c.ground(i)), "$1 $2")
	e.remedy += " " + strings.ToLower(c.veil.Hide(i.remedy))
}

// stamped are date and time in one word.
var stamped = regexp.MustCompile(`(\d{4}-\d\d-\d\d)t(\d\d:\d\d)`)

// close makes e ready for a sentence. What the engine advises is there for advice
// only, which has more than two thirds of its words: that it says to look at the
// cable does not make the cable broken.
func (e *exhibit) close(says []token) {
	found, all := overlap(e.remedy, tokens(e.remedy), says)
	e.advice = (all-found)*3 < all || slices.ContainsFunc(says, func(t token) bool { return claim(t.lower, "advises") || claim(t.lower, "does") })
	if e.advice {
		e.text += " " + e.remedy
	}
	e.plain = plain(e.text)
	e.words = tokens(e.text)
	e.numbers = numbersIn(e.text)
}

// has reports whether a name, a number as it is written, or a word is in e.
func (e *exhibit) has(word string) bool { return holdsWord(e.text, word) }

// names reports whether a name is in e, be it in the plural, as the head of a
// longer one, or, where it is made of words, in another form: power-cycled.
func (e *exhibit) names(t token) bool {
	if e.has(t.lower) || e.has(strings.TrimSuffix(t.lower, "s")) {
		return true
	}
	if strings.ToUpper(t.text) == t.text && strings.Contains(e.plain, " "+t.lower) { // OOM of OOMKilled
		return true
	}
	return !strings.ContainsAny(t.lower, "0123456789/") && slices.ContainsFunc(e.words, func(w token) bool { return stem(w.lower) == stem(t.lower) })
}

// says reports whether a form of a word is in e.
func (e *exhibit) says(word string) bool {
	return slices.ContainsFunc(e.words, func(w token) bool { return !w.name && stem(w.lower) == stem(word) })
}

// quoted reports whether the word at i is in e beside the same word.
func (e *exhibit) quoted(says []token, i int) bool {
	pair := func(k int) bool {
		return k >= 0 && k+1 < len(says) && strings.Contains(e.plain, " "+says[k].lower+" "+says[k+1].lower+" ")
	}
	return pair(i-1) || pair(i)
}

// printable is s without what a terminal would take for an order.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, s)
}
