package grammar

import (
	"strconv"
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

// A Word is a piece of a text as the lexicon reads it: a word, a sign, or a
// number with its unit, which may have been written as several words.
type Word struct {
	Raw, Low string
	number   *number
	quoted   bool
}

// Words splits text, as questions are split, and reads its numbers; words stay
// one each.
func Words(text string, c *catalog.Catalog) []Word {
	ts := tokens(text, c)
	out := make([]Word, 0, len(ts))
	for i := 0; i < len(ts); {
		t := ts[i]
		if !t.quoted && !t.metric && t.part == 0 {
			if it, n := english().quantity(ts[i:]); n > 0 {
				out = append(out, Word{Raw: it.raw, Low: it.low, number: it.number})
				i += n
				continue
			}
		}
		out = append(out, Word{Raw: t.raw, Low: strings.ToLower(t.raw), quoted: t.quoted})
		i++
	}
	return out
}

// Number returns the amount that w is, without its unit.
func (w Word) Number() (float64, bool) {
	if w.number == nil {
		return 0, false
	}
	return w.number.value, true
}

// Duration returns the time that w is.
func (w Word) Duration() (time.Duration, bool) { return w.number.duration() }

// Dimension returns what kind of amount w is: time, ratio, bytes; "" where no
// unit was said.
func (w Word) Dimension() string {
	if w.number == nil {
		return ""
	}
	return w.number.unit.dimension
}

// In returns the amount in unit u. It reports false where w is of another kind.
func (w Word) In(u catalog.Unit) (float64, bool) {
	f := &frame{lexicon: english()}
	switch {
	case w.number == nil:
		return 0, false
	case w.number.isUnit && w.number.unit.dimension != f.dimension(u):
		return w.number.value * w.number.unit.factor, false
	}
	return f.convert(*w.number, u), true
}

// Round takes off what binary fractions add: 1 - 0.9 is 0.1.
func Round(v float64) float64 { return round(v) }

// Amount is a number without a unit as a word: of a text that says it in words.
func Amount(digits string) Word {
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return Word{Raw: digits, Low: digits, number: &number{value: v}}
}
