package diagnose

import (
	"slices"
	"strings"
	"testing"
)

// TestTexts holds every pattern against the line that it must match and the
// one that it must not.
func TestTexts(t *testing.T) {
	for _, x := range knowledge().Texts {
		if !strings.Contains(x.Example, x.Holds) || !x.pattern.MatchString(x.Example) {
			t.Errorf("%s does not match its example %q", x.Fact, x.Example)
		}
		if strings.Contains(x.Near, x.Holds) && x.pattern.MatchString(x.Near) {
			t.Errorf("%s matches %q, which is only near", x.Fact, x.Near)
		}
	}
}

// TestLinksNameFacts catches a misspelt fact: one that a link or a cause
// names has to be made somewhere.
func TestLinksNameFacts(t *testing.T) {
	from := map[string]bool{}
	for _, c := range knowledge().Causes {
		for _, r := range c.Roots {
			from[r] = true
		}
	}
	for _, l := range knowledge().Links {
		for _, to := range l.To {
			from[to] = true
		}
	}
	for _, x := range knowledge().Texts {
		used := from[x.Fact] || slices.ContainsFunc(knowledge().Links, func(l link) bool { return slices.Contains(l.From, x.Fact) })
		if !used {
			t.Errorf("no link and no cause uses the fact %s", x.Fact)
		}
	}
}
