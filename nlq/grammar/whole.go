package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeWhole reads what is measured beside how much of it there is or may be, where
// that is only told as its own: at 80% of its quota, at its maximum, longer than its
// interval, as a fraction of the total, how much of its limit it uses. Which metric
// that is says the one that is measured, so that it is looked for first.
func (f *frame) takeWhole() {
	if f.test != nil || len(f.values) > 0 && !f.forecast || f.given != nil || f.kind == when {
		return
	}
	for i := range f.items {
		w, ok := f.wholeAt(i)
		if !ok {
			continue
		}
		g, m, usage, ok := f.besideOf(w, !f.again().saysMoreThan(w.took))
		if !ok {
			continue
		}
		share := f.dimension(m.Unit) == "ratio"
		whole, known := f.catalog.Whole(m.ID, w.words)
		if known && !usage && !f.catalog.Used(m.ID) && !f.nameSaid(m.ID) && !f.tellsApart(whole, w.took) {
			if g, m, usage, ok = f.besideOf(w, true); !ok {
				continue
			}
			whole, known = f.catalog.Whole(m.ID, w.words)
		}
		others := slices.DeleteFunc(slices.Clone(w.words), func(w string) bool { return f.lexicon.sets["bound"][w] || f.words.says(m.ID, w) })
		if !known && (!share || w.versus || usage || len(others) > 0) || usage && known && !f.catalog.Used(m.ID) {
			continue
		}
		g.lenient, g.quiet, g.given, g.settled = f.lenient, f.quiet, &m, true
		*f = *g
		f.takeOf(w.of, m)
		switch {
		case share && w.op != "":
			f.compares = append(f.compares, compare{op: w.op, limit: w.limit})
		case share:
			f.kind = lookup
		case w.op == "":
			f.kind, f.quotient = lookup, true
			f.values = append(f.values, func(t nlq.Term, m catalog.Metric) nlq.Term { return f.ofWhole(t, whole) })
		case w.limit.value == 1:
			f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
				t, right, on := f.besideWhole(t, whole)
				return nlq.Binary{Op: w.op, Left: t, Right: right, On: on}
			}
		default:
			f.test = func(t nlq.Term, _ catalog.Metric) nlq.Term {
				return nlq.Binary{Op: w.op, Left: f.ofWhole(t, whole), Right: nlq.Number(round(w.limit.value * w.limit.unit.factor))}
			}
		}
		return
	}
}

// besideOf returns what is measured beside the whole that w tells, what is in use where
// nothing says what of it: a node pool at its limit.
func (f *frame) besideOf(w wholeSaid, usage bool) (g *frame, m catalog.Metric, used, ok bool) {
	g = f.again()
	g.quiet, g.lenient = true, true
	g.useAll(w.took...)
	g.useAll(w.of...)
	if w.op == "" && g.kind == unsaid {
		g.kind = lookup
	}
	if usage {
		g.extra = append(slices.Clone(g.extra), "usage")
	}
	m, ok = g.wouldMeasure()
	return g, m, usage, ok
}

// takeOf narrows m by the values of labels that items say.
func (f *frame) takeOf(items []int, m catalog.Metric) {
	for _, k := range items {
		for _, v := range f.words.values[f.items[k].low] {
			s := saying{v, f.items[k].low, k, k + 1}
			if _, ok := f.labelOf(m, s); ok && v.Of(m.ID) && len(v.Metrics) > 0 {
				f.narrowed(m, s)
				break
			}
		}
	}
}

// saysMoreThan reports whether a word beside the items took may say what is measured.
func (f *frame) saysMoreThan(took []int) bool {
	f.useAll(took...)
	return f.saysMore()
}

// nameSaid reports whether what is said has all words of a name of id.
func (f *frame) nameSaid(id catalog.ID) bool {
	said := f.norms()
	return slices.ContainsFunc(f.words.calls(id), func(n named) bool { return subset(n.words, said) })
}

