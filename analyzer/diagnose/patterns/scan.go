package patterns

import "strings"

// A scanner looks for many words at once. It looks at four bytes in every few
// and asks a table whether they are in any word; nearly always they are not. A
// word is entered with as many of its fours as lie between two looks, so that
// one of them is looked at wherever the word stands. No look waits for what came
// of the one before it, as those of automata do.
type scanner struct {
	stride int                          // how far it is from one look to the next; 0 is no words
	table  [1 << (tableBits - 6)]uint64 // by the hash of a four: whether words have it
	spots  map[uint32][]spot            // by the four: where words have it
}

// A spot is a place in a word of a branch.
type spot struct {
	word string
	at   int
	of   int
}

const (
	tableBits = 17         // 16 KiB leave the processor's first cache room for the text
	lower     = 0x20202020 // makes letters lower case; that it makes some signs others costs a look or two
	beyond    = 0x80808080 // what bytes beyond ASCII have
)

// four returns the four bytes from i on: the compiler makes it one instruction.
func four(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

func hash(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - tableBits) } // Knuth's multiplier: 2^32 over the golden ratio

// newScanner returns a scanner for the words of branches, by their numbers. No
// word may be shorter than leastWord.
func newScanner(words [][]string) *scanner {
	s := &scanner{spots: map[uint32][]spot{}}
	length := longWord
	for _, ws := range words {
		if len(ws) > 0 {
			length = min(length, shortest(ws))
			s.stride = length - leastWord + 1
		}
	}
	for of, ws := range words {
		for _, w := range ws {
			s.enter(w, of)
		}
	}
	return s
}

func (s *scanner) enter(w string, of int) {
	from, _ := rarest(w, s.stride+leastWord-1)
	for at := from; at < from+s.stride; at++ {
		x := four(w, at) | lower
		s.spots[x] = append(s.spots[x], spot{w, at, of})
		h := hash(x)
		s.table[h/64] |= 1 << (h % 64)
	}
}

// find adds the branches whose words stand in text to found. It reports false
// if there may be others, as text has letters of which (?i) makes one of ASCII:
// "ſ" is an s to it, and the sign of the kelvin a k.
func (s *scanner) find(text string, found []int) (_ []int, all bool) {
	if s.stride == 0 || len(text) < leastWord {
		return found, true
	}
	seen, stride, table := four(text, len(text)-leastWord), s.stride, &s.table
	for i := 0; i <= len(text)-leastWord; i += stride {
		x := four(text, i)
		seen |= x
		h := hash(x | lower)
		if table[h/64]>>(h%64)&1 != 0 {
			found = s.look(text, i, found)
		}
	}
	return found, seen&beyond == 0 || !strings.Contains(text, "ſ") && !strings.Contains(text, "\u212A") // both have more bytes than lie between two looks
}

// look adds the branches of the words whose four at i this is.
func (s *scanner) look(text string, i int, found []int) []int {
	for _, x := range s.spots[four(text, i)|lower] {
		from := i - x.at
		if from >= 0 && from+len(x.word) <= len(text) && strings.EqualFold(text[from:from+len(x.word)], x.word) {
			found = append(found, x.of)
		}
	}
	return found
}
