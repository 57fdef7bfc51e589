package grammar

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A compare is a comparison as it was said, its limit still in the asker's unit.
type compare struct {
	op    string
	limit number
}

// takeComparisons reads operators with their limits. A comparative may imply
// what is compared: hotter is about temperature.
func (f *frame) takeComparisons() {
	for i := range f.items {
		it := &f.items[i]
		if it.used {
			continue
		}
		if it.low == "zero" && !f.comparedBefore(i) {
			f.compares, it.used = append(f.compares, compare{op: "=="}), true // "zero utilization"
			continue
		}
		v, ok := it.has("compare")
		if last := len(f.compares) - 1; ok && last >= 0 && strings.HasPrefix(it.low, "or ") && i > 0 && f.items[i-1].number != nil && f.items[i-1].used && len(v) == 2 {
			f.compares[last].op, it.used = v, true // "falls to 30% or lower"
			continue
		}
		if _, over := it.has("over"); over {
			v, ok = ">", true
		}
		if size, is := it.has("size"); is {
			if n, given := f.amount(i + 1); given && n.unit.dimension != "time" {
				v, ok = size, true
			}
		}
		if _, times := f.says(i-1, "times"); ok && times && strings.HasPrefix(it.low, "or ") {
			if v2, _ := f.says(i-1, "times"); len(v2) > 1 && strings.Trim(v2, "x") == "" && f.kind != lookup {
				f.compares = append(f.compares, compare{op: v, limit: number{value: float64(len(v2))}}) // three times or more
				f.useAll(i-1, i)
				continue
			}
			if n, given := f.amount(i - 2); given && !n.isUnit && f.kind != lookup {
				f.compares = append(f.compares, compare{op: v, limit: n}) // went down three times or more
				f.useAll(i-2, i-1, i)
				continue
			}
		}
		if _, pace := it.has("pace"); pace {
			v, ok = "<", true
			if j, given := f.limitOf(i); given && f.items[j].number.unit.dimension == "time" {
				v = ">" // what takes longer
			}
		}
		if !ok {
			continue
		}
		if strings.HasPrefix(v, "> allocated") && (f.kind == lookup || f.limited(i)) {
			continue // "how many are in use" counts what is allocated
		}
		if _, more := f.limitOf(i); len(v) > 2 && v[len(v)-1] == '0' && !more && f.comparesAt(i+1) {
			it.used = true // "is set below 500 W" says how far
			continue
		}
		op, implied, _ := strings.Cut(v, " ")
		word, given, _ := strings.Cut(implied, " ")
		c := compare{op: op}
		if given != "" {
			if f.calledSuch(i) {
				continue
			}
			c.limit.value, _ = strconv.ParseFloat(given, 64)
		} else if v, ok := f.says(i+1, "times"); ok && strings.Trim(v, "x") == "" && v != "" {
			c.limit.value, f.items[i+1].used = float64(len(v)), true // at least twice
		} else if j, ok := f.limitOf(i); ok {
			c.limit = *f.items[j].number
			f.useAll(j)
			if c.limit.unit.dimension == "ratio" && at(f.items, j+1).low == "busy" && f.pipeSaid() {
				f.use(j + 1) // "the tensor pipe is over 50% busy"
			}
			for k := i + 1; k < j; k++ {
				if f.lexicon.stop[f.items[k].low] || f.lexicon.sets["step"][f.items[k].low] && (k == i+1 || f.lexicon.stop[f.items[k-1].low]) {
					f.use(k) // "gen" of "below gen 5", not of "below pcie gen 5"
				}
			}
		} else {
			continue
		}
		if pstateShape.MatchString(f.limitRaw(i)) && f.lexicon.sets["slow or fast"][strings.TrimSuffix(it.low, " than")] {
			c.op = opposite[c.op] // P0 is the fastest
			if len(c.op) == 2 {
				c.op = c.op[:1]
			}
		}
		it.used = true
		if not := f.neverBefore(i); not >= 0 && opposite[c.op] != "" {
			c.op, f.never = opposite[c.op], true
			f.use(not)
		}
		if word != "" {
			f.extra = append(f.extra, word)
		}
		f.compares = append(f.compares, c)
	}
	for i := range f.items {
		if n, ok := f.amount(i); ok && n.value == 0 && !n.isUnit && len(f.compares) == 0 && f.test == nil && f.kind != lookup {
			f.compares, f.items[i].used = []compare{{op: "=="}}, true // "with utilization 0"
		}
	}
	f.takeScale()
	if f.turned && len(f.compares) == 1 {
		f.compares[0].op = opposite[f.compares[0].op]
	}
	for i := range f.items {
		n, ok := f.amount(i)
		if ok && !n.isUnit && n.value == float64(int(n.value)) && len(f.compares) == 0 && f.test == nil && f.kind != when {
			op := ""
			if _, not := f.says(i-1, "not"); not {
				op = "!=" // "generation is not 5"
				f.use(i - 1)
			} else if f.lexicon.sets["code"][at(f.items, i-1).low] {
				op = "==" // "recovery action 2", "the last Xid is 74"
			}
			if op != "" {
				f.compares, f.items[i].used = []compare{{op: op, limit: n}}, true
			}
		}
	}
	for i := range f.items {
		if _, ok := f.says(i, "low end"); ok && f.kind == when {
			f.lowEnd, f.items[i].used = true, true
			f.extra = append(f.extra, "left")
		} else if ok && len(f.compares) > 0 {
			f.items[i].used = true // "running out of inodes: below 5 %"
			f.extra = append(f.extra, "left")
		}
		if _, ok := f.items[i].has("only"); ok {
			f.only, f.items[i].used = true, true
		}
	}
}

