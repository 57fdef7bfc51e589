package grammar

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeGroups reads what the answer is about: "which nodes", "top 5 pods", "per
// namespace", "any GPU". A place that only says what is looked at is weak: the
// measure need not name it.
func (f *frame) takeGroups() {
	f.takeSuperlative()
	f.takeRanked()
	for i := range f.items {
		if f.items[i].used {
			continue
		}
		if f.takeMost(i) {
			continue
		}
		if v, ok := f.says(i, "most"); ok && f.top == 0 && f.kind == lookup {
			f.top, _ = strconv.Atoi(v)
			f.items[i].used = true
			if f.oneAsked() {
				f.top /= max(f.top, -f.top)
			} else {
				f.assume(0.1, "the first %d are shown", max(f.top, -f.top))
			}
		}
		if v, ok := f.says(i, "top"); ok {
			f.takeTop(i, v == "-1")
		}
		if _, ok := f.items[i].has("by"); ok {
			f.takeBy(i)
		}
		if _, ok := f.items[i].has("where"); ok && f.items[i].low != "where" {
			f.items[i].used = true
		}
	}
	for i := range f.items {
		if p, n, ok := f.place(i); ok && p.Name == "node" && i > 0 && !f.named(i, n) && slices.Contains([]string{"whole", "entire", "full"}, f.items[i-1].low) {
			f.by = append(f.by, p.Name) // "the whole box"
			f.useAll(span(i-1, i+n)...)
		}
	}
	for i := range f.items {
		p, n, ok := f.place(i)
		q, _, too := f.place(i + n)
		if ok && too && p.Name == "gpu" && q.Name == "node" {
			f.useAll(span(i, i+n)...) // "on a GPU host" is on a node
		}
	}
	for i := range f.items {
		p, n, ok := f.place(i)
		q, m, too := f.place(i + n)
		if !ok || !too || p.Name == "gpu" || q.Name != "gpu" || !f.aggregates() {
			continue
		}
		f.by = append(f.by, p.Name) // "host gpus together"
		f.useAll(span(i, i+n)...)
		for k := range m {
			f.items[i+n+k].weak = true
		}
	}
	f.takeAllOf()
	f.takeAnyOne()
	f.takeAnyLabel()
	for i := range f.items {
		p, n, ok := f.place(i)
		one := i > 0 && (f.items[i-1].low == "a" || f.items[i-1].low == "one") && (i == 1 || f.items[i-2].low == "of" || f.after(i-1, "kind"))
		if !ok || p.Name != "node" || !one || slices.Contains(f.each, p.Name) || f.named(i, n) {
			continue
		}
		f.parts = append(f.parts, p.Name)
		for k := range n {
			f.items[i+k].weak = true
		}
	}
	f.takeOneOf()
	f.takeEnd()
	for i := range f.items {
		if f.items[i].used {
			continue
		}
		if p, n, ok := f.place(i); ok && f.isWeak(i) {
			before := at(f.items, i-1)
			if slices.ContainsFunc(before.norms, f.brand) {
				before = at(f.items, i-2) // every KServe model
			}
			if low := before.low; low == "any one" || low == "any single" || (low == "each" || low == "every") && (f.kind == lookup || f.kind == unsaid && !f.saysAny("compare") || f.aggregates()) && p.Name != "gpu" || low == "any" && f.aggregates() && p.Name != "gpu" && f.kind != lookup {
				f.each = append(f.each, p.Name)
			}
			for k := range n {
				f.items[i+k].weak = true
			}
		}
		if _, ok := f.items[i].has("determiner"); ok {
			f.items[i].used = true
		}
	}
}

// oneAsked reports whether it is one of several that is asked for: which pod, never
// which pods.
func (f *frame) oneAsked() bool {
	if !f.firstWord("which") && !f.firstWord("what") {
		return false
	}
	_, n, ok := f.place(1)
	low := at(f.items, n).low
	return ok && low != "" && singular(low) == low
}

// takeEnd reads the thing at one end of a scale, which says what is measured: the
// hottest GPU of each node is at the highest temperature.
func (f *frame) takeEnd() {
	for i := range f.items {
		word, end := f.says(i, "end")
		p, n, ok := f.place(i + 1)
		if !end || !ok || f.named(i+1, n) || f.top != 0 {
			continue
		}
		f.extra = append(f.extra, word)
		f.use(i)
		for k := range n {
			f.items[i+1+k].weak = true
		}
		least := f.lexicon.sets["least"][f.items[i].low]
		how := strings.HasPrefix(at(f.items, 0).low, "how ") || slices.Contains(f.norms(), word)
		if !how && f.kind == lookup || !how && f.kind == unsaid && !f.saysAny("compare") && !f.saysAny("over") && len(f.by) == 0 && !f.lists() {
			f.top, f.subject, f.kind, f.extreme = 1, p.Name, lookup, nlq.Highest
			if least {
				f.top, f.extreme = -1, nlq.Lowest
			}
			return
		}
		f.agg = nlq.Maximum
		if least {
			f.agg = nlq.Minimum
		}
		if of := i + n + 2; f.anyOf(of) && (f.items[of-1].low == "of" || f.items[of-1].low == "on" || f.items[of-1].low == "in") {
			if p, n, ok := f.place(of + 1); ok && !f.named(of+1, n) {
				f.by = append(f.by, p.Name) // the hottest GPU of a node
				f.useAll(span(of-1, of+1+n)...)
			}
		}
		return
	}
}

