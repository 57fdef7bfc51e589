package grammar

import (
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeForecast reads what is about to happen: will fill within 6 hours, full
// before tomorrow, expected to exceed 90% in two hours.
func (f *frame) takeForecast() {
	for i := range f.items {
		_, will := f.says(i, "will")
		_, full := f.says(i, "fill")
		if !will && !full || f.kind == when || f.kind == lookup {
			continue
		}
		over := f.trendOver()
		ahead, a, b := f.ahead(i)
		if ahead == 0 {
			continue
		}
		f.useAll(append(span(a, b+1), i)...)
		low := full
		for j := i; j < len(f.items); j++ {
			if _, fills := f.says(j, "fill"); fills {
				f.use(j)
				low = true
			}
		}
		for j := range f.items {
			if _, grows := f.says(j, "trend"); grows {
				f.use(j) // "grows so fast that it is full before tomorrow"
			}
		}
		if !low && !f.conditionAfter(i) {
			continue
		}
		trend := 6 * time.Hour // a trend over less is noise, over more is history
		if ahead < 4*time.Hour {
			trend = time.Hour
		}
		if over > 0 {
			trend = over
		}
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

// trendOver reads over which time the trend is taken: going by the last 2 hours.
func (f *frame) trendOver() time.Duration {
	for i := range f.items {
		if _, ok := f.says(i, "trend over"); !ok {
			continue
		}
		for j := i + 1; j < min(i+4, len(f.items)); j++ {
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
