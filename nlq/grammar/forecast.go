package grammar

import (
	"fmt"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeForecast reads what is about to happen: will fill within 6 hours, full
// before tomorrow, expected to exceed 90% in two hours, at this pace out of inodes
// within a day.
func (f *frame) takeForecast() {
	if f.kind == when || f.kind == lookup {
		return
	}
	onward := f.onward()
	for i := range f.items {
		_, will := f.says(i, "will")
		_, full := f.says(i, "fill")
		none, empty := 0, false
		if onward || will {
			if none, empty = f.emptyAt(i); empty {
				full = true
			}
		}
		if !will && !full {
			continue
		}
		over := f.trendOver()
		from := i
		if onward {
			from = 0 // within a day it is full at this pace, or at this pace within a day
		}
		ahead, a, b := f.ahead(from)
		if ahead == 0 {
			continue
		}
		low := full
		for j := i; j < len(f.items); j++ {
			_, fills := f.says(j, "fill")
			_, empty := f.emptyAt(j)
			low = low || fills || empty && will
		}
		reaches := false
		for j := i; j < len(f.items); j++ {
			w, ok := f.wholeAt(j)
			reaches = reaches || ok && w.versus
		}
		if !low && !reaches && !f.conditionAfter(i) {
			continue
		}
		f.useAll(append(span(a, b+1), i)...)
		if none > 0 {
			f.useAll(span(i, none)...)
		}
		for j := i; j < len(f.items); j++ {
			if to, empty := f.emptyAt(j); empty && will && low {
				f.useAll(span(j, to)...)
			}
			if _, fills := f.says(j, "fill"); fills {
				f.use(j)
			}
		}
		for j := range f.items {
			if _, grows := f.says(j, "trend"); grows {
				f.use(j) // "grows so fast that it is full before tomorrow"
			}
			if _, on := f.says(j, "onward"); on || low && (f.lexicon.sets["no more"][f.items[j].low] || f.lexicon.sets["room"][f.items[j].low]) {
				f.use(j)
			}
		}
		trend := 6 * time.Hour // a trend over less is noise, over more is history
		if ahead < 4*time.Hour {
			trend = time.Hour
		}
		if over > 0 {
			trend = over
		}
		f.forecast = true
		f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
			return nlq.Func{Name: "predict_linear", Of: t, Param: ahead.Seconds(), Window: trend}
		})
		if over == 0 {
			f.assume(0.05, "by its trend over %s", nlq.Period(trend))
		}
		if low {
			f.bytesLeft = true
			f.compares = append(f.compares, compare{op: "<"})
		}
		return
	}
}

// onward reports whether it is said that things go on as they do: at this pace.
func (f *frame) onward() bool {
	return f.saysAny("onward") || f.saysAny("trend over")
}

// emptyAt reads from item i on that nothing is left of what is measured, and returns
// the item behind it: is at zero, has no bytes left, out of inodes.
func (f *frame) emptyAt(i int) (to int, ok bool) {
	it := f.items[i]
	if it.used {
		return 0, false
	}
	n, isNumber := f.amount(i)
	switch {
	case isNumber && n.value == 0 && !n.isUnit || it.low == "zero":
		return i + 1, f.lexicon.stop[at(f.items, i-1).low] || f.comparedBefore(i)
	case it.low == "out" && at(f.items, i+1).low == "of":
		return i + 2, true
	case it.low == "out of":
		return i + 1, true
	case it.low == "no", it.low == "has no", it.low == "have no":
		for k := i + 1; k < min(len(f.items), i+longestName); k++ {
			if f.lexicon.sets["no more"][f.items[k].low] || k > i+1 && f.lexicon.sets["remaining"][f.items[k].low] {
				return i + 1, true // no bytes left
			}
		}
	}
	return 0, false
}

// runsOut has m looked at for when all of it is gone: of what is left the end is
// nothing, of what is used all there is.
func (f *frame) runsOut(m catalog.Metric) (catalog.Metric, error) {
	if !f.bytesLeft {
		return m, nil
	}
	f.each, f.parts = nil, nil // one of them fills, and not all together
	last := len(f.compares) - 1
	used, whole, how := f.end(&m)
	switch how {
	case left:
		if d, ok := f.catalog.Derived(m.ID); ok {
			if of, _, ok := d.Gauges(); ok && f.catalog.Rest(of) {
				own, _ := f.catalog.Metric(of)
				return own, nil // nothing left is no share of anything
			}
		}
	case full:
		f.compares[last] = compare{op: ">=", limit: number{value: 1, unit: f.lexicon.units["1"], isUnit: true}}
	case bounded:
		f.compares = f.compares[:last]
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			_, right, on := f.besideWhole(t, whole)
			return nlq.Binary{Op: ">", Left: t, Right: right, On: on}
		}
		return used, nil
	default:
		return m, f.settle(fmt.Sprintf("How much of %s can there be? No metric says so.", f.title(m.ID)))
	}
	return m, nil
}