// takeMost reads: the five GPUs with the most replays.
func (f *frame) takeMost(i int) bool {
	low := f.items[i].low
	least, most := f.lexicon.sets["least"][low], f.lexicon.sets["most"][low]
	if i == 0 || f.items[i].used || f.top != 0 || f.kind == alert || !least && !most {
		return false
	}
	j := i - 1
	for j > 0 && (f.lexicon.stop[f.items[j].low] || f.lexicon.sets["having"][f.items[j].low]) {
		j--
	}
	verbs := span(j+1, i) // "which 5 pods use the most memory"
	n, given := f.amount(j - 1)
	if p, _, ok := f.place(j); ok && given && !n.isUnit && n.value >= 1 {
		f.subject = p.Name
		f.items[j].weak = true
		f.useAll(verbs...)
		return f.ranks(n, j-1, i, least)
	}
	first := 0 // "three hosts that drop the most packets"
	if f.firstWord("which") || f.firstWord("what") {
		first = 1
	}
	n, given = f.amount(first)
	if !given || n.isUnit || n.value < 1 {
		return false
	}
	if p, m, ok := f.place(first + 1); ok && (first > 0 || slices.Contains([]string{"that", "which", "whose"}, at(f.items, first+1+m).low)) { // "which 5 gpus lost the most time"
		f.subject = p.Name
		for k := range m {
			f.items[first+1+k].weak = true
		}
	} else if _, m, ok := f.labelAt(2); ok && first > 0 {
		for k := range m {
			f.items[2+k].weak = true // "which 10 resources have the most objects"
		}
	} else if first == 0 {
		return false
	}
	f.useAll(verbs...)
	return f.ranks(n, first, i, least)
}

// ranks settles that the first n are asked for, as the items number and word say.
func (f *frame) ranks(n number, number, word int, least bool) bool {
	f.top, f.kind = int(n.value), lookup
	if least {
		f.top = -f.top
	}
	f.useAll(number, word)
	return true
}

// takeRanked reads: the five hottest cards, 3 slowest models.
func (f *frame) takeRanked() {
	if f.kind == alert || f.top != 0 {
		return
	}
	for i := range f.items {
		n, given := f.amount(i)
		if !given || n.isUnit || n.value < 1 || n.value != math.Trunc(n.value) {
			continue
		}
		j := i + 1
		word, end := f.says(j, "end")
		agg, _ := f.says(j, "agg")
		if _, most := f.says(j, "most"); !end && agg != string(nlq.Maximum) && agg != string(nlq.Minimum) && !most {
			continue
		}
		least := agg == string(nlq.Minimum) || f.lexicon.sets["least"][f.items[j].low]
		p, m, ok := f.place(j + 1)
		if !ok && (j+1 >= len(f.items) || f.plain(f.items[j+1])) {
			continue
		}
		if end {
			f.extra = append(f.extra, word)
		}
		f.top, f.subject, f.kind = int(n.value), p.Name, lookup
		if least {
			f.top = -f.top
		}
		for k := range m {
			f.items[j+1+k].weak = true
		}
		f.useAll(i, j)
		return
	}
}

// takeSuperlative reads: which card is the hottest, which nodes have the
// lowest load.
func (f *frame) takeSuperlative() {
	if f.kind != lookup || f.top != 0 || !f.firstWord("which") && !f.firstWord("what") {
		return
	}
	ranks, given := f.amount(1) // "which 5 nodes are hottest"
	given = given && !ranks.isUnit && ranks.value >= 1
	first := 1
	if given {
		first = 2
	}
	p, n, ok := f.place(first)
	i := first + n
	for ok && i < len(f.items) && (f.lexicon.stop[f.items[i].low] || f.items[i].low == "has" || f.items[i].low == "have") {
		i++
	}
	word, end := f.says(i, "end")
	agg, ranked := f.says(i, "agg")
	if !ok || !end && (!ranked || agg != string(nlq.Maximum) && agg != string(nlq.Minimum)) {
		return
	}
	f.top = 1
	if given {
		f.top = int(ranks.value)
		f.use(1)
	} else if strings.HasSuffix(f.items[n].low, "s") {
		f.top = 5
		f.assume(0.1, "the first 5 are shown")
	}
	if agg == string(nlq.Minimum) || f.lexicon.sets["least"][f.items[i].low] {
		f.top = -f.top
	}
	if end {
		f.extra = append(f.extra, word)
	}
	f.subject = p.Name
	for k := range n {
		f.items[first+k].weak = true
	}
	f.use(i)
}

