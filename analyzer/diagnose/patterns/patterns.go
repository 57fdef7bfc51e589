// Package patterns holds a line against many regular expressions at once, for
// little more than it costs to search the line for one word. From each
// expression it reads words of which every match holds one; one scan looks for
// all of them, and only where one stands is its expression run.
//
// What a reader would get wrong: the words are never more than a hint. What
// matches is what the expression says; a set without the scan would find the same.
package patterns

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// A Set is expressions that are looked for together.
type Set struct {
	exprs []*regexp.Regexp
	scan  *scanner
	blind marks  // expressions without words, which every line is held against
	short []bool // by expression: whether it slows the scan
}

// A Match says that an expression matches.
type Match struct {
	Expr   int   // its number in the set
	Groups []int // where it and its groups match, as [regexp.Regexp.FindStringSubmatchIndex] has it
}

// Compile reads expressions in the form of [regexp].
func Compile(exprs []string) (*Set, error) {
	s := &Set{blind: make(marks, (len(exprs)+63)/64)}
	words := make([][]string, len(exprs))
	for i, expr := range exprs {
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, err
		}
		s.exprs = append(s.exprs, re)
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", expr, err)
		}
		of := read(tree.Simplify()).words()
		s.short = append(s.short, shortest(of) < longWord)
		if shortest(of) < leastWord {
			s.blind.set(i)
			continue
		}
		words[i] = of
	}
	s.scan = newScanner(words)
	return s, nil
}

// MustCompile returns the set of one expression of the program's own.
func MustCompile(expr string) *Set {
	s, err := Compile([]string{expr})
	if err != nil {
		panic(err)
	}
	return s
}

// Expr returns an expression of the set.
func (s *Set) Expr(i int) *regexp.Regexp { return s.exprs[i] }

// Slow returns the expressions that make the set slow for all of them: no word
// of theirs is known, or it is so short that the scan skips less.
func (s *Set) Slow() []int {
	var all []int
	for i, short := range s.short {
		if short {
			all = append(all, i)
		}
	}
	return all
}

// Match returns the expressions that match text, in order; for most texts nil.
func (s *Set) Match(text string) []Match {
	var room [4]uint64 // enough for 256 expressions without memory from the heap
	hints := append(marks(room[:0]), s.blind...)
	if !s.scan.find(text, hints) {
		for i := range s.exprs {
			hints.set(i)
		}
	}
	var all []Match
	for i := range hints.all {
		if groups := s.exprs[i].FindStringSubmatchIndex(text); groups != nil {
			all = append(all, Match{i, groups})
		}
	}
	return all
}
