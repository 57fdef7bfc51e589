package patterns

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// The words of an expression are strings in lower case, one of which stands in
// all that the expression matches, in whatever case.

const (
	leastWord = 4   // the length of what the scanner reads at one look
	longWord  = 7   // of words of this length the rarest are chosen: longer ones would let a scan skip further, and leave less choice
	mostWords = 128 // how many strings a part of an expression may come to and still be spelt out
	mostRunes = 5   // the same of a class of runes: more than that, and what it adds to a word splits it up
)

// A reading is what is known of the strings that a part of an expression matches.
type reading struct {
	exact []string // all of them, if they are few; a string may be empty
	need  []string // if exact is nil: each of them holds one of these; nil where none are known
}

// words returns strings one of which all that r is of holds.
func (r reading) words() []string {
	if r.exact != nil {
		return r.exact
	}
	return r.need
}

// read reads an expression that was simplified.
func read(re *syntax.Regexp) reading {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return reading{exact: []string{""}}
	case syntax.OpLiteral:
		return literal(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return read(re.Sub[0])
	case syntax.OpPlus:
		return reading{need: read(re.Sub[0]).words()}
	case syntax.OpQuest:
		if of := read(re.Sub[0]); of.exact != nil {
			return reading{exact: append([]string{""}, of.exact...)}
		}
	case syntax.OpConcat:
		return concat(re.Sub)
	case syntax.OpAlternate:
		return alternate(re.Sub)
	}
	return reading{}
}

// literal returns the runes as a word: where case does not matter their longest
// part of ASCII, as other letters have cases of other lengths.
func literal(runes []rune, fold bool) reading {
	text := strings.Map(lowerASCII, string(runes))
	if !fold {
		return reading{exact: []string{text}}
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
	if len(parts) == 1 && parts[0] == text {
		return reading{exact: parts}
	}
	longest := ""
	for _, p := range parts {
		if len(p) > len(longest) {
			longest = p
		}
	}
	return reading{need: []string{longest}}
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// class returns the runes of a small class, which is given as what it is from and to in turns.
func class(bounds []rune) reading {
	var all []string
	for i := 0; i < len(bounds); i += 2 {
		for r := bounds[i]; r <= bounds[i+1]; r++ {
			s := string(lowerASCII(r))
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
			if len(all) > mostRunes {
				return reading{}
			}
		}
	}
	return reading{exact: all}
}

func alternate(subs []*syntax.Regexp) reading {
	exact := true
	var all []string
	for _, sub := range subs {
		of := read(sub)
		if of.words() == nil {
			return reading{}
		}
		exact = exact && of.exact != nil
		all = append(all, of.words()...)
	}
	if exact && len(all) <= mostWords {
		return reading{exact: all}
	}
	return reading{need: all}
}

// concat spells out parts that follow each other as far as they are exact; of
// what it spelt and what the other parts need it takes the best.
func concat(subs []*syntax.Regexp) reading {
	var best []string
	spelt, whole := []string{""}, true
	for _, sub := range subs {
		of := read(sub)
		if of.exact != nil && len(spelt)*len(of.exact) <= mostWords {
			spelt = each(spelt, of.exact)
			continue
		}
		whole = false
		best = better(better(best, spelt), of.words())
		spelt = of.exact
		if spelt == nil {
			spelt = []string{""}
		}
	}
	if whole {
		return reading{exact: spelt}
	}
	return reading{need: better(best, spelt)}
}

// each returns each beginning with each end.
func each(beginnings, ends []string) []string {
	var all []string
	for _, b := range beginnings {
		for _, e := range ends {
			all = append(all, b+e)
		}
	}
	return all
}

// better returns those words that let a scan skip further, or else stand in fewer lines.
func better(a, b []string) []string {
	la, lb := min(shortest(a), longWord), min(shortest(b), longWord)
	if lb > la || lb == la && la >= leastWord && usual(b) < usual(a) {
		return b
	}
	return a
}

// usual tells how often a scan for words would stop at ordinary lines.
func usual(words []string) int {
	n := 0
	for _, w := range words {
		_, times := rarest(w, min(len(w), longWord))
		n += times
	}
	return n
}

// shortest returns the length of the shortest word, 0 of none.
func shortest(words []string) int {
	if len(words) == 0 {
		return 0
	}
	least := len(words[0])
	for _, w := range words {
		least = min(least, len(w))
	}
	return least
}
