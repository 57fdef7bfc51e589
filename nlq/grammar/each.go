package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// looksAtEach reports whether the question is about single places.
func (f *frame) looksAtEach() bool {
	return slices.ContainsFunc(f.weakPlaces(), func(p string) bool { return p != "gpu" })
}

// eachOf reports whether each of what tells of m has its answer: how many pods each
// kubelet runs.
func (f *frame) eachOf(m catalog.Metric) bool {
	for i := range f.items {
		if low := at(f.items, i-1).low; low != "each" && low != "every" {
			continue
		}
		if slices.ContainsFunc(f.items[i].norms, func(w string) bool { return w == m.Entity || w == brandOf(m.ID) }) {
			return true
		}
	}
	return false
}

// ofOne reports whether one of the places that are called so is spoken of, whichever:
// a machine, any node.
func (f *frame) ofOne(place string) bool {
	for i := range f.items {
		p, _, ok := f.place(i)
		if before := at(f.items, i-1).low; ok && p.Name == place && (before == "a" || before == "an" || f.after(i, "determiner")) && !strings.HasSuffix(f.items[i].low, "s") {
			return true
		}
	}
	return false
}

// namesModel reports whether one model is named.
func (f *frame) namesModel() bool {
	return slices.ContainsFunc(f.filters, func(fl filter) bool {
		return (fl.place == "model" || fl.bare) && !fl.not && !strings.ContainsAny(fl.value, "*|")
	})
}

// sumsDetails reports whether a limit, or what was before, is of all requests that m
// counts, whatever their code, path or verb: nobody limits each of those by itself,
// but for wanting none.
func (f *frame) sumsDetails(ms *nlq.Measure, m catalog.Metric) bool {
	limited := len(f.compares) == 1 && f.compares[0].limit.value != 0 && f.test == nil
	counts := m.Type == catalog.Counter || m.Type == catalog.Gauge && strings.HasPrefix(string(m.Unit), "{") && m.Unit != "{bool}" && m.Unit != "{value}"
	if !counts || !limited && !f.asBefore || f.kind == lookup || len(ms.By)+len(f.each) > 0 || f.looksAtOther(m.Entity) || f.subject != "" {
		return false
	}
	return slices.ContainsFunc(m.Labels, func(l string) bool {
		if m.Type == catalog.Gauge {
			said := slices.ContainsFunc(ms.Where, func(w nlq.Matcher) bool { return w.Label == l })
			return !said && (l == "status" || l == "partition" && m.Unit == "{message}")
		}
		return f.lexicon.sets["detail"][l]
	})
}

// looksAtOther reports whether the question is about single places other than those
// of its kind which it only names: on nginx ingress, but not on an ingress.
func (f *frame) looksAtOther(entity string) bool {
	for i := range f.items {
		if p, _, ok := f.place(i); ok && f.items[i].weak && (p.Name != entity || f.lexicon.stop[at(f.items, i-1).low] || f.after(i, "determiner")) {
			return true
		}
	}
	return false
}

// distributes reports whether each of what is measured has its answer.
func (f *frame) distributes() bool {
	for i := range f.items {
		if low := f.items[i].low; (low == "each" || low == "every") && at(f.items, i+1).weak {
			return true
		}
	}
	return false
}
