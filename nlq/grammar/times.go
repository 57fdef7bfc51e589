package grammar

import (
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq"
)

func (n *number) duration() (time.Duration, bool) {
	if n == nil || n.unit.dimension != "time" || n.value <= 0 {
		return 0, false
	}
	return time.Duration(n.value * n.unit.factor * float64(time.Second)).Round(time.Millisecond), true
}

// takeTimes reads how long a condition must hold and how far to look back. A
// time after a comparison is its limit, and stays.
func (f *frame) takeTimes() {
	for i := range f.items {
		if _, now := f.items[i].has("once"); now {
			f.holdSaid, f.items[i].used = true, true
		}
		if secs, ago := f.says(i, "ago"); ago && at(f.items, i-1).low == "since" {
			s, _ := strconv.ParseFloat(secs, 64)
			f.window = time.Duration(s * float64(time.Second)) // since yesterday
			f.useAll(i-1, i)
		}
		d, ok := f.items[i].number.duration()
		if !ok || f.items[i].used || f.countsCode(i) {
			continue
		}
		f.takeTime(i, d)
	}
}

func (f *frame) takeTime(i int, d time.Duration) {
	var prev item
	if i > 0 {
		prev = f.items[i-1]
	}
	is := func(r role) bool { _, ok := prev.has(r); return ok }
	if is("keep") {
		f.keep = d
		f.useAll(i, i-1)
		return
	}
	if is("over") && f.kind == unsaid && d >= shortest && !f.hasLimit(i) && f.lists() {
		f.kind = lookup
	}
	if next := at(f.items, i+1); f.lexicon.sets["rates"][next.low] && !next.used {
		f.window = d // going by the 10-minute rate
		f.useAll(i, i+1)
		for k := i - 1; k >= max(0, i-2); k-- {
			if _, over := f.says(k, "trend over"); over {
				f.use(k)
			}
		}
		return
	}
	if d < time.Second && is("hold") && len(f.compares) == 0 {
		f.compares = append(f.compares, compare{op: ">", limit: *f.items[i].number}) // "queue longer than 50 ms": nothing is held so briefly
		f.useAll(i, i-1)
		return
	}
	v, _ := prev.has("compare")
	complete := len(v) > 2 && v[len(v)-1] == '0' // "none is running, 2 min" has its limit
	switch over, overTime := prev.has("over time"); {
	case is("pace"), is("compare") && !complete && !strings.HasPrefix(prev.low, "or ") && !(perTime(f.items[i].low) && f.hasCount(i-1)) || is("over") && (d < leastWindow || !f.hasLimit(i)):
		return
	case overTime:
		f.window, f.over = d, nlq.OverTime(over)
		if over == "asis" {
			f.over = nlq.AsIs
		}
	case is("over"), is("window") && !is("hold"):
		f.window = d
		f.inWindow = strings.HasPrefix(prev.low, "in") || strings.HasPrefix(prev.low, "within")
	case !is("hold") && perTime(f.items[i].low) && d == time.Second && len(f.compares) == 0 && !f.saysAny("compare"):
		f.over, f.items[i].used = nlq.Rate, true // "commands per second"
		return
	case !is("hold") && f.kind != lookup && perTime(f.items[i].low):
		f.per = d
		f.items[i].used = true
		return
	case is("since") && f.kind != lookup && at(f.items, i+1).low != "ago":
		f.hold, f.holdSaid = d, true
	case is("since"):
		f.since = d
		f.use(i + 1) // ago
	case is("during") && f.kind != lookup:
		f.hold, f.holdSaid, f.during = d, true, true
	case is("during"):
		f.window = d
	case is("hold"):
		f.hold, f.holdSaid = d, true
	case f.kind == lookup:
		f.window = d
	case f.holdSaid || d < time.Second:
		return
	default:
		f.hold, f.holdSaid = d, true
		f.items[i].used = true
		return
	}
	f.items[i].used = true
	f.use(i - 1)
}

// hasCount reports whether the comparison at item i has its limit with it: more
// than once.
func (f *frame) hasCount(i int) bool {
	v, _ := f.says(i, "compare")
	return strings.Contains(v, " ")
}

// lookingBack returns f with "over 6h" read as how far to look back, where that
// can be: what no limit in hours fits may have been counted in them.
func (f *frame) lookingBack() *frame {
	for i := range f.items {
		d, isTime := f.items[i].number.duration()
		_, over := at(f.items, i-1).has("over")
		if !isTime || !over || d < shortest || f.kind == alert || f.hasLimit(i) {
			continue
		}
		back := f.again()
		back.useAll(i-1, i)
		back.window = d
		return back
	}
	return nil
}

// lists reports whether an answer is wanted for each of several things: nobody
// sets one limit so.
func (f *frame) lists() bool {
	for i := range f.items {
		if _, by := f.says(i, "by"); by || f.items[i].low == "each" || f.items[i].low == "every" {
			return true
		}
	}
	return false
}

// leastWindow is the least that is looked back: no series has two samples in less,
// and "over 50ms" is a limit.
const leastWindow = 5 * time.Second

// perTime reports whether a time is one of which each has its count: 100 an hour.
func perTime(low string) bool {
	return strings.HasPrefix(low, "a ") || strings.HasPrefix(low, "an ") || strings.HasPrefix(low, "per ")
}

func (f *frame) use(i int) {
	if i >= 0 && i < len(f.items) {
		f.items[i].used = true
	}
}

// hasLimit reports whether there is a number other than item i that a
// comparison can be with.
func (f *frame) hasLimit(i int) bool {
	for j := range f.items {
		if _, isTime := f.items[j].number.duration(); j != i && f.items[j].number != nil && !isTime {
			return true
		}
	}
	return f.kind == lookup
}
