package lexicon

import "vedette.dev/nlq/grammar"

// Match returns the longest pattern that ws starts with.
func (l *Lexicon) Match(ws []grammar.Word) (Pattern, bool) {
	var best Pattern
	for _, first := range []string{ws[0].Low, "<n>", "<t>", "<w>"} {
		for _, p := range l.patterns[first] {
			if len(p.Words) > len(best.Words) && p.matches(ws) {
				best = p
			}
		}
	}
	return best, len(best.Words) > 0
}

func (p Pattern) matches(ws []grammar.Word) bool {
	if len(p.Words) > len(ws) {
		return false
	}
	for i, w := range p.Words {
		_, isNumber := ws[i].Number()
		_, isTime := ws[i].Duration()
		switch w {
		case "<n>":
			if !isNumber {
				return false
			}
		case "<t>":
			if !isTime {
				return false
			}
		case "<w>":
		default:
			if ws[i].Low != w {
				return false
			}
		}
	}
	return true
}
