package grammar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takePeers reads a comparison with what is beside it: hotter than its peers,
// 10 degrees above the node average.
func (f *frame) takePeers() {
	for i := range f.items {
		scope, to, ok := f.peersAt(i)
		end := false
		if !ok {
			if scope, to, end = f.endOfAt(i); !end {
				continue
			}
		}
		r := f.relationBefore(i, to)
		if r.op == "" && r.factor == 0 {
			continue
		}
		them := nlq.Group{Agg: nlq.Mean}
		switch {
		case end && r.op == "<":
			them.Agg = nlq.Maximum // below the fastest of them
		case end:
			them.Agg = nlq.Minimum
		case slices.ContainsFunc(span(i, to), f.isMedian):
			them.Agg, them.Param = nlq.Quantile, 0.5
		}
		most := f.endBefore(slices.Min(append(r.took, i)), scope)
		f.useAll(append(r.took, span(i, to)...)...)
		if r.by != nil && r.by.isUnit && !f.saysMore() {
			if w := f.lexicon.ofUnit[r.by.unit.dimension]; r.by.unit.dimension != "ratio" && w != "" {
				f.extra = append(f.extra, w) // draws 50 W more than its peers
			}
		}
		f.test = func(t nlq.Term, m catalog.Metric) nlq.Term {
			by := f.labelsOf(m, scope)
			if by == nil {
				by = []string{}
			}
			them.Of, them.By = t, by
			if most != nlq.Each {
				return f.against(r, nlq.Group{Agg: most, Of: t, By: by}, reference{of: them, on: by}, m)
			}
			return f.against(r, t, reference{of: them, on: by, many: true}, m)
		}
		return
	}
}

// endBefore reads before item end that the one at an end of those in place is
// compared with them: the hottest GPU of a box, the highest temperature on a node.
func (f *frame) endBefore(end int, place string) nlq.Aggregation {
	for i := range end {
		word, last := f.says(i, "end")
		v, _ := f.says(i, "agg")
		agg := nlq.Aggregation(v)
		switch {
		case last && f.lexicon.sets["least"][f.items[i].low]:
			agg = nlq.Minimum
		case last:
			agg = nlq.Maximum
		}
		if agg != nlq.Maximum && agg != nlq.Minimum {
			continue
		}
		for j := i + 1; j < end; j++ {
			p, n, ok := f.place(j)
			if !ok || p.Name != place || f.named(j, n) || !slices.Contains([]string{"of", "on", "in"}, at(f.items, j-2).low) {
				continue
			}
			if last {
				f.extra = append(f.extra, word)
			}
			f.useAll(append(span(j-2, j+n), i)...)
			return agg
		}
	}
	return nlq.Each
}

// isMedian reports whether item i says that the one in the middle is meant.
func (f *frame) isMedian(i int) bool {
	return i < len(f.items) && !f.items[i].used && strings.Contains(f.items[i].low, "median")
}

// endOfAt reads from item i on the one at an end of those that something is
// among: the fastest card of its host, the coolest GPU on the same node.
func (f *frame) endOfAt(i int) (place string, to int, ok bool) {
	j := i
	if f.items[j].low == "the" {
		j++
	}
	if j >= len(f.items) || !f.isEnd(j) {
		return "", 0, false
	}
	if _, words, thing := f.place(j + 1); thing {
		j += words
	} else if one := at(f.items, j+1).low; one == "one" || one == "ones" {
		j++
	}
	if of := at(f.items, j+1).low; of != "of" && of != "on" && of != "in" {
		return "", 0, false
	}
	k := j + 2
	for slices.Contains([]string{"its", "the", "same", "that", "own", "the same"}, at(f.items, k).low) {
		k++
	}
	p, words, is := f.place(k)
	if k == j+2 || !is || p.Name == "gpu" || f.named(k, words) {
		return "", 0, false
	}
	return p.Name, k + words, true
}

