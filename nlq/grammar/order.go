package grammar

import (
	"slices"
	"strings"
)

// between is how many words at most stand within a comparison: more GPU memory
// used than.
const between = 5

// ordered puts what is compared before the comparison that stands around it:
// "fewer active nodes than" is "active nodes fewer than", "twice as many head
// series as" is "head series twice as many as".
//
// Where it stands around what is compared with another measure, most read it as it
// is: only always has it turned round then.
func (l *lexicon) ordered(ts []token, always bool) []token {
	for i := 0; i < len(ts); i++ {
		low := strings.ToLower(ts[i].raw)
		from, words, end := i, i+1, "than"
		switch {
		case l.sets["many"][low] && i > 0 && strings.EqualFold(ts[i-1].raw, "as"):
			from, end = l.multiple(ts, i-1), "as"
			if from == i-1 {
				continue
			}
		case !l.sets["more or less"][low] || i > 0 && (l.counts(ts[i-1]) || strings.EqualFold(ts[i-1].raw, "or")):
			continue
		}
		to := words
		for to < min(len(ts), words+between) && l.within(ts[to]) && !strings.EqualFold(ts[to].raw, end) {
			to++
		}
		if to == words || to >= len(ts) || !strings.EqualFold(ts[to].raw, end) || end == "than" && !always && !l.past(ts[to+1:]) {
			continue
		}
		moved := slices.Concat(ts[:from], ts[words:to], ts[from:words], ts[to:])
		ts, i = moved, to
	}
	return ts
}

// past reports whether ts begin with a time that is over: a quarter of an hour ago.
func (l *lexicon) past(ts []token) bool {
	for i := range min(len(ts), between+1) {
		it, _ := l.phrase(ts[i:])
		if _, ago := it.has("ago"); ago || strings.EqualFold(ts[i].raw, "ago") {
			return true
		}
	}
	return false
}

// multiple returns where what is said before the token at i begins that makes a
// multiple of it: more than three times.
func (l *lexicon) multiple(ts []token, i int) int {
	for i > 0 {
		low := strings.ToLower(ts[i-1].raw)
		if !l.sets["multiple"][low] && !l.counts(ts[i-1]) {
			break
		}
		i--
	}
	return i
}

// counts reports whether t is a number or a part.
func (l *lexicon) counts(t token) bool {
	low := strings.ToLower(t.raw)
	return numeral.MatchString(t.raw) || low == "%" || low == "percent" || l.sets["part"][low]
}

// within reports whether t may be a word of what is compared.
func (l *lexicon) within(t token) bool {
	low := strings.ToLower(t.raw)
	return !t.sign && !l.counts(t) && !l.sets["clause"][low] && low != "than"
}
