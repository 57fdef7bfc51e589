package patterns

import (
	"math/bits"
	"strings"
)

// A scanner looks for many words at once as Wu and Manber do ("A fast
// algorithm for multi-pattern searching", 1994): it looks at the bytes at the
// end of a window as long as the shortest word, and most of the time they say
// that the window may move on by nearly its whole length. Automata read every
// byte, one after the other; that alone takes longer than one literal's search.
type scanner struct {
	window int
	shift  [1 << shiftBits]uint8 // by the hash of a block: how far on the next end of a window may be
	ends   map[uint32][]word     // by the block that ends a word's window
}

const shiftBits = 14 // a table of 16 KiB leaves the processor's first cache room for the text

// block returns the three bytes up to i. It loads four, which is one
// instruction where three are three; to keep all four would let the window move
// on by one byte less.
func block(s string, i int) uint32 {
	return (uint32(s[i-3]) | uint32(s[i-2])<<8 | uint32(s[i-1])<<16 | uint32(s[i])<<24) >> 8
}

const blockSize = 3

func hash(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - shiftBits) } // Knuth's multiplier: 2^32 over the golden ratio

func newScanner(words []word) scanner {
	s := scanner{ends: map[uint32][]word{}}
	if len(words) == 0 {
		return s
	}
	s.window = min(shortest(words), 255)
	for i := range s.shift {
		s.shift[i] = uint8(s.window - blockSize + 1)
	}
	for _, w := range words {
		for i := blockSize - 1; i < s.window; i++ {
			for _, x := range cases(w, i) {
				h := hash(x)
				s.shift[h] = min(s.shift[h], uint8(s.window-1-i))
				if i == s.window-1 {
					s.ends[x] = append(s.ends[x], w)
				}
			}
		}
	}
	return s
}

// cases returns the block of w up to i in every case that it may have.
func cases(w word, i int) []uint32 {
	all := []uint32{block("\x00"+w.text, i+1)} // the first block has no byte before it
	if !w.fold {
		return all
	}
	for at := range blockSize {
		if c := w.text[i-2+at]; c < 'a' || c > 'z' {
			continue
		}
		for _, x := range all {
			all = append(all, x^0x20<<(8*at))
		}
	}
	return all
}

// find marks the expressions of the words that stand in text.
func (s *scanner) find(text string, found marks) {
	if s.window == 0 {
		return
	}
	farthest := s.window - blockSize + 1
	for i := s.window - 1; i < len(text); {
		x := block(text, i)
		n := int(s.shift[hash(x)])
		if n == farthest { // the usual: by a constant, so that the processor need not wait for the table to look further
			i += farthest
			continue
		}
		if n > 0 {
			i += n
			continue
		}
		for _, w := range s.ends[x] {
			if w.stands(text[i-s.window+1:]) {
				found.set(w.expr)
			}
		}
		i++
	}
}

// stands reports whether text begins with w.
func (w word) stands(text string) bool {
	if len(text) < len(w.text) {
		return false
	}
	if w.fold {
		return strings.EqualFold(text[:len(w.text)], w.text)
	}
	return text[:len(w.text)] == w.text
}

// marks are a set of small numbers.
type marks []uint64

func (m marks) set(i int) { m[i/64] |= 1 << (i % 64) }

// all yields the numbers in order.
func (m marks) all(yield func(int) bool) {
	for i, b := range m {
		for ; b != 0; b &= b - 1 {
			if !yield(64*i + bits.TrailingZeros64(b)) {
				return
			}
		}
	}
}
