package grammar

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takePart reads how much of something is of one kind: what share of the vLLM
// requests stops for their length, more than 5% of the etcd proposals fail, over
// 2% of API requests end in a 5xx. What has a measure of its own is left to it.
func (f *frame) takePart() {
	if f.test != nil || len(f.values) > 0 || f.kind == when || f.shareOfCodes() {
		return
	}
	for i := range f.items {
		if op, ok := f.says(i, "operator"); ok && op == "/" && i > 0 && f.partOver(i) {
			return
		}
		j, ok := f.shareAt(i)
		if !ok {
			continue
		}
		f.takeWindows(j)
		end := f.clauseFrom(j)
		if f.shareOfBoth(f.items[j:end], nil) {
			if f.items[i].number == nil {
				f.useAll(span(i, j)...)
				f.takeInUse(j, end)
				f.ownShare = true
			}
			return // "share of failed requests" is measured
		}
		if f.partBehind(i, j, end) || f.items[i].number != nil && f.partBefore(i, j, end) {
			if f.items[i].number != nil {
				f.takeShareLimit(i, j)
			}
			f.useAll(span(i, j)...)
			return
		}
	}
}

// partBehind reads items j to end, of which item i is a share, as a whole with its
// part behind it, or before it: of requests that were aborted, of aborted requests.
func (f *frame) partBehind(i, j, end int) bool {
	for k := end - 1; k > j; k-- {
		if whole, ok := f.allAt(j, k, f.items[:i]); ok && f.dividedBy(whole, j, k, k, end) {
			return true
		}
	}
	for k := j + 1; k < end; k++ {
		if whole, ok := f.allAt(k, end, f.items[j:k]); ok && f.dividedBy(whole, k, end, j, k) {
			return true
		}
	}
	return false
}

// partBefore reads what stands before the limit at item i as the part of what
// items from j say: 503s above 2% of the requests.
func (f *frame) partBefore(i, j, end int) bool {
	from := f.limitBefore(i)
	for k := end; k > j && from > 0; k-- {
		if f.shareOfBoth(f.items[:from], f.items[j:k]) {
			return false
		}
		if whole, ok := f.allAt(j, k, f.items[:from]); ok && whole.Type == catalog.Counter && f.dividedBy(whole, j, k, 0, from) {
			return true
		}
	}
	return false
}

// partOver reads what stands before the operator at item i as the part of what stands
// behind it: idle GPUs as a share of all GPUs.
func (f *frame) partOver(i int) bool {
	end := f.clauseFrom(i + 1)
	for k := end; k > i+1; k-- {
		whole, ok := f.allAt(i+1, k, f.items[:i])
		if !ok {
			continue
		}
		words := slices.DeleteFunc(f.contents(0, i), func(w string) bool { return f.words.says(whole.ID, w) })
		if len(words) == 0 {
			continue
		}
		if of, ok := f.kin(words, whole); ok && whole.Type == catalog.Gauge {
			f.takeWords(0, i)
			f.useAll(span(i, k)...)
			f.divide(of, whole, nil)
			if f.kind == unsaid {
				f.kind = lookup
			}
			return true
		}
	}
	return false
}

// limitBefore returns where the comparison with the number at item i begins.
func (f *frame) limitBefore(i int) int {
	for _, k := range []int{i - 2, i - 1} {
		_, cmp := f.says(k, "compare")
		_, over := f.says(k, "over")
		if cmp || over {
			return k
		}
	}
	return i
}

// takeShareLimit reads items up to the number at item i as a limit, which is reached
// where no word says which way, and takes what stands before item to.
func (f *frame) takeShareLimit(i, to int) {
	from := f.limitBefore(i)
	n, _ := f.amount(i)
	op := ">="
	for k := from; k < i; k++ {
		if v, cmp := f.says(k, "compare"); cmp && len(v) <= 2 {
			op = v
		} else if _, over := f.says(k, "over"); over {
			op = ">"
		}
	}
	f.useAll(span(from, to)...)
	f.compares = append(f.compares, compare{op: op, limit: n})
}