// peersAt reads what beside it is meant from item i on: its peers, the mean of
// its host, its host's mean.
func (f *frame) peersAt(i int) (place string, to int, ok bool) {
	if scope, ok := f.says(i, "peers"); ok {
		return scope, i + 1, true
	}
	mean := func(j int) bool {
		v, agg := f.says(j, "agg")
		_, usual := f.says(j, "usual")
		return agg && v == string(nlq.Mean) || usual || f.isMedian(j)
	}
	own := func(j int) int { // the items that say that a place is its own
		n := 0
		for j+n < len(f.items) && slices.Contains([]string{"its", "their", "the", "same", "that", "own", "the same"}, f.items[j+n].low) {
			n++
		}
		return n
	}
	j := i + own(i)
	if mean(j) {
		k := j + 1
		if _, words, thing := f.place(k); thing {
			k += words // "the average gpu of its host"
		} else if low := at(f.items, k).low; low == "one" || low == "ones" {
			k++
		}
		for k < len(f.items) && len(f.items[k].roles) == 0 && len(f.items[k].norms) > 0 && f.words.all(f.items[k].norms) && !f.placeWord(f.items[k].low) {
			k++ // "the mean temperature of its host"
		}
		if slices.Contains([]string{"of", "over", "across", "on", "for", "in"}, at(f.items, k).low) {
			k++
		} else if k > j+1 || !strings.HasSuffix(f.items[j].low, " of") {
			return "", 0, false
		}
		n := own(k)
		p, words, is := f.place(k + n)
		if in := k + n + words; is && slices.Contains([]string{"in", "on", "of"}, at(f.items, in).low) && own(in+1) > 0 {
			k, n = in+1, own(in+1) // "the average of the GPUs in the same host"
			p, words, is = f.place(k + n)
		}
		if n == 0 || !is || p.Name == "gpu" || f.named(k+n, words) {
			return "", 0, false
		}
		return p.Name, k + n + words, true
	}
	if j == i || at(f.items, i).low == "the" { // "the node average" goes by phrases
		return "", 0, false
	}
	p, words, is := f.place(j)
	to = j + words
	if at(f.items, to).low == "own" {
		to++ // "that box's own average"
	}
	if !is || p.Name == "gpu" || !mean(to) {
		return "", 0, false
	}
	return p.Name, to + 1, true
}

// takeSpread reads how far apart things are: the spread of temperatures across
// a host, the difference between the hottest and the coolest GPU, the standard
// deviation.
func (f *frame) takeSpread() {
	for i := range f.items {
		how, ok := f.says(i, "spread")
		switch {
		case ok:
			f.use(i)
		case f.endLess(i):
			how = "range" // "hottest minus coolest"
			f.use(i + 1)
		case f.endAbove(i) > 0:
			how = "range" // "the hottest is more than 10 °C above the coolest"
			f.use(f.endAbove(i))
			i--
		default:
			continue
		}
		f.ends(i - 1)
		for j := range f.items {
			if again, ok := f.says(j, "spread"); ok {
				f.use(j)
				if again == "deviation" {
					how = again // "spread (std dev) of"
				}
			}
		}
		var by []string
		for j := range f.items {
			if f.items[j].used {
				continue
			}
			p, n, ok := f.place(j)
			if !ok || p.Name == "gpu" || f.named(j, n) {
				continue
			}
			by = append(by, p.Name)
			f.useAll(span(j, j+n)...)
		}
		f.values = append(f.values, func(t nlq.Term, m catalog.Metric) nlq.Term {
			labels := f.kept(m, by)
			group := func(a nlq.Aggregation) nlq.Term { return nlq.Group{Agg: a, Of: t, By: labels} }
			if how == "deviation" {
				return group(nlq.Deviation)
			}
			return nlq.Binary{Op: "-", Left: group(nlq.Maximum), Right: group(nlq.Minimum)}
		})
		return
	}
}

// takeDifference reads how far a value is from what it was: the difference
// between now and a week ago, by how much it changed since yesterday.
func (f *frame) takeDifference() {
	for i := range f.items {
		how, ok := f.says(i, "spread")
		if (ok && how == "range" || f.items[i].low == "compare") && f.kind != alert && f.differs() {
			f.use(i)
			return
		}
	}
}

// differs reads the time in the past that a value is compared with.
func (f *frame) differs() bool {
	for k := range f.items {
		if f.items[k].used {
			continue
		}
		mean, d, from, to, ok := f.pastAt(k)
		if secs, ago := f.says(k, "ago"); ago && at(f.items, k-1).low == "since" {
			s, _ := strconv.ParseFloat(secs, 64)
			d, from, to, ok = time.Duration(s*float64(time.Second)), k-1, k+1, true
		}
		if !ok || mean {
			continue
		}
		f.useAll(span(from, to)...)
		for j := range f.items {
			_, now := f.says(j, "now")
			_, and := f.says(j, "and")
			if now || and || slices.Contains([]string{"between", "now", "today", "currently", "change", "changed", "changes", "differ", "versus", "since", "compared to", "compared with", "against", "with", "move", "moved"}, f.items[j].low) {
				f.use(j)
			}
		}
		f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
			return nlq.Binary{Op: "-", Left: t, Right: nlq.Func{Name: nlq.Ago, Of: t, Window: d}}
		})
		return true
	}
	return false
}

// endLess reports whether items i to i+2 are one end less the other.
func (f *frame) endLess(i int) bool {
	_, less := f.says(i+1, "less")
	return less && f.isEnd(i) && f.isEnd(i+2)
}