// aggregates reports whether series are put together.
func (f *frame) aggregates() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { v, agg := it.has("agg"); return agg && v != string(nlq.Count) })
}

// takeTop reads: top 5 nodes, the bottom 3.
func (f *frame) takeTop(i int, bottom bool) {
	f.items[i].used = true
	f.top = 1
	j := i + 1
	if j < len(f.items) && f.items[j].number != nil && !f.items[j].number.isUnit {
		f.top = max(1, int(f.items[j].number.value))
		f.items[j].used = true
		j++
	} else if n, ok := f.amount(i - 1); ok && !n.isUnit && n.value >= 1 {
		f.top = int(n.value) // "ten biggest containers"
		f.use(i - 1)
	} else if n, ok := f.amount(1); ok && f.firstWord("which") && !n.isUnit && n.value >= 1 {
		if p, m, ok := f.place(2); ok { // "which five pods keep the tensor pipe busiest"
			f.top, f.subject = int(n.value), p.Name
			for k := range m {
				f.items[2+k].weak = true
			}
			f.use(1)
		}
	}
	if word, ok := f.says(j, "end"); ok {
		f.extra = append(f.extra, word)
		f.items[j].used = true
		j++
	}
	if bottom {
		f.top = -f.top
	}
	if p, n, ok := f.place(j); ok {
		f.subject = p.Name
		for k := range n {
			f.items[j+k].weak = true
		}
	}
	if f.kind == unsaid {
		f.kind = lookup
	}
}

// longerLabel reports whether a label is called by more than n words from item j
// on: by cluster queue.
func (f *frame) longerLabel(j, n int) bool {
	_, k, ok := f.labelAt(j)
	return ok && k > n
}

// takeBy reads: per node, by namespace and pod. In "top 5 nodes by memory" it
// says what is ranked, which is the measure.
func (f *frame) takeBy(i int) {
	f.items[i].used = true
	if f.top != 0 && f.items[i].low == "by" {
		return
	}
	if _, _, place := f.place(i + 1); f.agent(i+1) && place && strings.HasSuffix(f.items[i+1].low, "s") && !f.isName(i+2) {
		return // "requested by pods" says who does it
	}
	if before := at(f.items, i-1).low; f.items[i].low == "by" && (before == "seen" || before == "reported" || before == "told") {
		return // who saw it
	}
	if f.items[i].low == "by" && at(f.items, i+1).used {
		return // "used by pod train-0" has been read
	}
	for j := i + 1; j < len(f.items); {
		if f.items[j].low == "label" && j+1 < len(f.items) {
			f.by = append(f.by, "label "+f.items[j+1].raw)
			f.use(j)
			f.use(j + 1)
			j += 2
		} else if renamed.MatchString(f.items[j].raw) && !f.items[j].used {
			f.by = append(f.by, "label "+f.items[j].raw)
			f.use(j)
			j++
		} else if raw := f.items[j].raw; f.words.exactly[raw] && !f.items[j].used {
			f.by = append(f.by, "label "+raw)
			f.use(j)
			j++
		} else if p, ok := f.placeOfLabel(j); ok {
			f.by = append(f.by, p.Name)
			f.use(j)
			j++
		} else if _, _, ok := f.place(j + 1); ok && len(f.items[j].norms) == 1 && f.brand(f.items[j].norms[0]) && !f.items[j].used {
			j++ // "per etcd instance"
			continue
		} else if p, n, ok := f.place(j); ok && !f.longerLabel(j, n) {
			f.grouped = append(f.grouped, grouped{from: j, to: j + n, by: len(f.by)})
			f.by = append(f.by, p.Name)
			for k := range n {
				f.items[j+k].used = true
			}
			j += n
		} else if l, n, ok := f.labelAt(j); ok && !f.calledSo(i, j+n) {
			f.grouped = append(f.grouped, grouped{from: j, to: j + n, by: len(f.by)})
			f.by = append(f.by, "label "+l)
			for _, it := range f.items[j : j+n] {
				f.implied = append(f.implied, it.norms...) // "pods per phase" are of the pod phase
			}
			f.useAll(span(j, j+n)...)
			j += n
		} else if f.items[j].low == "each" || f.items[j].low == "every" {
			f.use(j)
			j++
			continue
		} else {
			f.grouped = append(f.grouped, grouped{from: j, to: j, by: -1})
			return
		}
		if _, and := at(f.items, j).has("and"); !and {
			return
		}
		f.use(j)
		j++
	}
}

