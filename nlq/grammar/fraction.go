package grammar

import (
	"math"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeFraction reads that a share is wanted as a part of one, or of a hundred: quota
// used (ratio), what fraction of the memory, the hit rate as a percentage.
func (f *frame) takeFraction() {
	if f.kind == alert || f.kind == when || f.scale != nil || f.test != nil || len(f.conds) > 0 || f.saysAny("compare") && f.kind != lookup {
		return
	}
	i, u := f.fractionAt()
	if i < 0 {
		return
	}
	if _, kind := f.says(i, "kind"); !kind && !strings.HasSuffix(f.items[i].low, " of") {
		f.use(i)
	}
	if as := at(f.items, i-1).low; (as == "a" || as == "percentage") && at(f.items, i-2).low == "as" {
		f.useAll(i-1, i-2)
	} else if as == "as" {
		f.use(i - 1)
	}
	if f.kind == unsaid {
		f.kind = lookup
	}
	if len(f.values) == 0 && f.given == nil && f.amounts() {
		f.outUnit = "ratio" // memory used, as a fraction: of all there is
	}
	own := f.quotient
	f.scale = func(t nlq.Term, m catalog.Metric) nlq.Term {
		is, _ := f.lexicon.unit(string(f.unitOf(t, m)))
		if own || f.quotient {
			is = f.lexicon.units["1"]
		}
		per := round(u.factor / is.factor)
		switch {
		case is.dimension != "ratio" || is.factor == u.factor || is.factor == 0:
			return t
		case per > 1 && per == math.Trunc(per):
			return nlq.Binary{Op: "/", Left: t, Right: nlq.Number(per)}
		}
		return nlq.Binary{Op: "*", Left: t, Right: nlq.Number(round(is.factor / u.factor))}
	}
}

// fractionAt returns the item that says as a part of what a share is wanted, -1 where
// none does.
func (f *frame) fractionAt() (int, unit) {
	for i, it := range f.items {
		last := it.low
		if k := strings.LastIndexByte(last, ' '); k >= 0 {
			if words := strings.Fields(last); !slices.ContainsFunc(words, func(w string) bool { return f.lexicon.sets["fraction"][w] || w == "percentage" || w == "percent" }) {
				continue
			} else if j := slices.IndexFunc(words, func(w string) bool { return f.lexicon.sets["fraction"][w] || w == "percentage" || w == "percent" }); j >= 0 {
				last = words[j]
			}
		}
		before, after := at(f.items, i-1).low, at(f.items, i+1)
		_, kind := it.has("kind")
		_, operator := it.has("operator")
		alone := before == "(" || before == "as" || before == "a" && at(f.items, i-2).low == "as"
		if it.number != nil || !kind && !operator && !alone || alone && after.low == "of" && it.used {
			continue
		}
		switch {
		case f.lexicon.sets["fraction"][last]:
			return i, f.lexicon.units["1"]
		case last == "percentage", last == "percent":
			return i, f.lexicon.units["%"]
		}
	}
	return -1, unit{}
}