// opposite is what holds where an operator does not.
var opposite = map[string]string{">": "<=", ">=": "<", "<": ">=", "<=": ">"}

// neverBefore finds what turns the operator at item i round, with nothing but
// stop words between: it has not once gone past 3%. It returns -1 where nothing does.
func (f *frame) neverBefore(i int) int {
	for k := i - 1; k >= max(0, i-4); k-- {
		if _, turns := f.says(k, "turns"); turns || f.items[k].low == "not" && !f.items[k].used {
			if f.lexicon.sets["ought"][at(f.items, k-1).low] {
				return -1 // it should not be below 30%: it is told when it is
			}
			return k
		}
		if !f.lexicon.stop[f.items[k].low] {
			return -1
		}
	}
	return -1
}

// comparesAt reports whether an operator with its limit stands at item i.
func (f *frame) comparesAt(i int) bool {
	v, cmp := f.says(i, "compare")
	_, over := f.says(i, "over")
	_, given := f.limitOf(min(i, len(f.items)-1))
	op, implied, _ := strings.Cut(v, " ")
	_, pace := f.says(i, "pace")
	return given && (over || pace || cmp && len(op) <= 2 && !strings.Contains(implied, " ")) // "hotter than" says of what, too
}

// comparedBefore reports whether an operator stands before item i.
func (f *frame) comparedBefore(i int) bool {
	for i--; i >= 0 && f.lexicon.stop[f.items[i].low] && len(f.items[i].roles) == 0; i-- {
	}
	_, cmp := at(f.items, i).has("compare")
	_, over := at(f.items, i).has("over")
	return cmp || over
}

// limited reports whether an item other than i compares with a number.
func (f *frame) limited(i int) bool {
	for j := range f.items {
		_, cmp := f.says(j, "compare")
		_, over := f.says(j, "over")
		if _, given := f.limitOf(j); j != i && (cmp || over) && given {
			return true
		}
	}
	return false
}

// takeScale reads that something is in a step of a scale: in P0, not in P2.
func (f *frame) takeScale() {
	for i := range f.items {
		n := stepShape.FindStringSubmatch(f.items[i].raw)
		in := at(f.items, i-1).low
		if n == nil || f.items[i].used || len(f.compares) > 0 || f.test != nil || in != "in" && in != "at" && in != "into" && in != "to" {
			continue
		}
		c := compare{op: "=="}
		c.limit.value, _ = strconv.ParseFloat(n[1], 64)
		for k := i - 1; k >= max(0, i-3); k-- {
			if _, not := f.says(k, "not"); not {
				f.use(k)
				c.op = "!="
			}
		}
		if n[0][0] == 'p' || n[0][0] == 'P' {
			f.extra = append(f.extra, "pstate")
		}
		f.use(i)
		f.compares, f.only = []compare{c}, f.counting
		return
	}
}

// stepAhead reports whether item i is a word for what has steps, one of which follows.
func (f *frame) stepAhead(i int) bool {
	_, ok := f.amount(i + 2)
	return ok && f.lexicon.sets["step"][at(f.items, i+1).low] && f.words.all(f.items[i].norms)
}

// pipeSaid reports whether a part of a GPU is spoken of whose use is told as being
// active.
func (f *frame) pipeSaid() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { return f.lexicon.sets["part of a GPU"][it.low] && !it.used })
}

// limitRaw returns the word behind the operator at item i.
func (f *frame) limitRaw(i int) string {
	for i++; i < len(f.items) && f.lexicon.stop[f.items[i].low]; i++ {
	}
	return at(f.items, i).raw
}

// pstateShape is how performance states are written.
var pstateShape = regexp.MustCompile(`^[pP][0-9]{1,2}$`)

// stepShape is how steps of a scale are written: P0, x16, gen5.
var stepShape = regexp.MustCompile(`^(?i:p|x|gen)([0-9]{1,2})$`)

// limitOf finds the number that the operator at i is about: after it, with
// nothing but stop words between, or before it ("80% or more").
func (f *frame) limitOf(i int) (int, bool) {
	for j := i + 1; j < len(f.items); j++ {
		it := &f.items[j]
		if it.number != nil && !it.used {
			return j, true
		}
		if n := stepShape.FindStringSubmatch(it.raw); n != nil && !it.used && it.number == nil {
			v, _ := strconv.ParseFloat(n[1], 64)
			it.number = &number{value: v} // P0, x16, gen5
			return j, true
		}
		if _, ok := f.amount(j + 1); ok && f.lexicon.sets["step"][it.low] {
			continue // below gen 5
		}
		if f.stepAhead(j) {
			continue // "below pcie gen 4"
		}
		if !f.lexicon.stop[it.low] {
			break
		}
	}
	if strings.HasPrefix(f.items[i].low, "or ") && i > 0 && f.items[i-1].number != nil && !f.items[i-1].used {
		return i - 1, true
	}
	return 0, false
}

// calledSuch reports whether the state at item i is part of what a measure of the
// software that is spoken of is called, and something else is compared: fewer than 8
// idle GPUs of Slurm.
func (f *frame) calledSuch(i int) bool {
	for k, it := range f.items {
		for _, w := range it.norms {
			if k != i && f.brand(w) && f.words.called(w, singular(f.items[i].low)) {
				return len(f.compares) > 0 || f.comparesWithin(0, i) || f.comparesWithin(i+1, len(f.items))
			}
		}
	}
	return false
}
