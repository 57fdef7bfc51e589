package grammar

import (
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// Where nobody says how often, more than twice in a quarter of an hour is a
// flicker, as the published rules on flapping nodes have it.
const (
	flips     = 2
	flipsOver = 15 * time.Minute
)

// takeFlips reads that a value goes back and forth: flips more than 30 times in
// an hour, is flapping.
func (f *frame) takeFlips() {
	for i := range f.items {
		alone, ok := f.says(i, "flip")
		if !ok || f.test != nil || f.kind == lookup && !f.counting || f.inMeasure(i) {
			continue
		}
		op, n, took := f.oftener(i + 1)
		many := f.kind == lookup // how many cards had their power limit changed
		if d, _, _ := f.windowIn(i); many && d > 0 && took == nil {
			op, n, took = ">", 0, []int{}
		}
		if took == nil && (many || alone == "" || f.limited(i)) {
			continue // "changed by more than 5 degrees", "flapping: > 5 carrier changes"
		}
		window, at1, at2 := f.windowIn(i)
		for j := range f.items {
			if d, isTime := f.items[j].number.duration(); isTime && window == 0 && perTime(f.items[j].low) {
				window, at1, at2 = d, j, j
			}
		}
		f.useAll(append(took, i)...)
		if window > 0 {
			f.useAll(at1, at2)
		} else {
			window = flipsOver
		}
		if took == nil {
			f.assume(0.1, "more than %d times in %s", flips, nlq.Period(window))
		}
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			if ms, ok := t.(nlq.Measure); ok && m.Type == catalog.Counter {
				ms.Over, ms.Window = nlq.Increase, window
				return nlq.Binary{Op: op, Left: ms, Right: nlq.Number(n)}
			}
			return nlq.Binary{Op: op, Left: nlq.Func{Name: "changes", Of: t, Window: window}, Right: nlq.Number(n)}
		}
		if many {
			f.counting = false
			f.conds = append(f.conds, func(t nlq.Term, m catalog.Metric) nlq.Term {
				return nlq.Group{Agg: nlq.Count, Of: t, By: f.kept(m, f.by)}
			})
		}
		return
	}
}

// oftener reads from item i on how many times: more than 30 times, twice.
func (f *frame) oftener(i int) (op string, n float64, took []int) {
	for j := i; j < min(len(f.items), i+longestName) && !f.after(j+1, "join"); j++ {
		v, cmp := f.says(j, "compare")
		if _, over := f.says(j, "over"); over {
			v, cmp = ">", true
		}
		if !cmp || len(v) > 2 {
			continue
		}
		if x, ok := f.says(j+1, "times"); ok && x != "" && strings.Trim(x, "x") == "" {
			return v, float64(len(x)), []int{j, j + 1} // more than twice
		}
		k, given := f.limitOf(j)
		if given && !f.items[k].number.isUnit && at(f.items, k+1).low == "times" {
			return v, f.items[k].number.value, []int{j, k, k + 1}
		}
	}
	return ">", flips, nil
}