// takeInUse takes "in use" from items j to end for what is measured: it compares
// nothing where a share is asked for.
func (f *frame) takeInUse(j, end int) {
	for k := j; k < end; k++ {
		if v, ok := f.says(k, "compare"); ok && strings.HasPrefix(v, "> allocated") {
			f.use(k)
			f.extra = append(f.extra, "usage")
		}
	}
}

// shareAt reads a share of something from item i on, and returns the first item
// of what it is of.
func (f *frame) shareAt(i int) (of int, ok bool) {
	v, isKind := f.says(i, "kind")
	n, isNumber := f.amount(i)
	of = i + 1
	switch {
	case isKind && v == "share":
		if f.kind == unsaid && f.lexicon.sets["asking"][strings.Fields(f.items[i].low)[0]] {
			f.kind = lookup
		}
	case isNumber && n.isUnit && n.unit.dimension == "ratio" && (at(f.items, of).low == "of" || strings.HasSuffix(f.items[i].low, " of") || strings.Contains(f.items[i].low, " in ") || f.lexicon.sets["own"][at(f.items, of).low] && strings.IndexAny(f.items[i].raw, "0123456789") < 0):
	default:
		return 0, false
	}
	for of < len(f.items) && f.lexicon.sets["whole of"][f.items[of].low] {
		of++
	}
	return of, of < len(f.items)
}

// takeWindows reads the times that stand within what begins at item i: of the
// requests in the last hour that failed.
func (f *frame) takeWindows(i int) {
	for k := i + 1; k < len(f.items); k++ {
		if d, ok := f.items[k].number.duration(); ok && !f.items[k].used && isWindow(f.items[k-1]) && d >= shortest {
			f.takeTime(k, d)
		}
	}
}

// clauseFrom returns where what begins at item i ends: before a limit, a time or
// a number.
func (f *frame) clauseFrom(i int) int {
	for k := i; k < len(f.items); k++ {
		it := f.items[k]
		if it.used {
			continue
		}
		_, isTime := at(f.items, k+1).number.duration()
		_, _, placed := f.placedAt(k)
		ends := it.number != nil || it.low == "," || it.low == ";" || placed
		if v, _ := it.has("compare"); strings.HasPrefix(v, "> allocated") || strings.HasSuffix(v, " 0") && f.words.anyOf(it.norms) {
			continue // slurm GPUs that are idle are told, too
		}
		for _, r := range []role{"compare", "over", "hold", "window", "during", "join", "by", "severity", "route"} {
			_, is := it.has(r)
			ends = ends || is && (isTime || it.low != "in" && it.low != "with") // ends in an error
		}
		if ends {
			return k
		}
	}
	return len(f.items)
}

// placedAt reports whether item i says of which one what stands before it is, on
// ingress shop, and returns where its name begins and ends.
func (f *frame) placedAt(i int) (name, to int, ok bool) {
	if _, preposition := f.items[i].preposition(); !preposition {
		return 0, 0, false
	}
	_, n, is := f.place(i + 1)
	if !is {
		_, n, _ = f.labelAt(i + 1)
	}
	name = i + 1 + n
	if !f.isName(name) && !(n > 0 && name < len(f.items) && f.unknown(name)) {
		return 0, 0, false
	}
	_, to = f.name(name)
	return name, to, true
}

// allAt reads items j to k as things that are counted, those of what was named
// before where only that tells which.
func (f *frame) allAt(j, k int, before []item) (catalog.Metric, bool) {
	m, ok := f.second(j, k, before)
	for i, it := range before {
		if ok {
			break
		}
		if !it.used && it.number == nil && len(it.norms) == 1 && f.brand(it.norms[0]) {
			g := f.part(append([]item{before[i]}, f.items[j:k]...), nil)
			m, ok = g.second(0, len(g.items), nil)
		}
	}
	if thing := strings.Trim(string(m.Unit), "{}"); ok && isPlaceWord(thing) {
		var things []string
		for _, it := range f.items[j:min(k+1, len(f.items))] {
			things = append(things, it.norms...)
		}
		if !slices.Contains(things, thing) && slices.ContainsFunc(things, isPlaceWord) {
			return m, false // GPUs are no nodes
		}
	}
	counts := strings.HasPrefix(string(m.Unit), "{") && m.Unit != "{bool}" && m.Unit != "{state}"
	return m, ok && (m.Type == catalog.Counter || counts) && m.Bad != "high" // errors are a part, and no whole
}