// endAbove returns the item by which the end at item i is so far above the other, or
// below it, 0 where none is.
func (f *frame) endAbove(i int) int {
	if !f.isEnd(i) {
		return 0
	}
	far := false
	for k := i + 1; k < min(len(f.items), i+9); k++ {
		n, ok := f.amount(k)
		far = far || ok && n.unit.dimension != "time"
		_, cmp := f.says(k, "compare")
		_, dir := f.says(k, "direction")
		j := k + 1
		if at(f.items, j).low == "the" {
			j++
		}
		if far && (cmp || dir) && f.isEnd(j) {
			return k
		}
	}
	return 0
}

// isEnd reports whether item i is one of the ends of a spread.
func (f *frame) isEnd(i int) bool {
	agg, _ := f.says(i, "agg")
	_, end := f.says(i, "end")
	return end || agg == string(nlq.Maximum) || agg == string(nlq.Minimum)
}

// ends takes the two ends that a spread is between, after item i.
func (f *frame) ends(i int) {
	for j := i + 1; j < len(f.items) && j < i+9; j++ {
		v, ok := f.says(j, "agg")
		low, isCmp := f.says(j, "end")
		if ok && (v == string(nlq.Maximum) || v == string(nlq.Minimum)) || isCmp {
			f.use(j)
			if at(f.items, j+1).low == "one" {
				f.use(j + 1) // the coolest one
			}
			if low != "" {
				f.extra = append(f.extra, low)
			}
		}
		if _, and := f.says(j, "and"); and || f.items[j].low == "between" {
			f.use(j)
		}
	}
}

// named reports whether a name follows the place word at j.
func (f *frame) named(j, n int) bool { return f.isName(j + n) }

// kept returns the labels by which results of m say the places.
func (f *frame) kept(m catalog.Metric, places []string) []string {
	var out []string
	for _, p := range places {
		for _, l := range f.labelsOf(m, p) {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// shape returns the name of the place whose names look like item j.
func (f *frame) shape(j int) string {
	if j >= len(f.items) {
		return ""
	}
	return f.shapeOf(j).Name
}

// compared returns what the comparison t is of.
func compared(t nlq.Term) nlq.Term {
	for {
		b, ok := t.(nlq.Binary)
		if !ok {
			return t
		}
		t = b.Left
	}
}

// conditionAfter reports whether items from i on hold a condition.
func (f *frame) conditionAfter(i int) bool {
	for j := i; j < len(f.items); j++ {
		v, cmp := f.says(j, "compare")
		_, over := f.says(j, "over")
		_, time := at(f.items, j+1).number.duration()
		_, given := f.limitOf(j)
		step := stepShape.MatchString(f.items[j].raw) && !f.items[j].used && slices.ContainsFunc(f.items[max(i, j-3):j], func(it item) bool { return it.low == "in" || it.low == "at" })
		if cmp && (given || len(v) > 2 && v[len(v)-1] == '0') || over && !time && given || step {
			return true
		}
	}
	return false
}

func (f *frame) isBusy(i int) bool {
	_, busy := f.says(i, "busy")
	return busy
}

// takeEvery reads a condition that must hold for all: every GPU of pod train-0
// is idle, not a single GPU busy.
func (f *frame) takeEvery() {
	for i := range f.items {
		_, none := f.says(i, "none")
		_, asks := at(f.items, i-1).has("kind")
		if low := f.items[i].low; f.items[i].used || asks && f.kind == lookup || low != "every" && low != "all" && !none || f.lexicon.sets["put together"][at(f.items, i-1).low] {
			continue
		}
		j := i + 1
		for j < len(f.items) && (f.lexicon.stop[f.items[j].low] && len(f.items[j].roles) == 0) {
			j++
		}
		p, n, ok := f.place(j)
		if !ok || f.isName(j+n) {
			continue
		}
		if none {
			k := j + n
			for k < len(f.items) && !f.isBusy(k) {
				k++
			}
			switch {
			case k < len(f.items):
				f.use(k)
				f.compares = append(f.compares, compare{op: "=="})
				f.extra = append(f.extra, "usage")
			case f.conditionAfter(j+n) && f.kind != lookup:
				f.turned = true // "no gpu receives more than 1 GB/s"
			default:
				continue
			}
		} else if p.Name != "gpu" || !f.conditionAfter(0) || f.items[i].low == "all" && !f.conditionAfter(j+n) {
			continue
		}
		f.use(i)
		for k := range n {
			f.items[j+k].weak = true
		}
		f.implied = append(f.implied, p.Name)
		f.every = true
		f.everyBy = f.takeWithin(j + n)
		return
	}
}
