package knowledge

import (
	"slices"
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
		for _, p := range []Place{x.In, x.Also} {
			if p == "" {
				continue
			}
			if !slices.Contains(facts(p, x.Example), x.Fact) {
				t.Errorf("%s does not match its example %q", x.Fact, x.Example)
			}
			if slices.Contains(facts(p, x.Near), x.Fact) {
				t.Errorf("%s matches %q, which is only near", x.Fact, x.Near)
			}
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
	for _, x := range All().Texts {
		used := from[x.Fact] || slices.ContainsFunc(All().Links, func(l Link) bool { return slices.Contains(l.From, x.Fact) })
		if !used {
			t.Errorf("no link and no cause uses the fact %s", x.Fact)
		}
	}
}
