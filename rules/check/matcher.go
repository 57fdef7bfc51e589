package check

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// matcher finds matchers that parse and hardly mean what they say.
func (w *walk) matcher(v *parser.VectorSelector, m *labels.Matcher) {
	regexp := m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp
	switch {
	case m.Type == labels.MatchNotRegexp && m.Value == "":
		w.add(v, "matcher", Info, "%s asks for series with the label: %s!=\"\" says so more plainly", m, m.Name)
	case m.Type == labels.MatchRegexp && m.Value == "":
		w.add(v, "matcher", Warning, "%s matches only series without the label: is a pattern missing?", m)
	case m.Type == labels.MatchRegexp && m.Value == ".*":
		w.add(v, "matcher", Info, "%s matches everything: it can go", m)
	case regexp && !strings.ContainsAny(m.Value, `.*+?()[]{}|^$\`):
		w.add(v, "regexp", Info, "%s is no pattern: = or != compares texts, and faster", m)
	case regexp && len(m.Value) > 1 && strings.HasPrefix(m.Value, "^") && !strings.Contains(m.Value, "|"):
		w.add(v, "regexp", Info, "%s: a pattern has to match from beginning to end anyway; ^ and $ can go", m)
	case m.Value != strings.TrimSpace(m.Value):
		w.add(v, "matcher", Warning, "%s has spaces at an end of its value", m)
	case !regexp && strings.Contains(m.Value, ".*"), !regexp && strings.HasSuffix(m.Value, "*"):
		w.add(v, "matcher", Warning, "%s compares with the text as it stands: was a pattern (=~) meant?", m)
	}
}
