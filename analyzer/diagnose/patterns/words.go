package patterns

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// A word is a string of which an expression's matches hold this or another.
type word struct {
	text string // in lower case where it folds
	fold bool   // its letters may be of either case
	expr int
}

// leastWord is the length of what the scanner reads at one look.
const leastWord = 4

// required returns words of which every match of re holds at least one, nil
// where none are known. Of several choices it takes the one whose shortest word
// is the longest: it is found in the fewest lines, and lets a scan skip the furthest.
func required(re *syntax.Regexp) []word {
	switch re.Op {
	case syntax.OpLiteral:
		return literal(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []word
		for _, sub := range re.Sub {
			if of := required(sub); shortest(of) > shortest(best) {
				best = of
			}
		}
		return best
	case syntax.OpAlternate:
		var all []word
		for _, sub := range re.Sub {
			of := required(sub)
			if of == nil {
				return nil
			}
			all = append(all, of...)
		}
		return all
	}
	return nil
}

// literal returns the runes as a word. Where case does not matter it is the
// longest part without letters that have a third case, such as K, which is also
// the sign of the kelvin.
func literal(runes []rune, fold bool) []word {
	if !fold {
		return []word{{text: string(runes)}}
	}
	parts := strings.FieldsFunc(strings.ToLower(string(runes)), func(r rune) bool {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			if f > unicode.MaxASCII {
				return true
			}
		}
		return r > unicode.MaxASCII
	})
	if len(parts) == 0 {
		return nil
	}
	return []word{{text: slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) }), fold: true}}
}

// shortest returns the length of the shortest word, 0 of none.
func shortest(ws []word) int {
	if len(ws) == 0 {
		return 0
	}
	return len(slices.MinFunc(ws, func(a, b word) int { return len(a.text) - len(b.text) }).text)
}
