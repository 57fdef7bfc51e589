package grammar

import (
	"iter"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/catalog"
)

// A signature has a bit for each of some words, which other words may share: what a
// name lacks or has too much of shows there mostly, without a look at the name.
type signature uint64

func signatureOf(words []wordID) (s signature) {
	for _, w := range words {
		s |= 1 << (w % 64)
	}
	return s
}

// having yields the names that have all of words.
func (v *vocabulary) having(words []string) iter.Seq[*named] { return v.find(words, nil, false, nil) }

// within yields the names that have all of strong, and no words but those and weak.
func (v *vocabulary) within(strong, weak []string) iter.Seq[*named] {
	return v.find(strong, weak, true, nil)
}

// havingOf yields the names that have all of words, of metrics whose own names begin
// with the word first.
func (v *vocabulary) havingOf(first string, words []string) iter.Seq[*named] {
	return v.find(words, nil, false, v.family[first])
}

// find yields those of among that have all of strong, and, where only those will do,
// no words but those and weak. Where among is nil all names are looked through.
func (v *vocabulary) find(strong, weak []string, only bool, among []int32) iter.Seq[*named] {
	return func(yield func(*named) bool) {
		must, ok := v.ids(strong)
		if !ok || len(must) == 0 {
			return
		}
		has, may := signatureOf(must), every
		var sayable []wordID
		if only {
			sayable, _ = v.ids(weak)
			sayable = append(sayable, must...)
			may = signatureOf(sayable)
		}
		if among == nil {
			among = v.byWord[slices.MinFunc(must, func(a, b wordID) int { return len(v.byWord[a]) - len(v.byWord[b]) })]
		}
		for _, i := range among {
			if s := v.signed[i]; s&has != has || s&^may != 0 {
				continue
			}
			if n := &v.names[i]; len(must) <= len(n.ids) && subset(must, n.ids) && (!only || subset(n.ids, sayable)) && !yield(n) {
				return
			}
		}
	}
}

// some reports whether ok is true of one of the names that have all of words.
func (v *vocabulary) some(words []string, ok func(*named) bool) bool {
	for n := range v.having(words) {
		if ok(n) {
			return true
		}
	}
	return false
}

// called reports whether some measure is called by all of words.
func (v *vocabulary) called(words ...string) bool {
	return v.some(words, func(*named) bool { return true })
}

// calls returns the names of the measure id.
func (v *vocabulary) calls(id catalog.ID) []named { return v.names[v.at[id][0]:v.at[id][1]] }

// says reports whether some name of the measure id has the word w.
func (v *vocabulary) says(id catalog.ID, w string) bool {
	for _, n := range v.calls(id) {
		if slices.Contains(n.words, w) {
			return true
		}
	}
	return false
}

// A tally is how many words of a question each name has. It is used again: there are
// thousands of names, and a question is about few.
type tally struct {
	shared  []uint8
	touched []int32
}

// every is the signature of all words.
const every = ^signature(0)

// tally calls each with the names that have some of words and none that may has no
// bit of, and with how many of words they have.
func (v *vocabulary) tally(words []wordID, may signature, each func(name, shared int)) {
	t := v.tallies.Get().(*tally)
	for _, w := range words {
		for _, i := range v.byWord[w] {
			if may != every && v.signed[i]&^may != 0 {
				continue
			}
			if t.shared[i] == 0 {
				t.touched = append(t.touched, i)
			}
			t.shared[i]++
		}
	}
	for _, i := range t.touched {
		shared := int(t.shared[i])
		t.shared[i] = 0
		each(int(i), shared)
	}
	t.touched = t.touched[:0]
	v.tallies.Put(t)
}

// placesBegin returns the words that those for places begin with.
var placesBegin = sync.OnceValue(func() map[string]bool {
	first := map[string]bool{}
	for words := range placeWords() {
		w, _, _ := strings.Cut(words, " ")
		first[w] = true
	}
	return first
})
