package grammar

import (
	"slices"
	"strconv"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// day is how far back "its average" looks where nobody says: a whole round of
// what comes and goes with the hours.
const day = 24 * time.Hour

// takeBaseline reads a comparison with the measure's own past: 40% lower than
// yesterday, twice what it was a week ago, below its 7 day average.
func (f *frame) takeBaseline() {
	for i := range f.items {
		if f.items[i].used {
			continue
		}
		mean, d, from, to, ok := f.pastAt(i)
		if !ok {
			continue
		}
		r := f.relationBefore(from, to)
		if r.op == "" && r.factor == 0 {
			continue
		}
		f.useAll(append(r.took, span(from, to)...)...)
		f.asBefore = true
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			ref := nlq.Term(nlq.Func{Name: nlq.Ago, Of: t, Window: d})
			if mean {
				ref = averaged(t, d)
			}
			return f.against(r, t, reference{of: ref}, m)
		}
		return
	}
}

// takeQuotient reads what a value is of what it was, or how far from it: now
// divided by a week ago, now against yesterday.
func (f *frame) takeQuotient() {
	for i := range f.items {
		op, ok := f.says(i, "operator")
		if _, versus := f.says(i, "versus"); versus && f.kind == lookup && (at(f.items, i-1).low == "now" || at(f.items, i-1).low == "today") {
			op, ok = "-", true // "now against a day ago" asks for the difference
		}
		if !ok || op != "/" && op != "-" || i == 0 {
			continue
		}
		for k := i + 1; k < min(len(f.items), i+5); k++ {
			mean, d, from, to, ok := f.pastAt(k)
			if !ok {
				continue
			}
			f.useAll(span(i, max(from, to))...)
			if low := at(f.items, i-1).low; low == "now" || low == "today" {
				f.use(i - 1)
			}
			for j := range f.items {
				if f.lexicon.sets["difference"][f.items[j].low] || op == "-" && f.lexicon.sets["difference"][at(f.items, j-1).low] && isWindow(f.items[j]) {
					f.use(j)
				}
			}
			f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
				ref := nlq.Term(nlq.Func{Name: nlq.Ago, Of: t, Window: d})
				if mean {
					ref = averaged(t, d)
				}
				return nlq.Binary{Op: op, Left: t, Right: ref}
			})
			return
		}
	}
}

// takeYesterday reads when a value is asked of: energy used yesterday.
func (f *frame) takeYesterday() {
	for i := range f.items {
		secs, ok := f.says(i, "ago")
		s, _ := strconv.ParseFloat(secs, 64)
		d := time.Duration(s * float64(time.Second))
		if dur, isTime := f.items[i].number.duration(); isTime && !f.items[i].used && f.kind == lookup && at(f.items, i+1).low == "ago" && at(f.items, i-1).low != "since" {
			f.useAll(i, i+1) // "what was it two hours ago"
			f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term { return nlq.Func{Name: nlq.Ago, Of: t, Window: dur} })
			return
		}
		if !ok || d < day || at(f.items, i-1).low == "since" || f.kind == alert || f.test != nil || len(f.conds) > 0 {
			continue
		}
		f.use(i)
		f.window, f.past = d, true
		f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term { return nlq.Func{Name: nlq.Ago, Of: t, Window: d} })
		return
	}
}

// averaged is t over d: the rate over d where t is a rate.
func averaged(t nlq.Term, d time.Duration) nlq.Term {
	if m, ok := t.(nlq.Measure); ok && m.Agg == nlq.Each && (m.Over == nlq.Rate || m.Over == nlq.AsIs) {
		if m.Over == nlq.AsIs {
			m.Over = nlq.Average
		}
		m.Window = d
		return m
	}
	return nlq.Func{Name: "avg_over_time", Of: t, Window: d}
}

// pastAt reads when in the past is meant, from item i on: a point in time, or
// the mean of what was until now.
func (f *frame) pastAt(i int) (mean bool, d time.Duration, from, to int, ok bool) {
	if secs, isAgo := f.says(i, "ago"); isAgo && at(f.items, i-1).low != "since" {
		s, _ := strconv.ParseFloat(secs, 64)
		return false, time.Duration(s * float64(time.Second)), i, i + 1, true
	}
	if dur, isTime := f.items[i].number.duration(); isTime {
		if _, since := f.says(i+1, "since ago"); since {
			return false, dur, i, i + 2, true
		}
		if i > 0 && (f.items[i-1].low == "previous" || f.items[i-1].low == "preceding") {
			return false, dur, i - 1, i + 1, true
		}
	}
	return f.ownMean(i)
}

