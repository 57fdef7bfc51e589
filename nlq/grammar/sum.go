package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeSum reads two measures that are added up, or one taken off the other:
// NVLink receive plus transmit, rx and tx bandwidth together, allocatable minus
// requested.
func (f *frame) takeSum() {
	for i := range f.items {
		_, and := f.says(i, "and")
		op, plus := f.says(i, "operator")
		ratio := !plus && f.items[i].low == "to" && f.ratioBefore(i)
		if !plus && (ratio || f.items[i].low == "/" && f.between(i)) {
			op, plus = "/", true
		}
		if !plus {
			op = "+"
		}
		if i == 0 || f.items[i].used || !plus && !and {
			continue
		}
		if op == "+" && f.otherWay(i) {
			return
		}
		for to := min(len(f.items), i+1+longestName); to > i+1; to-- {
			after, both := f.addsUp(to)
			if !plus && !both {
				continue
			}
			if op == "/" && f.shareOfBoth(f.items[:i], f.items[i+1:to]) {
				f.useAll(i)
				return // "memory divided by its limit" is measured
			}
			var m catalog.Metric
			ok := false
			if op == "/" {
				m, ok = f.second(i+1, to, nil) // a share has two names
			}
			if !ok {
				m, ok = f.second(i+1, to, f.items[:i])
			}
			if !ok {
				continue
			}
			if op == "/" && f.kind == unsaid && ratio && !f.conditionAfter(to) {
				f.kind = lookup // of failed to successful requests
			}
			if op == "/" && f.kind == unsaid && !f.condition(slices.Concat(f.items[:i], f.items[to:])) {
				f.kind = lookup
			}
			if both {
				f.useAll(span(to, after)...)
			}
			for _, it := range f.items[i+1 : to] {
				if op == "/" {
					f.lent = append(f.lent, it.norms...) // "accepted / draft tokens"
				} else {
					f.implied = append(f.implied, it.norms...) // "receive plus transmit bandwidth"
				}
			}
			if op == "/" && f.brand(brandOf(m.ID)) {
				f.lent = append(f.lent, brandOf(m.ID))
			}
			f.narrowBy(m, i+1, to)
			f.useAll(span(i, to)...)
			if f.quotient = op == "/"; !f.quotient {
				f.outUnit = f.dimension(m.Unit)
			}
			f.values = append(f.values, f.with(op, m))
			return
		}
	}
}

// otherWay reads that what is measured one way is added up with what goes the other:
// NVLink traffic tx + rx. Item i stands between the two.
func (f *frame) otherWay(i int) bool {
	way := func(k int) string {
		if it := at(f.items, k); len(it.norms) == 1 && !it.used && isWay(it.norms[0]) {
			return it.norms[0]
		}
		return ""
	}
	one, other := way(i-1), way(i+1)
	if one == "" || other == "" || one == other || len(f.values) > 0 {
		return false
	}
	f.useAll(i, i+1)
	if to, ok := f.addsUp(i + 2); ok {
		f.useAll(span(i+2, to)...)
	}
	f.bothWays()
	return true
}

// with makes of t what op makes of it and m.
func (f *frame) with(op string, m catalog.Metric) shaper {
	return func(t nlq.Term, _ catalog.Metric) nlq.Term {
		right, on := nlq.Joint(t, f.like(t, m), f.catalog)
		return nlq.Binary{Op: op, Left: t, Right: right, On: on}
	}
}

// between reports whether item i, a sign, stands between words that measures are
// called by: / alone is a file system.
func (f *frame) between(i int) bool {
	if i == 0 {
		return false
	}
	before, after := at(f.items, i-1), at(f.items, i+1)
	_, _, place := f.place(i - 1)
	place = place || subset(before.norms, []string{"filesystem", "disk", "partition", "fs", "volume"})
	return !place && len(before.norms) > 0 && f.words.all(before.norms) && len(after.norms) > 0 && f.words.all(after.norms) && !f.lexicon.stop[before.low] && !f.lexicon.stop[after.low]
}

// ratioBefore reports whether item i stands between the two that a ratio is of, and
// takes what says so: the ratio of waiting to running requests.
func (f *frame) ratioBefore(i int) bool {
	for k := i - 1; k >= max(0, i-longestName); k-- {
		if low := f.items[k].low; low == "ratio of" || low == "ratio" && at(f.items, k+1).low == "of" {
			f.useAll(k)
			return true
		}
	}
	return false
}

// takeEitherWay reads that both directions count: of what has two, such as
// received and transmitted, both are added up; of a limit, it is one for both
// signs, as in 50 ms off in either direction.
func (f *frame) takeEitherWay() {
	for i := range f.items {
		if _, ok := f.says(i, "either way"); !ok {
			continue
		}
		f.use(i)
		if strings.HasSuffix(f.items[i].low, " by") {
			f.extra = append(f.extra, "offset") // the clock is off by a second
		}
		if to, ok := f.addsUp(i + 1); ok {
			f.useAll(span(i+1, to)...)
		}
		f.bothWays()
		return
	}
}

// bothWays adds up what is measured with what goes the other way; of what has no other,
// both signs count.
func (f *frame) bothWays() {
	f.values = append(f.values, func(t nlq.Term, m catalog.Metric) nlq.Term {
		back, ok := f.catalog.Opposite(m.ID)
		if !ok {
			return nlq.Func{Name: "abs", Of: t}
		}
		right, on := nlq.Joint(t, f.like(t, back), f.catalog)
		return nlq.Binary{Op: "+", Left: t, Right: right, On: on}
	})
}

// addsUp reports whether the words from item i on say that what stands before
// them is added up, and where they end.
func (f *frame) addsUp(i int) (to int, ok bool) {
	for to = i; to < len(f.items) && slices.Contains([]string{"together", "combined", "summed", "summed up", "added up", "added", "in sum", "taken together"}, f.items[to].low); to++ {
		ok = true
	}
	return to, ok
}

// second reads the items from i to to as the name of a second measure, which
// may share words with what is said in before.
func (f *frame) second(i, to int, before []item) (catalog.Metric, bool) {
	g := f.part(f.items[i:to], nil)
	g.kind, g.lenient, g.quiet, g.quotient = lookup, false, true, f.quotient
	if pods := f.placeNamed("pod"); !slices.ContainsFunc(before, func(it item) bool { return slices.Contains(it.norms, pods.Name) }) {
		g.implied = []string{"gpu"} // it goes without saying, but for what nodes have of pods
	}
	if len(g.wanting()) == 0 {
		return catalog.Metric{}, false
	}
	for _, it := range before {
		if _, cmp := it.has("compare"); !cmp && !it.used && !f.plain(it) {
			g.implied = append(g.implied, it.norms...)
		}
	}
	m, err := g.measure()
	return m, err == nil
}
