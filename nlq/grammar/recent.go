package grammar

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// takeMeaning reads what a state is to mean here: idle (util under 5%). The
// word for it says nothing more then.
func (f *frame) takeMeaning() {
	for i := range f.items {
		if it := &f.items[i]; it.low == "in use" && i > 0 && (f.kind == lookup || f.limited(i) || f.saysAny("top")) && f.amountBefore(i) {
			it.roles, it.norms = nil, []string{"usage"} // of memory that is how much, of GPUs how many
		}
	}
	for i := range f.items {
		if _, ok := f.says(i, "means"); !ok || !f.conditionAfter(i+1) || i == 0 {
			continue
		}
		j := i - 1
		for j > 0 && (f.placeWord(f.items[j].low) || f.lexicon.stop[f.items[j].low] && len(f.items[j].roles) == 0) {
			j--
		}
		_, idle := f.says(j, "compare")
		_, busy := f.says(j, "busy")
		if idle || busy {
			f.useAll(i, j)
		}
	}
}

// amountBefore reports whether what is said before item i is no thing and so
// has an amount: the framebuffer that is in use.
func (f *frame) amountBefore(i int) bool {
	for i--; i > 0 && (f.items[i].low == "is" || f.items[i].low == "are"); i-- {
	}
	it := f.items[i]
	return f.words.all(it.norms) && !f.placeWord(it.low) && it.low != "gpu"
}

// takeLead passes over states before a colon where a condition follows it:
// "idle power: above 35 W" says what it is about.
func (f *frame) takeLead() {
	for i := range f.items {
		if v, cmp := f.says(i, "compare"); cmp && f.items[i].lead && len(v) > 2 && f.conditionAfter(i+1) {
			f.use(i)
		}
	}
}

// takeThroughout reads that something holds for as long as is looked back:
// below 5% all day.
func (f *frame) takeThroughout() {
	for i := range f.items {
		secs, ok := f.says(i, "throughout")
		if !ok {
			continue
		}
		s, _ := strconv.ParseFloat(secs, 64)
		f.throughout = time.Duration(s * float64(time.Second))
		f.use(i)
	}
}

// takeSometime reads that something was so at all in what is looked back: hotter
// than 85 at some point in the past 12 hours.
func (f *frame) takeSometime() {
	if f.kind != lookup {
		return
	}
	for i := range f.items {
		_, ok := f.says(i, "sometime")
		if ok && slices.ContainsFunc(f.items, func(it item) bool {
			_, compares := it.has("compare")
			_, over := it.has("over")
			return compares || over
		}) {
			f.sometime = true
			f.use(i)
		}
	}
}

// takeRecent reads what happened to something not long ago: rebooted in the
// last 10 minutes. It is a young age.
func (f *frame) takeRecent() {
	for i := range f.items {
		word, ok := f.says(i, "recent")
		if !ok || f.kind == lookup {
			continue
		}
		if f.takeSince(i, word) {
			return
		}
		if word == "age" {
			continue // "created in the last day" are counted
		}
		_, times := f.says(i+2, "times")
		_, once := f.says(i+1, "times")
		if times || once {
			continue // "restarted 4 times or more" is counted
		}
		d, a, b := f.windowIn(i)
		if often, _ := f.says(i+1, "compare"); d == 0 || strings.HasPrefix(often, ">") { // "restarted more than 4 times"
			continue
		}
		f.useAll(i, a, b)
		f.aged(word, "<", d)
		return
	}
}

// takeSince reads after item i how long ago it was: rebooted less than 20
// minutes ago, started over three days ago.
func (f *frame) takeSince(i int, word string) bool {
	op, compares := f.says(i+1, "compare")
	_, over := f.says(i+1, "over")
	if over {
		op = ">"
	}
	d, isTime := at(f.items, i+2).number.duration()
	if !compares && !over || len(op) > 2 || !isTime || at(f.items, i+3).low != "ago" {
		return false
	}
	f.useAll(span(i, i+4)...)
	f.aged(word, op, d)
	return true
}

// aged notes that an age, called word, is compared with d.
func (f *frame) aged(word, op string, d time.Duration) {
	f.extra = append(f.extra, word)
	f.compares = append(f.compares, compare{op: op, limit: number{value: d.Seconds(), unit: f.lexicon.units["s"], isUnit: true}})
}