// ownMean reads: its average, its 7 day average, the daily mean, its average
// over 2 hours.
func (f *frame) ownMean(i int) (mean bool, d time.Duration, from, to int, ok bool) {
	low := f.items[i].low
	if low != "its" && low != "their" && low != "the" && low != "own" {
		return
	}
	j := i + 1
	if at(f.items, j).low == "own" {
		j++
	}
	if dur, isTime := at(f.items, j).number.duration(); isTime {
		d = dur
		j++
	} else if secs, each := f.says(j, "each"); each {
		s, _ := strconv.ParseFloat(secs, 64)
		d = time.Duration(s * float64(time.Second))
		j++
	}
	agg, isAgg := f.says(j, "agg")
	_, usual := f.says(j, "usual")
	if !usual && (!isAgg || agg != string(nlq.Mean)) || d == 0 && low == "the" {
		return
	}
	j++
	if d == 0 {
		k := j
		for k < len(f.items) && k < j+3 && (f.lexicon.stop[f.items[k].low] || isWindow(f.items[k])) {
			k++
		}
		if dur, isTime := at(f.items, k).number.duration(); isTime && k > j {
			d, j = dur, k+1
		}
	}
	if d == 0 {
		d = day
		f.assume(0.05, "the average is taken over %s", nlq.Period(d))
	}
	return true, d, i, j, true
}

func isWindow(it item) bool {
	_, w := it.has("window")
	if _, during := it.has("during"); during {
		return true
	}
	_, o := it.has("over")
	return w || o
}

// takeSigma reads how far from its mean a value is in standard deviations:
// 3 sigma above its daily mean; or only that it is unusual.
func (f *frame) takeSigma() {
	for i := range f.items {
		_, sigma := f.says(i, "sigma")
		odd, unusual := f.says(i, "odd")
		if !sigma && (!unusual || f.saysAny("sigma")) {
			if unusual {
				f.use(i) // "unusual: 3 sigma above its mean" says how far
			}
			continue
		}
		n, op, took, d := 3.0, odd, []int{i}, time.Duration(0)
		if sigma {
			given, ok := f.amount(i - 1)
			if !ok {
				continue
			}
			n = given.value
			took = append(took, i-1)
			if _, more := f.says(i-2, "compare"); more {
				took = append(took, i-2)
			}
			for j := i + 1; j < len(f.items) && j < i+9; j++ {
				cmp, isCmp := f.says(j, "compare")
				_, isOver := f.says(j, "over")
				switch {
				case op == "" && isCmp && (cmp == ">" || cmp == "<"):
					op = cmp
				case op == "" && isOver:
					op = ">"
				case f.lexicon.stop[f.items[j].low], slices.Contains([]string{"away", "from", "own", "its", "their"}, f.items[j].low):
				default:
					if secs, each := f.says(j, "each"); each {
						s, _ := strconv.ParseFloat(secs, 64)
						d = time.Duration(s * float64(time.Second))
					} else if secs, ago := f.says(j, "ago"); ago {
						s, _ := strconv.ParseFloat(secs, 64)
						d = time.Duration(s * float64(time.Second))
					} else if dur, isTime := f.items[j].number.duration(); isTime && !f.items[j].used {
						d = dur
					} else if _, mean := f.says(j, "agg"); !mean && !isWindow(f.items[j]) {
						if _, hold := f.says(j, "hold"); hold || f.items[j].used {
							j = len(f.items)
							continue
						}
						if _, usual := f.says(j, "usual"); !usual {
							j = len(f.items)
							continue
						}
					}
				}
				took = append(took, j)
			}
		}
		if d == 0 {
			d = day
			f.assume(0.1, "unusual is meant against the last %s", nlq.Period(d))
		}
		if unusual {
			f.assume(0.1, "unusual is more than 3 standard deviations from the mean")
		}
		f.useAll(took...)
		f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
			z := nlq.Term(nlq.Binary{Op: "/", Left: nlq.Binary{Op: "-", Left: t, Right: averaged(t, d)}, Right: nlq.Func{Name: "stddev_over_time", Of: t, Window: d}})
			switch op {
			case "<":
				return nlq.Binary{Op: "<", Left: z, Right: nlq.Number(-n)}
			case ">":
				return nlq.Binary{Op: ">", Left: z, Right: nlq.Number(n)}
			}
			return nlq.Binary{Op: ">", Left: nlq.Func{Name: "abs", Of: z}, Right: nlq.Number(n)}
		}
		return
	}
}

// saysAny reports whether some item has role r.
func (f *frame) saysAny(r role) bool {
	for i := range f.items {
		if _, ok := f.says(i, r); ok {
			return true
		}
	}
	return false
}
