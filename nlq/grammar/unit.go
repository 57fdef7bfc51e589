package grammar

import (
	"math"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeUnit reads in which unit an answer is wanted: energy in kWh, CPU (cores).
func (f *frame) takeUnit() {
	last := len(f.items) - 1
	for last >= 0 && (f.items[last].used || f.lexicon.stop[f.items[last].low]) {
		last--
	}
	if f.kind == unsaid && f.unitFirst() >= 0 {
		f.kind = lookup // so many GiB of what?
	}
	if f.kind == alert || last < 1 || f.kind == unsaid && f.saysAny("compare") {
		return
	}
	for i := range f.items { // "energy in kWh per pod"
		if f.items[i].low == "in" && i+1 < len(f.items) && f.items[i+1].number == nil && !f.items[i+1].used {
			if u, ok := f.lexicon.unit(f.items[i+1].raw); ok && (u.dimension != "time" || strings.HasSuffix(f.items[i+1].low, "s") && len(f.items[i+1].low) > 3) {
				last = i + 1
			}
		}
	}
	for i := range f.items { // "memory used % per node"
		_, by := f.says(i+1, "by")
		if u, ok := f.lexicon.unit(f.items[i].raw); i > 0 && by && ok && u.dimension == "ratio" && f.items[i].number == nil && !f.items[i].used {
			last = i
		}
	}
	for i := range f.items { // "kilowatts per namespace"
		u, ok := f.lexicon.unit(f.items[i].raw)
		if word := f.lexicon.ofUnit[u.dimension]; ok && f.items[i].number == nil && !f.items[i].used && len(f.items[i].raw) > 2 && (u.dimension == "power" || u.dimension == "energy") {
			last = i
			f.extra = append(f.extra, word)
		}
	}
	for i, it := range f.items { // "eth0 inbound Gbit/s on every host"
		if u, ok := f.lexicon.unit(it.raw); ok && u.dimension == "bytes/s" && it.number == nil && !it.used {
			last = i
		}
	}
	if first := f.unitFirst(); first >= 0 {
		last = first
	}
	spent := f.spent()
	if spent >= 0 {
		last = spent
	}
	it := &f.items[last]
	u, ok := f.lexicon.unit(it.raw)
	asTime := last == spent || u.dimension == "time" && at(f.items, last-1).low == "in" && strings.HasSuffix(it.low, "s") && (len(it.low) > 3 || it.low == "ms") // uptime in days
	if !ok || it.number != nil || it.inside || it.whole != "" || u.dimension == "time" && !asTime || u.factor == 0 || u.dimension == "count/s" {
		return
	}
	it.used = true
	f.use(f.before(last, "in"))
	if many := at(f.items, last-1).low; f.lexicon.sets["how many"][many] && u.dimension != "count" {
		f.use(last - 1)
		f.kind, f.counting = lookup, false // "how many watts" counts nothing
	}
	if u.dimension == "count" {
		return
	}
	f.outUnit = u.dimension
	f.scale = func(t nlq.Term, m catalog.Metric) nlq.Term {
		own, _ := f.lexicon.unit(string(f.unitOf(t, m)))
		if m.Unit == "{bool}" {
			own, _ = f.lexicon.unit("1") // of the time it was so
		}
		if own.dimension != u.dimension || own.factor == u.factor {
			return t
		}
		if per := round(u.factor / own.factor); per > 1 && per == math.Trunc(per) {
			return nlq.Binary{Op: "/", Left: t, Right: nlq.Number(per)} // seconds in days: nobody reads 1/86400
		}
		return nlq.Binary{Op: "*", Left: t, Right: nlq.Number(round(own.factor / u.factor))}
	}
}

// unitFirst returns the item with which a question begins that is the unit of its
// answer: GiB of memory used per node. It is -1 where there is none.
func (f *frame) unitFirst() int {
	first := 0
	for first < len(f.items)-1 && (f.items[first].used || f.plain(f.items[first]) || f.lexicon.sets["how many"][f.items[first].low]) {
		first++
	}
	if len(f.items) == 0 || f.items[first].number != nil || len(f.items[first].raw) < 2 {
		return -1
	}
	u, ok := f.lexicon.unit(f.items[first].raw)
	if !ok || u.dimension != "bytes" && u.dimension != "bytes/s" {
		return -1
	}
	return first
}

// spent returns the item that says in which unit the time is wanted that goes to
// something, -1 where none does: the seconds each card lost to heat.
func (f *frame) spent() int {
	for i, it := range f.items {
		u, ok := f.lexicon.unit(it.raw)
		switch {
		case it.used, f.plain(it), f.lexicon.sets["how many"][it.low]:
			continue
		case !ok || u.dimension != "time" || it.number != nil || len(it.low) < 4:
			return -1
		}
		to := i + 1
		for f.lexicon.stop[at(f.items, to).low] && !f.lexicon.sets["to go"][f.items[to].low] {
			to++ // "days are left"
		}
		if next := at(f.items, to).low; f.lexicon.sets["to go"][next] {
			if !f.words.is(next) {
				f.use(to) // days until something expires
			}
			if many := at(f.items, i-1).low; f.lexicon.sets["how many"][many] {
				f.use(i - 1)
				f.kind, f.counting = lookup, false
			}
			return i
		}
		f.extra = append(f.extra, "time")
		f.takeLosing()
		return i
	}
	return -1
}

// takeLost reads how long something costs at most: lost more than 30 seconds to
// heat. It is no loss of what tells about it.
func (f *frame) takeLost() {
	for i := range f.items {
		if _, isTime := f.items[i].number.duration(); !isTime || f.items[i].used || !f.lexicon.sets["costs"][at(f.items, i+1).low] {
			continue
		}
		if f.takeLosing() {
			f.use(i + 1)
			f.extra = append(f.extra, "time")
			return
		}
	}
}

// takeLosing takes the word for losing or spending time.
func (f *frame) takeLosing() bool {
	i := slices.IndexFunc(f.items, func(it item) bool { return f.lexicon.sets["losing"][it.low] && !it.used })
	if i >= 0 {
		f.items[i].used = true
	}
	return i >= 0
}

// before returns the item before i if it is low, else one that is none.
func (f *frame) before(i int, low string) int {
	if i > 0 && f.items[i-1].low == low {
		return i - 1
	}
	return -1
}
