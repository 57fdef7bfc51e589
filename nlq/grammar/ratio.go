package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// longestName is how many words at most are tried as the name of a second measure.
const longestName = 8

// shareOfBoth reports whether some share goes by the words of both parts.
func (f *frame) shareOfBoth(own, of []item) bool {
	var words []string
	for _, it := range append(slices.Clone(own), of...) {
		if _, cmp := it.has("compare"); !cmp && !it.used && !it.name && !f.plain(it) && !it.inside && it.whole == "" {
			words = append(words, it.norms...)
		}
	}
	return f.words.some(slices.DeleteFunc(words, func(w string) bool { return isPlaceWord(w) || !f.words.is(w) }), func(n *named) bool {
		return f.dimension(n.metric.Unit) == "ratio" && !slices.ContainsFunc(n.words, func(w string) bool {
			return w != "usage" && w != n.metric.Entity && !slices.Contains(words, w)
		})
	})
}

// norms returns the words of every item.
func (f *frame) norms() (words []string) {
	for _, it := range f.items {
		words = append(words, it.norms...)
	}
	return words
}

// takeRatio reads a limit that is a share of another measure: at 90% of the
// power limit, above half of the wanted replicas.
func (f *frame) takeRatio() {
	for i := range f.items {
		n, ok := f.amount(i)
		if !ok || n.unit.dimension != "ratio" || !n.isUnit || at(f.items, i-1).low == "within" { // that is how far off
			continue
		}
		j := i + 1
		after := ""
		if v, isCmp := f.says(j, "compare"); isCmp && strings.HasPrefix(f.items[j].low, "or ") {
			after = v // 98% or more of
			j++
		}
		if at(f.items, j).low == "of" {
			j++
		} else if !strings.HasSuffix(f.items[i].low, " of") && f.items[i].low != "half" {
			continue
		}
		for to := min(len(f.items), j+longestName); to > j; to-- {
			if f.shareOfBoth(f.items[:i], f.items[j:to]) {
				return // "memory at 90% of its limit" is measured
			}
			m, ok := f.second(j, to, f.items[:i]) // "power at 90% of the limit": of the power limit
			if ok && f.ofAnother(m.ID, f.norms()) || to == j+1 && f.lexicon.sets["flowing"][f.items[j].low] {
				continue // of requests that come and go, not of those there are
			}
			if d := f.dimension(m.Unit); !ok || d == "ratio" || d == "time" || m.Unit == "{bool}" || m.Unit == "{gpu}" || m.Type == catalog.Counter {
				continue
			}
			op, took := ">=", span(i, to)
			for k := i - 1; k >= 0 && k >= i-2; k-- {
				if v, isCmp := f.says(k, "compare"); isCmp && len(v) <= 2 {
					op, took = v, append(took, k)
				} else if _, over := f.says(k, "over"); over {
					op, took = ">", append(took, k)
				}
			}
			if after != "" {
				op = after
			}
			f.narrowBy(m, j, to)
			f.useAll(took...)
			f.beside(m)
			f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
				of := nlq.Measure{Metric: m.ID}
				if ms, ok := t.(nlq.Measure); ok {
					of.Where, of.Agg, of.By = f.taken(ms.Where, m.ID), ms.Agg, ms.By
				}
				right, on := nlq.Joint(t, of, f.catalog)
				return nlq.Binary{Op: op, Left: nlq.Binary{Op: "/", Left: t, Right: right, On: on}, Right: nlq.Number(round(n.value * n.unit.factor))}
			}
			return
		}
	}
}
