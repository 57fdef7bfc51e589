package talk

import (
	"errors"
	"sync/atomic"
)

// What a model remembers, prompt and reply together, in tokens.
const (
	defaultSize = 16384 // two of the largest prompts; Ollama's own 4,096 would cut each, and silently
	leastSize   = 2048  // below it no form has room beside its reply
)

// mostReply is the most tokens of one reply: the largest form that was seen takes
// some 1,500, and models that think first think in the same tokens.
const mostReply = 4096

// perToken is how many bytes a token has at the least: four in English, three in JSON.
const perToken = 3

// replyOf is how many tokens of a memory a reply may take: a quarter, since what
// it is told is longer than what it fills in.
func replyOf(size int) int { return min(mostReply, size/4) }

// roomOf is how many bytes of a talk a memory has room for, beside a reply.
func roomOf(size int) int { return (size - replyOf(size)) * perToken }

// Room is how many bytes of a talk the model has room for, beside a reply.
func (l *Line) Room() int { return roomOf(l.size()) }

func (l *Line) size() int {
	size := l.Size
	if size == 0 {
		size = defaultSize
	}
	if found := int(l.found.Load()); found > 0 {
		size = min(size, found)
	}
	return size
}

// errTooLong is what a provider says to a talk that its model does not remember.
var errTooLong = errors.New("the model remembers less than it was told")

// A size is what a model turned out to remember; 0 is not known. Providers say it
// in words of their own, or do not: it is found by halves.
type size struct{ atomic.Int64 }

// halve notes that was is too much, and reports whether something is left to try.
func (s *size) halve(was int) bool {
	half := was / 2
	if half < leastSize {
		return false
	}
	for {
		known := s.Load()
		if known > 0 && int(known) <= half {
			return true // another talk found it out
		}
		if s.CompareAndSwap(known, int64(half)) {
			return true
		}
	}
}