// placeOfLabel returns the place that item i says by a label's own name: by model_name.
func (f *frame) placeOfLabel(i int) (nlq.Place, bool) {
	if !strings.Contains(f.items[i].low, "_") || f.items[i].used {
		return nlq.Place{}, false
	}
	for _, p := range f.places {
		if slices.Contains(p.Labels, f.items[i].raw) {
			return p, true
		}
	}
	return nlq.Place{}, false
}

// calledSo reports whether the words around the "per" at i are what a measure
// is called: time per output token.
func (f *frame) calledSo(i, to int) bool {
	if f.items[i].low != "per" || i == 0 || slices.ContainsFunc(f.items[i-1].norms, isPlaceWord) {
		return false // "pods per phase" are counted
	}
	said := slices.Clone(f.items[i-1].norms)
	for _, it := range f.items[i+1 : to] {
		said = append(said, it.norms...)
	}
	return len(f.items[i-1].norms) > 0 && f.words.called(said...)
}

// isWeak reports whether the place word at i only says what is looked at: it
// stands behind a determiner, a question word or a preposition.
func (f *frame) isWeak(i int) bool {
	if f.items[i].weak {
		return true
	}
	if _, n, _ := f.place(i); i > 0 && f.lexicon.sets["relative"][at(f.items, i+n).low] {
		return true // "in namespace ml, pods whose memory is above 2 GB"
	}
	for j := i - 1; j >= 0; j-- {
		it := f.items[j]
		if it.weak {
			continue
		}
		if it.used && (it.name || it.whole != "" || it.inside) || j == i-1 && slices.ContainsFunc(it.norms, f.brand) {
			continue // "on the H200 nodes", "every KServe model"
		}
		_, determiner := it.has("determiner")
		_, asks := it.has("kind")
		_, preposition := prepositions[it.low]
		if determiner || asks && (f.kind == lookup || f.counting) {
			lists := asks && (it.low == "which" || f.counting) || asks && f.condition(f.items[i:]) && f.kind == lookup
			if lists {
				p, _, _ := f.place(i)
				f.subject = p.Name
			}
			return lists || determiner
		}
		if preposition || it.low == "across" {
			return true
		}
		if it.low != "a" && it.low != "an" && it.low != "the" && (it.number == nil || it.number.value != 1) {
			return false
		}
	}
	return false
}

func at(items []item, i int) item {
	if i < 0 || i >= len(items) {
		return item{}
	}
	return items[i]
}

// isShare reports whether some share is called by words.
func (f *frame) isShare(words []string) bool {
	return f.words.some(words, func(n *named) bool {
		return f.dimension(n.metric.Unit) == "ratio"
	})
}

// takeAggregation reads how series are put together. The word may turn out to
// be part of the measure's name; see measure.
func (f *frame) takeAggregation() {
	for i := range f.items {
		if _, ok := f.says(i, "whole"); ok {
			f.whole, f.items[i].used = true, true
		}
		v, ok := f.items[i].has("agg")
		if !ok || f.items[i].used {
			continue
		}
		if v == string(nlq.Count) && strings.HasPrefix(f.items[i].low, "count") && i > 0 && f.tells(i-1) && !f.placeWord(f.items[i-1].low) {
			f.items[i].used = true // "the replay count of a card"
			continue
		}
		if v == string(nlq.Count) {
			f.counting, f.items[i].used = true, true
			continue
		}
		if f.agg == nlq.Each {
			f.agg, f.aggItem = nlq.Aggregation(v), i
		} else if v == string(nlq.Sum) {
			f.endOfSum(i)
		}
	}
	for i := range f.items {
		v, ok := f.items[i].has("over time")
		if ok && f.items[i].low == "rate of" && i > 0 && f.isShare(f.items[i-1].norms) {
			f.items[i].low, f.items[i].used = "rate", true // the hit rate of a cache is no rate over time
			continue
		}
		if ok && !f.items[i].used && (v == "rate" || v == "increase") {
			f.over, f.items[i].used = nlq.OverTime(v), true
		}
	}
}

// endOfSum reads of a sum, which item i says, how high or low it was: the peak
// of the cluster's total power in the last day.
func (f *frame) endOfSum(i int) {
	over := map[nlq.Aggregation]string{nlq.Maximum: "max_over_time", nlq.Minimum: "min_over_time", nlq.Mean: "avg_over_time"}[f.agg]
	if over == "" || f.kind == alert || len(f.compares) > 0 || f.window == 0 {
		return
	}
	window := f.window
	f.items[f.aggItem].used = true
	f.agg, f.aggItem, f.window = nlq.Sum, i, 0
	f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
		return nlq.Func{Name: over, Of: t, Window: window}
	})
}
