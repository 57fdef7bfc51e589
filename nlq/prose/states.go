package prose

import (
	"regexp"
	"slices"
	"strconv"

	"vedette.dev/nlq"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// level is how help says what the values of a state are: 2=critical.
var level = regexp.MustCompile(`\b([0-9]+)=([a-z]+)\b`)

// state says when a state is bad: by the catalog where it knows, else by what
// the words of its name mean. The last such word decides.
func (r *reading) state(m catalog.Metric) (op string, limit float64, ok bool) {
	for _, l := range level.FindAllStringSubmatch(m.Help, -1) {
		if n, err := strconv.ParseFloat(l[1], 64); err == nil && r.said[l[2]] {
			return "==", n, true
		}
	}
	good := m.Unit == "{bool}" && m.Bad == "low"
	bad := m.Unit == "{bool}" && m.Bad == "high"
	words := index.Name(string(m.ID))
	slices.Reverse(words)
	for _, w := range words {
		if good || bad {
			break
		}
		good, bad = r.lexicon.States[w] == "good", r.lexicon.States[w] == "bad"
	}
	switch {
	case good:
		return "==", 0, true
	case bad:
		return ">", 0, true
	}
	return "", 0, false
}

// shareOfThose is how many of the things that m tells of are in the state that
// is bad, of all: "a tenth of the targets are down".
func (r *reading) shareOfThose(m catalog.Metric) (nlq.Term, bool) {
	op, limit, ok := r.state(m)
	if !ok || !r.percent() || m.Type != catalog.Gauge || m.Unit != "{bool}" || r.window > 0 {
		return nil, false
	}
	all := r.measure(m.ID)
	those := all
	those.Only = nlq.Comparison{Op: op, Limit: limit}
	all.Agg, all.By = nlq.Count, r.scope.By(m)
	those.Agg, those.By = all.Agg, all.By
	return nlq.Binary{Op: "/", Left: those, Right: all}, true
}

// isBound reports whether a metric is a limit that something else is held to.
func isBound(id string) bool {
	return slices.ContainsFunc(index.Name(id), func(w string) bool {
		return w == "max" || w == "limit" || w == "capacity" || w == "maximum" || w == "quota"
	})
}