// tellsApart reports whether a word beside the items took is no word for whole: it
// says what is measured.
func (f *frame) tellsApart(whole catalog.Metric, took []int) bool {
	for i, it := range f.items {
		if it.used || it.number != nil || it.name || it.inside || it.whole != "" || f.plain(it) || slices.Contains(took, i) || len(f.words.values[it.low]) > 0 || isPlaceWord(it.low) || f.isName(i) {
			continue
		}
		_, cmp := it.has("compare")
		if !cmp && slices.ContainsFunc(it.norms, func(w string) bool { return f.words.is(w) && !f.brand(w) && !f.words.says(whole.ID, w) }) {
			return true
		}
	}
	return false
}

// A wholeSaid is how a whole was told, and what it is to what is measured: what that
// is divided by, and with op, what it is then compared with.
type wholeSaid struct {
	words  []string
	op     string
	limit  number
	versus bool  // it is compared as it is
	took   []int // items
	of     []int // items that say by values of labels of what it is, behind it: its quota of GPUs
}

// wholeAt reads how item i stands to a whole that follows.
func (f *frame) wholeAt(i int) (w wholeSaid, ok bool) {
	n, isNumber := f.amount(i)
	operator, _ := f.says(i, "operator")
	kind, _ := f.says(i, "kind")
	cmp, compares := f.says(i, "compare")
	op, implied, _ := strings.Cut(cmp, " ")
	size, sized := f.says(i, "size")
	_, over := f.says(i, "over")
	to := 0
	switch {
	case isNumber && n.isUnit && n.unit.dimension == "ratio" && n.value > 0 && at(f.items, i-1).low != "within":
		j := i + 1
		after, isAfter := f.says(j, "compare")
		if isAfter = isAfter && strings.HasPrefix(f.items[j].low, "or "); isAfter {
			j++ // 80% or more of
		}
		if at(f.items, j).low != "of" && !strings.HasSuffix(f.items[i].low, " of") && f.items[i].low != "half" || i == 0 {
			return w, false
		}
		if to, w.words = f.wholeWords(j); to == 0 {
			return w, false
		}
		w.op, w.limit = ">=", n
		for k := f.limitBefore(i); k < i; k++ {
			if v, cmp := f.says(k, "compare"); cmp && len(v) <= 2 {
				w.op = v
			} else if _, over := f.says(k, "over"); over {
				w.op = ">"
			}
		}
		w.took = span(f.limitBefore(i), to)
		if v, behind := f.says(to, "compare"); behind && strings.HasPrefix(f.items[to].low, "or ") {
			after, isAfter, to = v, true, to+1 // 80% of its quota or more
			w.took = append(w.took, to-1)
		}
		if isAfter {
			w.op = after
		}
	case operator == "/":
		if to, w.words = f.wholeWords(i + 1); to == 0 {
			return w, false
		}
		w.took = span(i, to)
	case kind == "share" && f.lexicon.sets["own"][at(f.items, i+1).low]:
		if to, w.words = f.wholeWords(i + 1); to == 0 || to == len(f.items) {
			return w, false
		}
		w.took = span(i, to)
		for k := to + 1; f.items[to].low == "of" && k < len(f.items) && f.kindOfWhole(k); k++ {
			w.of = append(w.of, k)
		}
		for k := to; k < min(len(f.items), to+longestName); k++ {
			if f.lexicon.sets["auxiliary"][f.items[k].low] {
				w.took = append(w.took, k) // how much of its quota of GPUs does the queue use
				break
			}
		}
	case i > 0 && (compares && len(op) <= 2 && !strings.Contains(implied, " ") || sized || over || f.items[i].low == "at") && at(f.items, i+1).number == nil:
		if to, w.words = f.wholeWords(i + 1); to == 0 || f.items[i].low == "at" && !f.isBound(w.words) {
			return w, false
		}
		w.op, w.versus, w.limit = ">=", true, number{value: 1, unit: f.lexicon.units["1"], isUnit: true}
		switch {
		case compares:
			w.op = op
		case sized:
			w.op = size
		case over:
			w.op = ">"
		}
		w.took = span(i, to)
	case f.items[i].low == "than" && i > 1:
		op, from := f.thanBefore(i)
		if to, w.words = f.wholeWords(i + 1); to == 0 || op == "" {
			return w, false
		}
		w.op, w.versus, w.limit = op, true, number{value: 1, unit: f.lexicon.units["1"], isUnit: true}
		w.took = append(span(i, to), from...)
	default:
		return w, false
	}
	for _, k := range w.took {
		if _, _, place := f.place(k); place && !f.items[k].used {
			return w, false // a share of things
		}
	}
	// What is a value of a label says of what kind the whole is, and what it is of.
	w.took = slices.DeleteFunc(w.took, func(k int) bool { return k > i && f.kindOfWhole(k) })
	return w, true
}

