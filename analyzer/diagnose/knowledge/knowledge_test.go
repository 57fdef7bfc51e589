package knowledge

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// facts lists the facts that a line of the place is.
func facts(p Place, line string) []string {
	var all []string
	for _, f := range All().In(p).Match(line) {
		all = append(all, f.Fact)
	}
	return all
}

// TestTexts holds every pattern against the line that it must match and the
// one that it must not.
func TestTexts(t *testing.T) {
	for _, x := range All().Texts {
		for _, p := range append(Places{x.In}, x.Also...) {
			for _, like := range append([]string{x.Example}, x.Likewise...) {
				if !slices.Contains(facts(p, like), x.Fact) {
					t.Errorf("%s does not match its example %q", x.Fact, like)
				}
			}
			if slices.Contains(facts(p, x.Near), x.Fact) {
				t.Errorf("%s matches %q, which is only near", x.Fact, x.Near)
			}
		}
	}
}

// TestReadRefuses checks that what cannot be meant is an error that names it.
func TestReadRefuses(t *testing.T) {
	const text = "texts:\n  - {fact: f, in: log, pattern: 'abc', example: abc, near: ab, source: s}\n"
	tests := []struct{ name, file, want string }{
		{"place", strings.Replace(text, "in: log", "in: air", 1), `text f: in is "air"`},
		{"pattern", strings.Replace(text, "abc'", "(abc'", 1), "missing closing )"},
		{"example", strings.Replace(text, "example: abc, ", "", 1), "example, near and source are required"},
		{"field", strings.Replace(text, "near:", "nearly:", 1), "nearly"},
		{"cause", "causes:\n  - {id: no-such-cause, roots: [f], base: 0.5, say: s}\n", "causes.csv does not have it"},
		{"base", "causes:\n  - {id: application-crash, roots: [f], base: 1.5, say: s}\n", "base between 0 and 1"},
	}
	for _, tt := range tests {
		if _, err := read("k.yaml", strings.NewReader(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// TestLinksNameFacts catches a misspelt fact: one that a link or a cause
// names has to be made somewhere.
func TestLinksNameFacts(t *testing.T) {
	from := map[string]bool{}
	for _, c := range All().Causes {
		for _, r := range c.Roots {
			from[r] = true
		}
	}
	for _, l := range All().Links {
		for _, to := range l.To {
			from[to] = true
		}
	}
	for _, echo := range slices.Concat(All().Echoes, heard()) {
		if !from[echo] {
			t.Errorf("no link and no cause uses the echo %s", echo)
		}
	}
	read, err := filepath.Glob("../facts/*.go") // some facts are raw material of other readers
	if err != nil || len(read) == 0 {
		t.Fatalf("no readers of facts: %v", err)
	}
	var code []byte
	for _, file := range read {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, text...)
	}
	for _, x := range All().Texts {
		if bytes.Contains(code, []byte(strconv.Quote(x.Fact))) {
			continue
		}
		used := from[x.Fact] || slices.ContainsFunc(All().Links, func(l Link) bool { return slices.Contains(l.From, x.Fact) })
		if !used {
			t.Errorf("no link and no cause uses the fact %s", x.Fact)
		}
	}
}

// heard returns the echoes that confirm a cause all the same.
func heard() (all []string) {
	for _, c := range All().Causes {
		all = append(all, c.Hears...)
	}
	return all
}

// TestTextsAreQuick keeps logs quick to read: one short word slows the look for all texts.
func TestTextsAreQuick(t *testing.T) {
	shelf := All().In(Log)
	for _, i := range shelf.set.Slow() {
		t.Errorf("text %s: its pattern does not spell out seven letters that every match holds", shelf.texts[i].Fact)
	}
}
