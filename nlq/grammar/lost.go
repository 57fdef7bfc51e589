package grammar

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vedette.dev/nlq"
)

// lost asks about a name that the question says and the answer lacks: an answer
// over all things where one was named is a wrong one, however it came about.
// What conditions, states and second readings make of a question, f does not
// say: only what it says of names counts, and what intent selects and measures.
func (f *frame) lost(intent nlq.Intent) error {
	var kept strings.Builder
	look := func(m nlq.Measure) nlq.Measure {
		for _, w := range m.Where {
			kept.WriteString(" " + bare(w.Value))
		}
		kept.WriteString(" " + bare(string(m.Metric)+strings.Join(m.By, " ")))
		return m
	}
	switch i := intent.(type) {
	case nlq.Lookup:
		look(i.Measure)
	case nlq.Alert:
		look(i.Measure)
	case nlq.Formula:
		nlq.Map(i.Term, look)
	default:
		return nil
	}
	g := *f
	g.items, g.filters, g.assumed = slices.Clone(f.items), nil, nil
	g.takeRoute()
	g.takeSeverity()
	g.takeCodes()
	g.takeUnit()
	g.takeTimes()
	g.takeNames()
	for _, fl := range g.filters {
		if fl.place == "xid" {
			continue // a code is a limit
		}
		for _, name := range strings.Split(fl.value, "|") {
			if !strings.Contains(kept.String(), bare(name)) {
				return f.settle(fmt.Sprintf("What is %s, of what should be measured?", name))
			}
		}
	}
	for i := range g.items {
		if name, _ := g.name(i); g.isName(i) && numbered.MatchString(name) && !f.lexicon.stop[strings.ToLower(name)] && !stepShape.MatchString(name) && !strings.Contains(kept.String(), bare(name)) {
			return f.settle(fmt.Sprintf("What is %s, of what should be measured?", name))
		}
	}
	return nil
}

// numbered is what only a name looks like: letters, and behind them a number.
var numbered = regexp.MustCompile(`^[A-Za-z][^/]*[0-9]`)

// bare is s without all that patterns and ways of writing put around and into a name.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
