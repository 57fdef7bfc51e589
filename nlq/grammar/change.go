package grammar

import (
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// changeOver is the window in which something changes where nobody says: what
// is seen in an hour is no flicker.
const changeOver = time.Hour

// takeChange reads how a value moves: jumped more than 15 degrees within 10
// minutes, lost half in an hour, rising faster than 2 degrees per minute, growing.
func (f *frame) takeChange() {
	for i := range f.items {
		dir, ok := f.says(i, "direction")
		if !ok || f.inMeasure(i) {
			continue
		}
		if f.takeSpeed(i, dir) || f.takeStep(i, dir) || f.takeTrend(i, dir) {
			return
		}
	}
}

// inMeasure reports whether the word at i is one of what a measure is called by,
// together with the word before it: rx drops of EFA. A temperature that drops
// is no such thing.
func (f *frame) inMeasure(i int) bool {
	before := at(f.items, i-1)
	if i == 0 || before.used || before.number != nil || len(before.norms) != 1 || len(f.items[i].norms) != 1 || f.plain(before) || isPlaceWord(before.norms[0]) {
		return false
	}
	return f.words.called(before.norms[0], f.items[i].norms[0])
}

// takeSpeed reads: rising faster than 2 degrees per minute, grows by more than 100
// MiB per minute.
func (f *frame) takeSpeed(i int, dir string) bool {
	j := f.next(i + 1)
	faster := at(f.items, j).low == "faster than"
	if faster {
		j++
	} else {
		for ; j < len(f.items) && f.items[j].number == nil; j++ {
			v, cmp := f.says(j, "compare")
			_, over := f.says(j, "over")
			if f.items[j].low != "by" && !over && (!cmp || v[0] != '>') {
				return false
			}
		}
	}
	n, ok := f.amount(j)
	each, _ := at(f.items, j+1).number.duration()
	if !ok || !faster && (!perTime(at(f.items, j+1).low) || each >= usual) {
		return false // how much it is after an hour is a step
	}
	per := 1.0
	took := span(i, j+1)
	k := j + 1
	switch _, by := f.says(k, "by"); {
	case n.isUnit && n.unit.dimension == "count/s":
		per = n.unit.factor
		n = number{value: n.value}
	case by:
		k++
		fallthrough
	default:
		if d, isTime := at(f.items, k).number.duration(); isTime {
			per, took = 1/d.Seconds(), append(took, k-1, k)
		} else if u, isUnit := f.lexicon.unit(at(f.items, k).low); isUnit && u.dimension == "time" {
			per, took = 1/u.factor, append(took, k-1, k)
		}
	}
	f.useAll(took...)
	f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
		slope := nlq.Term(nlq.Func{Name: "deriv", Of: t, Window: f.windowOr(usual)})
		if ms, ok := t.(nlq.Measure); ok && m.Type == catalog.Counter {
			ms.Over, ms.Window = nlq.Rate, f.windowOr(usual)
			slope = ms
		}
		limit := f.convert(n, m.Unit)
		op := dir
		if op == "<" {
			limit = -limit
		}
		if per != 1 {
			slope = nlq.Binary{Op: "*", Left: slope, Right: nlq.Number(round(1 / per))}
		}
		return nlq.Binary{Op: op, Left: slope, Right: nlq.Number(limit)}
	}
	return true
}

