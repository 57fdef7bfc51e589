package grammar

import (
	"slices"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeBetween reads: between 80 and 85 °C, outside 18-27, not from 10 to 20.
// Both ends belong to the inside.
func (f *frame) takeBetween() {
	for i := range f.items {
		where, ok := f.says(i, "range")
		if !ok {
			continue
		}
		lo := f.next(i + 1)
		a, ok1 := f.amount(lo)
		mid := lo + 1
		if mid < len(f.items) && slices.Contains([]string{"and", "to", "-", "up to", "or"}, f.items[mid].low) {
			mid++
		}
		b, ok2 := f.amount(mid)
		if _, time := a.duration(); !ok1 || !ok2 || time && f.hasLimit(lo) {
			continue
		}
		if !a.isUnit {
			a.unit, a.isUnit, a.unitRaw = b.unit, b.isUnit, b.unitRaw
		}
		out := where == "out" || i > 0 && f.items[i-1].low == "not"
		if out && i > 0 && f.items[i-1].low == "not" {
			f.use(i - 1)
		}
		f.useAll(span(i, mid+1)...)
		f.bounds = []compare{{op: ">=", limit: a}, {op: "<=", limit: b}}
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			u := f.unitOf(t, m)
			x, y := f.convert(a, u), f.convert(b, u)
			if out {
				return nlq.Binary{Op: "or", Left: nlq.Binary{Op: "<", Left: t, Right: nlq.Number(x)}, Right: nlq.Binary{Op: ">", Left: t, Right: nlq.Number(y)}}
			}
			return nlq.Binary{Op: "and", Left: nlq.Binary{Op: ">=", Left: t, Right: nlq.Number(x)}, Right: nlq.Binary{Op: "<=", Left: t, Right: nlq.Number(y)}}
		}
		return
	}
}

// unitOf is the unit of a term that is a measure put together, or m's own.
func (f *frame) unitOf(t nlq.Term, m catalog.Metric) catalog.Unit {
	if ms, ok := t.(nlq.Measure); ok {
		return ms.Unit(f.catalog)
	}
	return m.Unit
}