// thanBefore returns which way what stands before "than" at item i compares, and the
// items that say so: takes longer to evaluate than, more time than.
func (f *frame) thanBefore(i int) (op string, took []int) {
	for k := i - 1; k >= max(0, i-4); k-- {
		_, hold := f.items[k].number.duration()
		switch low := f.items[k].low; {
		case hold:
			return "", nil
		case f.lexicon.sets["larger"][low]:
			op = ">"
		case f.lexicon.sets["smaller"][low]:
			op = "<"
		default:
			continue
		}
		took = []int{k}
		if f.lexicon.sets["costs"][at(f.items, k-1).low] || at(f.items, k-1).low == "takes" || at(f.items, k-1).low == "take" {
			took = append(took, k-1)
		}
		return op, took
	}
	return "", nil
}

// wholeWords reads items from i on as what a whole is called, and returns the item
// behind it, 0 where there is none: of its nominal quota, the total, the maximum that
// it is allowed.
func (f *frame) wholeWords(i int) (to int, words []string) {
	if at(f.items, i).low == "of" {
		i++
	}
	if f.lexicon.sets["own"][at(f.items, i).low] || at(f.items, i).low == "the" {
		i++
	}
	bound := 0
	for to = i; to < len(f.items) && to < i+longestName; to++ {
		it := f.items[to]
		if it.used || it.number != nil || it.low == "," || len(it.norms) == 0 && !f.lexicon.stop[it.low] || f.lexicon.stop[it.low] {
			break
		}
		_, cmp := it.has("compare")
		_, hold := it.has("hold")
		_, by := it.has("by")
		_, join := it.has("join")
		_, window := it.has("window")
		if cmp || hold || by || join || window || f.lexicon.sets["auxiliary"][it.low] {
			break
		}
		if f.kindOfWhole(to) {
			continue
		}
		if next := at(f.items, to+1); f.lexicon.sets["carrier"][it.low] && f.lexicon.sets["pace of a carrier"][next.low] {
			words, bound = []string{next.low}, to+2 // its line rate
			break
		}
		words = append(words, it.norms...)
		if f.isBound(it.norms) {
			bound = to + 1
			break
		}
	}
	switch {
	case len(words) == 0, bound == 0:
		return 0, nil
	}
	for to < len(f.items) && (to < bound || f.lexicon.sets["allowed"][f.items[to].low]) {
		to++
	}
	return to, words
}

// isBound reports whether words say how much there is or may be of anything.
func (f *frame) isBound(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return f.lexicon.sets["bound"][w] })
}

// kindOfWhole reports whether item k says by the value of a label of what a whole is:
// its nominal GPU quota, its CPU limit.
func (f *frame) kindOfWhole(k int) bool {
	return len(f.words.values[f.items[k].low]) > 0 && !f.isBound(f.items[k].norms)
}

// wouldMeasure returns what f measures, once all phenomena have taken their words.
func (f *frame) wouldMeasure() (catalog.Metric, bool) {
	f.probing = true
	defer func() { f.probing = false }()
	f.takeTimes()
	f.takeRest()
	m, err := f.measure()
	return m, err == nil
}

// ofWhole returns which share of whole t is.
func (f *frame) ofWhole(t nlq.Term, whole catalog.Metric) nlq.Term {
	t, right, on := f.besideWhole(t, whole)
	return nlq.Binary{Op: "/", Left: t, Right: right, On: on}
}

// besideWhole returns t and whole so that the one can be held to the other: what
// flows in a second, where that is bounded.
func (f *frame) besideWhole(t nlq.Term, whole catalog.Metric) (left, right nlq.Term, on []string) {
	own, _ := nlq.Subject(t)
	of := f.like(own, whole)
	of.Over, of.Window = nlq.AsIs, 0
	if ms, ok := t.(nlq.Measure); ok && ms.Over == nlq.Increase {
		ms.Over = nlq.Rate
		t = ms
	}
	right, on = nlq.Joint(t, of, f.catalog)
	return t, right, on
}
