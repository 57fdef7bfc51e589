package prose

import (
	"slices"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// state says when a state is bad: by the catalog where it knows, else by what
// the words of its name mean. The last such word decides.
func (r *reading) state(m catalog.Metric) (op string, limit float64, ok bool) {
	good := m.Unit == "{bool}" && m.Bad == "low"
	bad := m.Unit == "{bool}" && m.Bad == "high"
	words := index.Name(string(m.ID))
	slices.Reverse(words)
	for _, w := range words {
		if good || bad {
			break
		}
		good, bad = r.lexicon.states[w] == "good", r.lexicon.states[w] == "bad"
	}
	switch {
	case good:
		return "==", 0, true
	case bad:
		return ">", 0, true
	}
	return "", 0, false
}

// isBound reports whether a metric is a limit that something else is held to.
func (l *lexicon) isBound(id string) bool {
	return slices.ContainsFunc(index.Name(id), func(w string) bool {
		return w == "max" || w == "limit" || w == "capacity" || w == "maximum" || w == "quota"
	})
}
