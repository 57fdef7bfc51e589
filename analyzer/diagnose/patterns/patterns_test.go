package patterns

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequired(t *testing.T) {
	tests := []struct {
		expr string
		want []string
	}{
		{`connection refused`, []string{"connection refused"}},
		{`pull.*(: i/o timeout|connection refused)`, []string{": i/o timeout", "connection refused"}},
		{`[Rr]emounting (?P<fs>[a-z]+) read-only`, []string{"remounting "}},
		{`(?i)permission denied`, []string{"permission denied"}},
		{`(?i)ſtück und mehr`, []string{"ck und mehr"}},
		{`rate[ _-]?limit`, []string{"rate limit", "rate-limit", "rate_limit", "ratelimit"}},
		{`(user|process|uid) [0-9]+`, []string{"process ", "uid ", "user "}},
		{`status=200 .*unlikelihood`, []string{"unlikelihood"}}, // every log has the other
		{`(open|mk) ?a`, nil}, // too short to look for
		{`(abcdef)?x*`, nil},
		{`(abcdef)+x*`, []string{"abcdef"}},
		{`(abcdef){2}`, []string{"abcdefabcdef"}},
		{`foo|bar|[0-9]`, nil},
	}
	for _, tt := range tests {
		s, err := Compile([]string{tt.expr})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, spots := range s.scan.spots {
			for _, x := range spots {
				if !slices.Contains(got, x.word) {
					got = append(got, x.word)
				}
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.expr, d)
		}
	}
}

// FuzzMatch checks that the scan hides nothing: a set finds what its
// expressions find one by one.
func FuzzMatch(f *testing.F) {
	exprs := []string{`(?i)permission denied|mkdir /\S+: no`, `lookup (?P<host>[a-z.]+): (no such host|timeout)`, `^Out of \w+`, `x`, `(?i)kelvin`, `ab(cd|ef){1,2}`, `é+toile`}
	set, err := Compile(exprs)
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range []string{"PERMIſſION DENIED", "\u212Aelvin", "permission denied", "lookup a.b: no such host", "Out of memory", "not Out of", "abcdef", "abefcdlookup x: timeout", "éétoile", "x", "", "\xff\xfe: no"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var want, got []int
		for i, e := range exprs {
			if regexp.MustCompile(e).MatchString(line) {
				want = append(want, i)
			}
		}
		for _, m := range set.Match(line) {
			got = append(got, m.Expr)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", line, d)
		}
		if got := set.Holds(line); got != (len(want) > 0) {
			t.Errorf("%q: holds is %t of %v", line, got, want)
		}
	})
}

func TestSlow(t *testing.T) {
	s, err := Compile([]string{`read only`, `ro`, `(?i)full|overflown`, `no space.*`})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1, 2}, s.Slow()); d != "" {
		t.Errorf("slow (-want +got):\n%s", d)
	}
}

func TestCompileRefuses(t *testing.T) {
	if _, err := Compile([]string{"a", "("}); err == nil {
		t.Error("an expression that does not parse was taken")
	}
}