// takeStep reads a change by an amount, before or after it, within a window:
// lost 50 points in 5m, a 20% drop within an hour. Without "by" and without a
// window the amount is where it went to.
func (f *frame) takeStep(i int, dir string) bool {
	r := relation{op: dir}
	by := false
	j := i + 1
	for ; j < len(f.items); j++ {
		_, cmp := f.says(j, "compare")
		_, over := f.says(j, "over")
		by = by || f.items[j].low == "by"
		if !cmp && !over && f.items[j].low != "by" && !f.lexicon.stop[f.items[j].low] {
			break
		}
		if v, _ := f.says(j, "compare"); cmp && v[0] != '>' {
			return false // "dips under 40" says where to
		}
	}
	took := span(i, j+1)
	n, ok := f.amount(j)
	if !ok {
		j = i
		if n, ok = f.amount(i - 1); !ok {
			return false
		}
		took, by = []int{i, i - 1}, true
	}
	if _, isTime := n.duration(); isTime {
		return false
	}
	window, at1, at2 := f.windowIn(i)
	if d, isTime := at(f.items, j+1).number.duration(); isTime && perTime(f.items[j+1].low) {
		window, at1, at2 = d, j+1, j+1
	}
	if v, more := f.says(j+1, "compare"); more && strings.HasPrefix(f.items[j+1].low, "or ") && len(v) == 2 {
		took = append(took, j+1)
		r.op = v
	}
	if window == 0 && !by {
		return false
	}
	if window == 0 {
		window = changeOver
		f.assume(0.1, "the change is looked for over %s", nlq.Period(window))
	} else {
		took = append(took, at1, at2)
	}
	r.by = &n
	r = f.finish(r, len(f.items))
	f.useAll(took...)
	f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
		if ms, ok := t.(nlq.Measure); ok && m.Type == catalog.Counter && dir == ">" && r.by != nil && r.by.unit.dimension != "ratio" {
			ms.Over, ms.Window = nlq.Increase, window
			return nlq.Binary{Op: ">", Left: ms, Right: nlq.Number(f.convert(*r.by, m.Unit))}
		}
		if r.by == nil || r.by.unit.dimension == "ratio" && r.by.unitRaw != "points" {
			return f.against(r, t, reference{of: nlq.Func{Name: nlq.Ago, Of: t, Window: window}}, m)
		}
		limit := f.convert(*r.by, m.Unit)
		op := r.op
		if dir == "<" {
			limit, op = -limit, dir
		}
		return nlq.Binary{Op: op, Left: nlq.Func{Name: "delta", Of: t, Window: window}, Right: nlq.Number(limit)}
	}
	return true
}

// takeTrend reads: growing, went up this week. What counts up grew if there
// was one more.
func (f *frame) takeTrend(i int, dir string) bool {
	if _, trend := f.says(i, "trend"); !trend || f.conditionAfter(f.next(i+1)) {
		return false
	}
	if len(f.compares) > 0 || f.test != nil || f.kind == lookup {
		return false
	}
	window, at1, at2 := f.windowIn(i)
	f.use(i)
	if window > 0 {
		f.useAll(at1, at2)
	}
	f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
		if window == 0 {
			window = changeOver
			if m.Type == catalog.Counter {
				window = usual
			}
			f.assume(0.02, "over %s", nlq.Period(window))
		}
		if ms, ok := t.(nlq.Measure); ok && m.Type == catalog.Counter {
			ms.Over, ms.Window = nlq.Increase, window
			return nlq.Binary{Op: ">", Left: ms, Right: nlq.Number(0)} // what counts never falls: "dropping spans" counts drops
		}
		return nlq.Binary{Op: dir, Left: nlq.Func{Name: "delta", Of: t, Window: window}, Right: nlq.Number(0)}
	}
	return true
}

// windowIn finds the window within which something happens: in 5m, within an
// hour, this week. It returns the items that say so.
func (f *frame) windowIn(i int) (time.Duration, int, int) {
	for j := range f.items {
		if secs, ago := f.says(j, "ago"); ago && j > 0 && f.items[j-1].low == "since" {
			s, _ := strconv.ParseFloat(secs, 64)
			return time.Duration(s * float64(time.Second)), j - 1, j
		}
		d, ok := f.items[j].number.duration()
		if !ok || f.items[j].used || j == 0 {
			continue
		}
		if isWindow(f.items[j-1]) || f.items[j-1].low == "this" {
			return d, j - 1, j
		}
	}
	return 0, 0, 0
}
