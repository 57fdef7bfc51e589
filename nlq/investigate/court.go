package investigate

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/strictcsv"
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

//go:embed words.csv
var wordsCSV []byte

// claims are what words claim, by the word.
var claims = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	err := strictcsv.Each("words.csv", bytes.NewReader(wordsCSV), "word,claims", func(f []string) error {
		what, n, number := strings.Cut(f[1], " ")
		if what == "number" {
			if _, err := strconv.ParseFloat(n, 64); err != nil || !number {
				return fmt.Errorf("%s: %q is no number", f[0], n)
			}
		} else if !slices.Contains([]string{"well", "denies", "blames", "first", "advises", "begins advice", "numbered", "plain"}, f[1]) {
			return fmt.Errorf("%s claims %q", f[0], f[1])
		}
		all[f[0]] = append(all[f[0]], f[1])
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})

func claim(word, what string) bool { return slices.Contains(claims()[word], what) }

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
	e.close()
	says := tokens(s.Says)
	for _, test := range []func(*exhibit, []token) string{c.named, counted, c.judged, advised, denied, c.overlapping} {
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
	plain   string // the words of text, with one blank around each
	remedy  string // likewise, of what the engine advises
	numbers []float64
	words   []token
}

func (e *exhibit) add(c *court, i *item) {
	e.items = append(e.items, i)
	e.text += " " + strings.ToLower(c.ground(i))
	e.remedy += " " + strings.ToLower(c.veil.Hide(i.remedy))
}

func (e *exhibit) close() {
	e.text += " " + e.remedy
	e.plain, e.remedy = plain(e.text), plain(e.remedy)
	e.words = tokens(e.text)
	e.numbers = numbersIn(e.text)
}

// has reports whether a name, a number as it is written, or a word is in e.
func (e *exhibit) has(word string) bool { return holdsWord(e.text, word) }

// named wants each name of s in e: of what has a digit, a capital within or a
// sign within, a capital in the middle of a sentence, or is called so in the cluster.
func (c *court) named(e *exhibit, says []token) string {
	for i, t := range says {
		name := t.name || t.capital && i > 0 && !says[i-1].ends && claims()[t.lower] == nil || c.names[t.lower] && claims()[t.lower] == nil
		if name && !t.number && !e.has(t.lower) {
			return fmt.Sprintf("it names %s, which what it cites does not", t.text)
		}
		if i > 0 && t.number && claim(strings.TrimSuffix(says[i-1].lower, "s"), "numbered") && !strings.Contains(e.plain, " "+says[i-1].lower+" "+t.lower+" ") {
			return fmt.Sprintf("it names %s %s, which what it cites does not", says[i-1].text, t.text)
		}
	}
	return ""
}

// counted wants each number of s among those of e, in digits or in words; a
// share may be written as per cent.
func counted(e *exhibit, says []token) string {
	for i, t := range says {
		var n float64
		switch word, ok := numberWord(t.lower); {
		case t.number:
			n = t.value
		case ok && !(t.lower == "one" && i+1 < len(says) && says[i+1].lower == "of"): // one of many is no amount
			n = word
		default:
			continue
		}
		percent := strings.HasSuffix(t.lower, "%") || i+1 < len(says) && (says[i+1].lower == "%" || says[i+1].lower == "percent" || says[i+1].lower == "per")
		if written := t.number && strings.ContainsFunc(t.lower, unicode.IsLetter) && e.has(t.lower); !written && !slices.Contains(e.numbers, n) && !(percent && slices.ContainsFunc(e.numbers, func(x float64) bool { return x*100-n < 1e-9 && n-x*100 < 1e-9 })) {
			return fmt.Sprintf("it has the amount %s, which what it cites does not", t.text)
		}
	}
	return ""
}

// judged lets the engine alone say what caused what, and which cause is the first.
func (c *court) judged(e *exhibit, says []token) string {
	var named []string
	for _, i := range e.items {
		if i.id[0] == 'C' {
			named = append(named, i.id)
		}
	}
	for _, t := range says {
		blames, first := claim(t.lower, "blames"), claim(t.lower, "first")
		switch {
		case !blames && !first:
			continue
		case len(named) != 1:
			return fmt.Sprintf("%q says what is the cause, and it does not cite the one cause that the program found", t.text)
		case !slices.Contains(c.sure, named[0]):
			return fmt.Sprintf("%q says what is the cause, and the program is not sure of it", t.text)
		case first && named[0] != c.sure[0]:
			return fmt.Sprintf("%q says which cause is the first, and that is another", t.text)
		}
		for _, i := range e.items {
			if i.id[0] != 'C' && !slices.Contains(i.of, named[0]) {
				return fmt.Sprintf("%q says what is the cause, and %s is no evidence of %s", t.text, i.id, named[0])
			}
		}
	}
	return ""
}

// advised lets the engine alone give advice: what the cluster wrote is none.
func advised(e *exhibit, says []token) string {
	for i, t := range says {
		advice := claim(t.lower, "advises") || (i == 0 || says[i-1].ends) && claim(t.lower, "begins advice")
		if advice && !slices.ContainsFunc(strings.Fields(e.remedy), func(w string) bool { return alike(w, t.lower) }) {
			return fmt.Sprintf("%q advises what the program does not", t.text)
		}
	}
	return ""
}

// denied wants what is denied in s denied in e, and what is denied throughout e
// not asserted in s. That something is well no report of what is wrong says, and
// a log that says so may have been written for this reader.
func denied(e *exhibit, says []token) string {
	denies := slices.ContainsFunc(e.words, func(t token) bool { return claim(t.lower, "denies") })
	for i, t := range says {
		if claim(t.lower, "denies") && !denies {
			return fmt.Sprintf("%q denies something, and what it cites does not", t.text)
		}
		if claim(t.lower, "well") && !behindDenial(says, i) {
			return fmt.Sprintf("%q says that something is well, which no report of what is wrong does", t.text)
		}
		if claims()[t.lower] != nil && !claim(t.lower, "well") || len(t.lower) < 4 {
			continue
		}
		asserted, turned := false, false
		for k, w := range e.words {
			if alike(w.lower, t.lower) {
				if behindDenial(e.words, k) == behindDenial(says, i) {
					asserted = true
				} else {
					turned = true
				}
			}
		}
		if turned && !asserted {
			return fmt.Sprintf("about %q it says the opposite of what it cites", t.text)
		}
	}
	return ""
}

// behindDenial reports whether the word at i is denied: a denial is among the
// two words before it.
func behindDenial(words []token, i int) bool {
	for k := max(0, i-2); k < i; k++ {
		if claim(words[k].lower, "denies") && !slices.ContainsFunc(words[k:i], func(t token) bool { return t.ends }) {
			return true
		}
	}
	return false
}

// overlapping wants half of the words that say something to be words of e: a
// sentence about something else has hardly any, a paraphrase most.
func (c *court) overlapping(e *exhibit, says []token) string {
	all, found := 0, 0
	for _, t := range says {
		if t.number || claims()[t.lower] != nil || len(t.lower) < 3 {
			continue
		}
		all++
		if e.has(t.lower) || slices.ContainsFunc(e.words, func(w token) bool { return alike(w.lower, t.lower) }) {
			found++
		}
	}
	if found*2 < all || found == 0 {
		return fmt.Sprintf("only %d of its %d words are those of what it cites", found, all)
	}
	return ""
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