// An ending is how the end of what is measured is told.
type ending int

const (
	endless ending = iota
	left           // by nothing being left
	full           // by a share that is all
	bounded        // by another metric that says how much there is
)

// end returns how m tells that something has run out, and for what is bounded, what
// of it is used and the whole.
func (f *frame) end(m *catalog.Metric) (used, whole catalog.Metric, how ending) {
	d, derived := f.catalog.Derived(m.ID)
	switch {
	case m.Type != catalog.Gauge:
		return *m, whole, endless
	case f.dimension(m.Unit) == "ratio" && m.Bad == "low" && !strings.HasPrefix(d.Expr, "100 - "):
		return *m, whole, left
	case derived && f.dimension(m.Unit) == "ratio":
		if a, b, ok := d.Gauges(); ok {
			of, aok := f.catalog.Metric(a)
			all, bok := f.catalog.Metric(b)
			if aok && bok {
				return of, all, bounded
			}
		}
		if m.Bad == "low" {
			return *m, whole, left
		}
		return *m, whole, full
	case f.dimension(m.Unit) == "ratio":
		return *m, whole, full
	case derived && strings.Contains(d.Expr, " - "):
		a, b, _ := strings.Cut(d.Expr, " - ")
		all, aok := f.catalog.Metric(catalog.ID(a))
		of, bok := f.catalog.Metric(catalog.ID(b))
		if aok && bok {
			return of, all, bounded // what is used of all, rather than what they leave
		}
		return *m, whole, endless
	case f.catalog.Rest(m.ID):
		return *m, whole, left
	case derived:
		return *m, whole, endless
	}
	if all, ok := f.catalog.Full(m.ID); ok {
		return *m, all, bounded
	}
	if of, ok := f.catalog.InUse(m.ID); ok {
		return of, *m, bounded
	}
	return *m, whole, endless
}

// trendOver reads over which time the trend is taken: going by the last 2 hours.
func (f *frame) trendOver() time.Duration {
	for i := range f.items {
		if _, ok := f.says(i, "trend over"); !ok {
			continue
		}
		for j := i + 1; j < min(i+longestName, len(f.items)); j++ {
			if it := f.items[j]; it.number == nil && !f.lexicon.stop[it.low] && !isWindow(it) && it.low != "trend" {
				break
			}
			d, ok := f.items[j].number.duration()
			if n, is := f.amount(j); is && !n.isUnit {
				d, ok = f.asLong(n.value, i)
			}
			if ok && !f.items[j].used {
				f.useAll(span(i, j+1)...)
				return d
			}
		}
	}
	return 0
}

// asLong returns n of what the time before item i is told in: within 24 hours,
// judging by the last 6.
func (f *frame) asLong(n float64, i int) (time.Duration, bool) {
	for k := i - 1; k >= 0; k-- {
		if was := f.items[k].number; was != nil && was.unit.dimension == "time" {
			return (&number{value: n, unit: was.unit, isUnit: true}).duration()
		}
	}
	return 0, false
}

// ahead finds how far ahead is looked after item i: in 6 h, before tomorrow.
func (f *frame) ahead(i int) (time.Duration, int, int) {
	found, a, b := time.Duration(0), 0, 0
	for j := i + 1; j < len(f.items); j++ {
		if f.items[j].low == "tomorrow" && !f.items[j].used {
			found, a, b = day, j, j
			if f.items[j-1].low == "before" {
				a = j - 1
			}
		}
		d, ok := f.items[j].number.duration()
		if !ok || f.items[j].used {
			continue
		}
		prev := f.items[j-1].low
		if isWindow(f.items[j-1]) || strings.HasPrefix(prev, "less than") || prev == "before" || prev == "next" || prev == "the next" || found > 0 {
			found, b = d, j
			if a == 0 || prev == "before" {
				a = j - 1
			}
		}
	}
	return found, a, b
}
