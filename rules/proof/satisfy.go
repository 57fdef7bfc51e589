package proof

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

var labelInUse = regexp.MustCompile(`(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)`)

// satisfy returns a value of a label that its matchers take: the proposed one
// where they do.
func satisfy(ms []*labels.Matcher, proposed string) string {
	candidates := []string{proposed}
	for _, m := range ms {
		switch m.Type {
		case labels.MatchEqual:
			candidates = append(candidates, m.Value)
		case labels.MatchRegexp:
			candidates = append(candidates, example(m.Value))
		}
	}
	name := strings.ToLower(ms[0].Name)
	candidates = append(candidates, name+"-1", "other", "1", "0", "a/b", "")
	for _, c := range candidates {
		if matches(ms, c) {
			return c
		}
	}
	return proposed
}

func matches(ms []*labels.Matcher, value string) bool {
	for _, m := range ms {
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

// example returns a text that pattern matches: of alternatives the first, of
// repetitions as few as there may be.
func example(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	return simplest(re.Simplify())
}

func simplest(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for c := max(re.Rune[i], '0'); c <= min(re.Rune[i+1], 'z'); c++ {
				if c <= '9' || c >= 'a' {
					return string(c)
				}
			}
		}
		return string(re.Rune[:1])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpStar:
		if re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL {
			return "1" // gpu-.* reads better as gpu-1
		}
	case syntax.OpCapture, syntax.OpPlus:
		return simplest(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(simplest(re.Sub[0]), re.Min)
	case syntax.OpConcat:
		var b strings.Builder
		for _, s := range re.Sub {
			b.WriteString(simplest(s))
		}
		return b.String()
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			if text := simplest(s); text != "" {
				return text
			}
		}
	}
	return ""
}
