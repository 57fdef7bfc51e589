package grammar

import (
	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeHours reads when a condition counts: during business hours, at weekends,
// at night, 9-17 UTC. Hours are those of UTC: Prometheus knows no other.
func (f *frame) takeHours() {
	for i := range f.items {
		when, ok := f.says(i, "hours")
		if !ok || f.inName(i) {
			continue // namespace batch-night
		}
		from, to, took := f.clock(i)
		if when == "clock" && took == nil {
			continue
		}
		f.use(i)
		f.useAll(took...)
		for k := range f.items {
			if zone, _ := f.says(k, "hours"); zone == "clock" && k != i {
				f.use(k)
			}
		}
		var on []nlq.Term
		weekday := func(op string, d float64) nlq.Term {
			return nlq.Binary{Op: op, Left: nlq.Func{Name: "day_of_week"}, Right: nlq.Number(d)}
		}
		between := func(a, b float64, f nlq.Term) nlq.Term {
			return nlq.Binary{Op: "<", Left: nlq.Binary{Op: ">=", Left: f, Right: nlq.Number(a)}, Right: nlq.Number(b)}
		}
		hour := nlq.Term(nlq.Func{Name: "hour"})
		clock := func(a, b float64) {
			if took != nil {
				a, b = from, to
			} else {
				f.assume(0.1, "that is from %g to %g UTC", a, b)
			}
			if a < b {
				on = append(on, between(a, b, hour))
				return
			}
			on = append(on, nlq.Binary{Op: "or", Left: nlq.Binary{Op: ">=", Left: hour, Right: nlq.Number(a)}, Right: nlq.Binary{Op: "<", Left: hour, Right: nlq.Number(b)}})
		}
		weekdays := func() { on = append(on, between(1, 6, nlq.Func{Name: "day_of_week"})) }
		switch when {
		case "business":
			clock(9, 17)
			if took == nil {
				weekdays()
			}
		case "night":
			clock(22, 6)
		case "weekday":
			weekdays()
			if took != nil {
				clock(0, 0)
			}
		case "weekend":
			on = append(on, nlq.Binary{Op: "or", Left: weekday("==", 0), Right: weekday("==", 6)})
		case "clock":
			clock(0, 0)
		}
		op := "and"
		if i > 0 && f.items[i-1].low == "outside" || at(f.items, i-1).low == "outside of" {
			op = "unless"
			f.use(i - 1)
		}
		f.conds = append(f.conds, func(t nlq.Term, _ catalog.Metric) nlq.Term {
			for _, c := range on {
				t = nlq.Binary{Op: op, Left: t, Right: c, On: []string{}}
			}
			return t
		})
	}
}

// clock reads two hours around item i: 9-17 UTC, between 22 and 6.
func (f *frame) clock(i int) (from, to float64, took []int) {
	for j := max(0, i-4); j < min(len(f.items), i+4); j++ {
		a, ok := f.amount(j)
		if !ok || a.isUnit || a.value > 24 {
			continue
		}
		k := j + 1
		if low := at(f.items, k).low; low == "to" || low == "and" || low == "-" || low == "until" {
			k++
		}
		if b, ok := f.amount(k); ok && (!b.isUnit || b.unit.factor == 3600) && b.value <= 24 {
			return a.value, b.value, span(j, k+1)
		}
	}
	return 0, 0, nil
}
