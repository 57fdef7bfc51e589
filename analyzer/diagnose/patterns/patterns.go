// Package patterns holds a line against many regular expressions at once, for
// little more than it costs to search the line for one word. From each
// expression it reads words of which every match holds one; one scan looks for
// all of them, and only where one stands is its part of its expression run.
//
// What a reader would get wrong: the words are never more than a hint. What
// matches is what the expression says; a set without the scan would find the same.
package patterns

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
)

// A Set is expressions that are looked for together.
type Set struct {
	exprs    []*regexp.Regexp
	branches []branch
	scan     *scanner
	blind    []int  // branches without words, which every line is held against
	short    []bool // by expression: whether it slows the scan
}

// A branch is an alternative of an expression, or the whole of it. A line that
// holds one of its words is held against it first: expressions of twenty
// alternatives take many times as long.
type branch struct {
	expr int
	gate func() *regexp.Regexp // made when first asked for: of most no line holds a word
}

// A Match says that an expression matches.
type Match struct {
	Expr   int   // its number in the set
	Groups []int // where it and its groups match, as [regexp.Regexp.FindStringSubmatchIndex] has it
}

// Compile reads expressions in the form of [regexp].
func Compile(exprs []string) (*Set, error) {
	s := &Set{}
	var words [][]string // by branch
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
		slow := false
		for _, alt := range alternatives(tree) {
			of := read(alt.Simplify()).words()
			slow = slow || shortest(of) < longWord
			if shortest(of) < leastWord {
				s.blind, of = append(s.blind, len(s.branches)), nil
			}
			s.branches = append(s.branches, branch{i, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(alt.String()) })})
			words = append(words, of)
		}
		s.short = append(s.short, slow)
	}
	s.scan = newScanner(words)
	return s, nil
}

// alternatives returns what an expression is a choice of.
func alternatives(tree *syntax.Regexp) []*syntax.Regexp {
	switch tree.Op {
	case syntax.OpCapture:
		return alternatives(tree.Sub[0])
	case syntax.OpAlternate:
		return tree.Sub
	}
	return []*syntax.Regexp{tree}
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
	var room [16]int // enough for most lines without memory from the heap
	hints := s.hints(text, room[:0])
	if len(hints) == 0 {
		return nil
	}
	slices.Sort(hints)
	var found []Match
	for _, h := range hints {
		b := s.branches[h]
		if n := len(found); n > 0 && found[n-1].Expr == b.expr || !b.gate().MatchString(text) {
			continue
		}
		found = append(found, Match{b.expr, s.exprs[b.expr].FindStringSubmatchIndex(text)})
	}
	return found
}

// Holds reports whether an expression of the set matches text.
func (s *Set) Holds(text string) bool {
	var room [16]int
	for _, h := range s.hints(text, room[:0]) {
		if s.branches[h].gate().MatchString(text) {
			return true
		}
	}
	return false
}

// hints adds to room the branches that text may match.
func (s *Set) hints(text string, room []int) []int {
	hints, all := s.scan.find(text, append(room, s.blind...))
	if !all {
		for i := range s.branches {
			hints = append(hints, i)
		}
	}
	return hints
}