// dividedBy reads items from to end as which part of whole, items j to k, is meant:
// another measure, or values of labels of the same.
func (f *frame) dividedBy(whole catalog.Metric, j, k, from, end int) bool {
	if !slices.ContainsFunc(f.items[from:end], func(it item) bool { return !f.plain(it) && !it.used }) {
		return false
	}
	labels := f.toldApart(whole, from, end)
	of, ok := whole, true
	if len(labels) == 0 {
		if of, ok = f.kin(f.contents(from, end), whole); !ok {
			of, ok = f.second(from, end, f.items[j:k])
			ok = ok && of.ID != whole.ID && of.Type == whole.Type && of.Exporter == whole.Exporter && (f.dimension(of.Unit) == f.dimension(whole.Unit) || ofOneFlow(of, whole))
		}
	}
	if !ok {
		return false
	}
	f.takeWords(j, k)
	if len(labels) == 0 {
		f.takeWords(from, end)
	} else {
		f.partFrom, f.partTo = from, end
	}
	f.divide(of, whole, labels)
	return true
}

// ofOneFlow reports whether a and b count what becomes of the same: errors of packets
// received.
func ofOneFlow(a, b catalog.Metric) bool {
	return a.Type == catalog.Counter && strings.HasPrefix(string(a.Unit), "{") && strings.HasPrefix(string(b.Unit), "{") && inCommon(string(a.ID), string(b.ID)) > leastInCommon
}

// divide has of divided by whole: by the same without the values of labels, where
// those tell which part is meant.
func (f *frame) divide(of, whole catalog.Metric, labels []string) {
	f.given = &of
	if own, ok := f.catalog.Derived(of.ID + ":share"); ok && len(labels) == 0 {
		f.given = &own.Metric // of what failed and what did not
		return
	}
	f.quotient = true
	f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
		if len(labels) == 0 && f.catalog.Complements(of.ID, whole.ID) {
			return f.shareOfSum(t, of, []catalog.Metric{of, whole}) // what succeeded is not all
		}
		ms, ok := t.(nlq.Measure)
		if ok && ms.Agg == nlq.Each && len(labels) == 0 && (!subset(of.Labels, whole.Labels) || !subset(whole.Labels, of.Labels)) {
			ms.Agg = nlq.Sum // series of errors have codes, those of requests methods
			t = ms
		}
		if !ok || len(labels) == 0 {
			right, on := nlq.Joint(t, f.like(t, whole), f.catalog)
			return nlq.Binary{Op: "/", Left: t, Right: right, On: on}
		}
		if ms.Agg == nlq.Each {
			ms.Agg = nlq.Sum // what tells the part apart is in no other series
		}
		all := ms
		all.Where = slices.DeleteFunc(slices.Clone(ms.Where), func(w nlq.Matcher) bool { return slices.Contains(labels, w.Label) })
		return nlq.Binary{Op: "/", Left: ms, Right: all}
	})
}

// divided returns what takePart found to be measured, with the codes that were said.
func (f *frame) divided() (catalog.Metric, error) {
	if len(f.httpCodes()) > 0 {
		f.takeHTTP()
	}
	return *f.given, f.fits(*f.given)
}

// kin returns the one of whole's family that is called by all of words: what has
// most of its name in common.
func (f *frame) kin(words []string, whole catalog.Metric) (best catalog.Metric, ok bool) {
	closest := 0
	var last catalog.ID // of those looked at, and whether its own name says all of words
	var says bool
	family, _ := firstWord(string(whole.ID))
	for n := range f.words.havingOf(family, words) {
		m := n.metric
		if n.derived || m.ID == whole.ID || m.ID == best.ID || m.Type != whole.Type || m.Exporter != whole.Exporter || m.Entity != whole.Entity || f.dimension(m.Unit) != f.dimension(whole.Unit) {
			continue
		}
		common := inCommon(string(m.ID), string(whole.ID))
		if common < leastInCommon {
			continue
		}
		near := common*longestName - len(n.words)
		if near < closest {
			continue
		}
		if m.ID != last {
			own := strings.Join(strings.FieldsFunc(string(m.ID), isJoint)[common:], " ")
			last, says = m.ID, subset(words, catalogWords(own))
		}
		if !says {
			continue // "etcd" tells none apart
		}
		switch {
		case near > closest:
			best, closest, ok = *m, near, true
		case near == closest:
			ok = false
		}
	}
	return best, ok
}

// leastInCommon is with how many words alike names begin at least that are of one
// family: a word for the exporter, and one for what it counts.
const leastInCommon = 2

// contents returns the words from item i to end that could be of a name, but for
// what only says that they are so where others are left: requests end in an error.
func (f *frame) contents(i, end int) []string {
	var words, verbs []string
	for k, it := range f.items[i:end] {
		switch _, _, place := f.place(i + k); {
		case it.used, place, it.number != nil, f.plain(it):
		case f.lexicon.sets["verb"][it.low]:
			verbs = append(verbs, it.norms...)
		default:
			words = append(words, it.norms...)
		}
	}
	if len(words) == 0 {
		return verbs
	}
	return words
}

// inCommon returns how many words two names of metrics begin with alike.
func inCommon(a, b string) (n int) {
	for {
		var x, y string
		x, a = firstWord(a)
		y, b = firstWord(b)
		if x != y || x == "" {
			return n
		}
		n++
	}
}

// firstWord returns the first word of the name of a metric, and what follows it.
func firstWord(name string) (word, rest string) {
	name = strings.TrimLeftFunc(name, isJoint)
	if i := strings.IndexFunc(name, isJoint); i >= 0 {
		return name[:i], name[i:]
	}
	return name, ""
}

func isJoint(r rune) bool { return r == '_' || r == ':' }

// takeWords takes items from i to end, but for places and names, which say whose
// it is.
func (f *frame) takeWords(i, end int) {
	for i < end {
		if _, n, place := f.place(i); place {
			for ; n > 0; n, i = n-1, i+1 {
				f.items[i].weak = true
			}
			continue
		}
		_, any := f.says(i, "determiner")
		if _, preposition := f.items[i].preposition(); !any && !preposition && !f.isName(i) && f.items[i].match == nil {
			f.use(i)
		}
		i++
	}
}

// valued reports whether the catalog lists values of a label: it says which kind
// something is of, and not which one it is.
func valued(label string) bool {
	return slices.ContainsFunc(catalog.LabelValues(), func(v catalog.LabelValue) bool { return slices.Contains(v.Labels, label) })
}

// toldApart returns the labels of m that items from i to end say values of: codes,
// reasons and states, but not whose it is.
func (f *frame) toldApart(m catalog.Metric, i, end int) (labels []string) {
	g := f.part(slices.Clone(f.items[i:end]), nil)
	g.kind, g.quiet = lookup, true
	for k := i; k < end; k++ {
		g.items[k-i].used = g.items[k-i].used || f.inName(k) // that says whose it is
	}
	g.takeNames()
	g.filters = slices.DeleteFunc(g.filters, func(fl filter) bool { return !f.lexicon.sets["kind of"][fl.place] && !valued(fl.label) })
	g.takeCodesOf(m)
	g.narrow(m)
	ms := nlq.Measure{Metric: m.ID}
	g.where(&ms, m)
	for _, w := range ms.Where {
		if f.catalog.Takes(m.ID, w.Label) && !slices.Contains(labels, w.Label) {
			labels = append(labels, w.Label)
		}
	}
	return labels
}
