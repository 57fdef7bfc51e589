package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// measure finds what is measured, and the values of its labels that were said.
func (f *frame) measure() (catalog.Metric, error) {
	if f.settled {
		return *f.given, f.fits(*f.given)
	}
	was := *f
	was.items = slices.Clone(f.items)
	if m, ok := f.takeState(); ok {
		return m, nil
	}
	m, err := f.lookUp()
	if err != nil && f.probing {
		return m, err
	}
	if err != nil {
		var ok bool
		by, said := was, was
		by.items, said.items = slices.Clone(was.items), slices.Clone(was.items)
		if m, ok = was.asideFrom(); ok {
			*f = was
		} else if m, ok = by.groupedAs(); ok {
			*f = by
		} else if m, ok = said.inBrackets(); ok {
			*f = said
		} else {
			return m, err
		}
	}
	if of := f.unanswered(m); of != "" {
		return m, f.settle(fmt.Sprintf("What of %s should be measured? %s says nothing of it.", of, f.title(m.ID)))
	}
	f.takeKinds(m)
	f.ownGroups(m)
	m = f.narrow(m)
	if f.fixed != "" {
		return m, f.settle(fmt.Sprintf("%s is not %q. What should be measured?", f.title(m.ID), f.fixed))
	}
	f.takeWords(f.partFrom, f.partTo)
	return m, nil
}

// limitsShare reports whether the limit is a share.
func (f *frame) limitsShare() bool {
	return slices.ContainsFunc(f.compares, func(c compare) bool { return c.limit.isUnit && c.limit.unit.dimension == "ratio" })
}

// unanswered returns software that was spoken of and that m says nothing about:
// an unhealthy etcd is no unhealthy node.
func (f *frame) unanswered(m catalog.Metric) string {
	software := f.lexicon.sets["software"]
	says := "" // put together where software is spoken of
	for _, it := range f.items {
		if it.used || it.metric || it.name || !software[it.low] && !slices.ContainsFunc(it.norms, func(w string) bool { return software[w] }) {
			continue
		}
		if says == "" {
			d, _ := f.catalog.Derived(m.ID)
			says = strings.ToLower(string(m.ID) + " " + m.Exporter + " " + m.Entity + " " + strings.Join(m.Words, " ") + " " + m.Help + d.Expr)
		}
		for _, w := range append(slices.Clone(it.norms), it.low) {
			if software[w] && !strings.Contains(says, w) {
				return it.raw
			}
		}
	}
	return ""
}

// lookUp finds what the words that no phenomenon took are the name of. Words
// such as "total" are part of the name where there is such a name.
func (f *frame) lookUp() (catalog.Metric, error) {
	if i := slices.IndexFunc(f.items, func(it item) bool { return it.metric && !it.used }); i >= 0 {
		return f.exactly(i)
	}
	if f.given != nil {
		return f.divided()
	}
	if f.aggItem >= 0 {
		if m, err := f.strictly((*frame).findWithAgg); err == nil {
			f.agg, f.items[f.aggItem].used = nlq.Each, true
			return m, nil
		}
		f.items[f.aggItem].used = true
	}
	var m catalog.Metric
	var err error
	if len(f.httpCodes()) == 0 || f.limitsShare() { // a share of errors is measured as such
		m, err = f.find(false)
	} else if m, err = f.strictly(func(f *frame) (catalog.Metric, error) { return f.find(false) }); err != nil && f.takeHTTP() {
		m, err = f.find(false)
	}
	if err == nil {
		if d, derived := f.catalog.Derived(m.ID); derived && f.agg == nlq.Mean && len(f.by) == 0 && f.dimension(m.Unit) == "time" && strings.Contains(d.Expr, "rate(") {
			f.agg, f.mean = nlq.Each, true // it is a mean already
		}
		return m, nil
	}
	if f.quantile() {
		m, err := f.find(false)
		if d, ok := f.catalog.Derived(m.ID); err == nil && ok && d.Quotient() {
			return m, f.settle(fmt.Sprintf("Only the mean is known of %s: no percentile of it is kept. Is the mean meant?", f.title(m.ID)))
		}
		return m, err
	}
	if i := slices.Index(f.extra, "usage"); i >= 0 && len(f.extra) == 1 {
		f.extra = nil
		if m, err := f.strictly(func(f *frame) (catalog.Metric, error) { return f.find(false) }); err == nil && f.dimension(m.Unit) == "ratio" {
			return m, nil // an fp32 pipe that is idle is at 0, whatever that is called
		}
		f.extra = []string{"usage"}
	}
	if len(f.lent) > 0 {
		f.implied, f.lent = append(f.implied, f.lent...), nil
		return f.find(false)
	}
	return m, err
}

func (f *frame) findWithAgg() (catalog.Metric, error) { return f.find(true) }

// strictly calls find without taking what is only near.
func (f *frame) strictly(find func(*frame) (catalog.Metric, error)) (catalog.Metric, error) {
	was := f.lenient
	f.lenient = false
	defer func() { f.lenient = was }()
	return find(f)
}

// eachPlace returns the places for each of which something is put together,
// where a determiner says so: on any node.
func (f *frame) eachPlace() []string {
	var out []string
	for _, p := range f.weakPlaces() {
		if p != "gpu" {
			out = append(out, p)
		}
	}
	return out
}

// exactly takes the measure that item i names outright; the words around it
// may repeat what it is called.
func (f *frame) exactly(i int) (catalog.Metric, error) {
	m, _ := f.catalog.Measure(catalog.ID(f.items[i].raw))
	for _, it := range f.items {
		if whole, ok := f.catalog.Measure(catalog.ID(it.low) + ":" + m.ID); ok && !it.used {
			m = whole // "num_requests_waiting of vllm"
		}
	}
	f.items[i].used = true
	f.takeCodesOf(m)
	for k := range f.items {
		it := &f.items[k]
		if !it.used && len(it.norms) > 0 && !slices.ContainsFunc(it.norms, func(w string) bool { return !f.words.says(m.ID, w) }) {
			it.used = true
		}
	}
	if f.aggItem >= 0 {
		f.items[f.aggItem].used = true
	}
	if left := f.leftover(); len(left) > 0 {
		return m, &nlq.NotUnderstood{Words: left}
	}
	return m, f.fits(m)
}

// find looks for the measure whose name holds all strong words. withAgg: the
// word for the aggregation is one of them.
func (f *frame) find(withAgg bool) (catalog.Metric, error) {
	f.takeShare()
	strong, weak := f.said(withAgg)
	if left := f.nameless(); len(left) > 0 {
		return catalog.Metric{}, &nlq.NotUnderstood{Words: left}
	}
	if f.counting && len(strong) == 0 && f.subject != "gpu" && f.words.called(f.subject) {
		strong = []string{f.subject} // how many pods
	}
	if f.counting && len(strong) == 0 {
		strong = []string{"count"}
		if slices.ContainsFunc(f.filters, func(fl filter) bool { return fl.place == "model" }) {
			strong = []string{"gpu", "usage"} // of a model: each has one
		}
	}
	best, hits := -1.0, map[catalog.ID]*named{}
	for n := range f.words.within(strong, weak) {
		if !f.suits(n.metric) {
			continue
		}
		depth := f.depth(n, weak)
		if depth > best {
			best, hits = depth, map[catalog.ID]*named{}
		}
		if old, twice := hits[n.id]; depth == best && (!twice || n.rank < old.rank) {
			hits[n.id] = n
		}
	}
	if f.test != nil && !f.vanished && !slices.ContainsFunc(strong, func(w string) bool { return !isPlaceWord(w) || w == "xid" }) {
		return catalog.Metric{}, f.ask("What should be measured?") // "gpus are unusual": in what?
	}
	if len(strong) == 1 && !slices.ContainsFunc(weak, func(w string) bool { return w != "share" }) && (len(f.filters) == 0 || strong[0] == "error" || strong[0] == "bandwidth") && len(f.by) == 0 && f.subject == "" && f.lexicon.of(strong[0], "ambiguous") != "" && f.kind != lookup && f.top == 0 {
		return catalog.Metric{}, f.settle("Of what? " + strings.ToUpper(strong[0][:1]) + strong[0][1:] + " is measured of " + f.lexicon.of(strong[0], "ambiguous") + ".")
	}
	if best < 0 && f.gpusSaid() && (f.counting || f.kind == unsaid && len(f.compares) == 0 && f.test == nil) && len(f.by)+len(f.each) > 0 && !slices.ContainsFunc(strong, func(w string) bool { return w != "gpu" && w != "count" }) && !slices.Contains(strong, "usage") {
		f.counting, f.agg = false, nlq.Count // series of GPUs, where no metric counts them so
		f.extra = append(f.extra, "gpu", "usage")
		f.countsGPUs()
		if f.kind == unsaid {
			f.kind = lookup // "GPUs per model"
		}
		return f.find(withAgg)
	}
	if m, ok := f.stated(strong, weak, hits); ok {
		return m, nil
	}
	if best >= 0 {
		f.badSaid = slices.ContainsFunc(strong, f.badState)
		m, err := f.choose(hits)
		if n := hits[m.ID]; err == nil && len(n.words) == 1 && n.words[0] == m.Entity && f.agg == nlq.Each {
			f.counting = true // of things by no more than their name there are so many
		}
		return m, err
	}
	if m, ok := f.failures(strong, weak); ok {
		f.badSaid = true
		return m, nil
	}
	tried := strong
	for _, less := range [][]string{f.unbranded(strong), f.without(strong, f.brand), f.without(strong, f.maker), f.without(strong, f.badState), f.without(strong, func(w string) bool { return f.brand(w) || f.badState(w) })} {
		if len(less) == len(strong) || slices.Equal(less, tried) {
			continue
		}
		tried = less
		if m, ok := f.shorter(less, weak, strong); ok {
			f.badSaid = slices.ContainsFunc(strong, f.badState)
			return m, nil
		}
	}
	for _, of := range strong {
		less := f.without(strong, func(w string) bool { return w == of })
		if len(less) == 0 || len(less) == len(strong) {
			continue
		}
		for _, less := range [][]string{less, f.without(less, func(w string) bool { return f.brand(w) || f.maker(w) })} {
			if m, ok := f.shorter(less, append(weak, of), strong); ok && m.Entity == of {
				f.badSaid = slices.ContainsFunc(strong, f.badState)
				return m, nil // of GPUs it is, though it is not called so
			}
		}
	}
	if m, ok := f.byUnit(strong, weak); ok {
		return m, nil
	}
	if f.lenient && len(strong) == 1 && strong[0] == "usage" && !slices.Contains(f.extra, "gpu") {
		f.extra = append(f.extra, "gpu")
		f.assume(0.2, "of GPUs")
		return f.find(withAgg)
	}
	if f.lenient {
		if m, ok, err := f.nearly(strong, weak); ok || err != nil {
			return m, err
		}
		if !f.lastResort {
			f.lastResort = true
			return f.find(withAgg)
		}
	}
	return catalog.Metric{}, f.nothing(strong, weak)
}

// fills reports whether words that mostly add nothing are what a measure is called
// by; alone: there are no others, but for what was said before: requests running.
func (f *frame) fills(strong []string, alone bool) bool {
	if alone {
		return slices.ContainsFunc(f.implied, func(w string) bool { return f.words.called(append([]string{w}, strong...)...) })
	}
	return f.words.called(strong...) || f.words.called(f.unbranded(strong)...)
}

// unattached reports whether GPUs that no pod holds are meant.
func (f *frame) unattached() bool {
	return slices.ContainsFunc(f.filters, func(fl filter) bool { return fl.free })
}

// gpusSaid reports whether GPUs are spoken of.
func (f *frame) gpusSaid() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { return slices.Contains(it.norms, "gpu") })
}

// countsGPUs takes the words that only say that GPUs are counted.
func (f *frame) countsGPUs() {
	for i := range f.items {
		if p, n, ok := f.place(i); ok && p.Name == "gpu" {
			f.useAll(span(i, i+n)...)
		}
	}
}

// depth is how much of what was said a name holds. What is only implied counts
// half, and less than whether the metric is there without being asked for.
func (f *frame) depth(n *named, weak []string) float64 {
	d := float64(len(n.words))
	for _, w := range n.words {
		if slices.Contains(f.implied, w) || slices.Contains(weak, w) {
			d -= 0.5
		}
	}
	if !n.derived && !n.metric.Default {
		d -= 0.7
	}
	if f.otherGPU(n) {
		d -= 1.4 // twice as much as for what is not collected
	}
	return d
}

// usualGPUs is what exports the metrics of the GPUs that are meant where nobody says
// whose they are: most are NVIDIA's.
const usualGPUs = "dcgm-exporter"

// otherGPU reports whether n is of GPUs of a maker whose name is not in it: AMD's
// matrix cores are no tensor cores.
func (f *frame) otherGPU(n *named) bool {
	m := n.metric
	if n.derived || m.Entity != "gpu" || m.Exporter == usualGPUs || m.Exporter == "Vedette" || m.Exporter == catalog.Discovered {
		return false
	}
	return !slices.ContainsFunc(n.words, func(w string) bool { return slices.Contains(makersOf(*m), w) })
}

// said returns the words left over: those the measure's name must have, and
// those it may.
func (f *frame) said(withAgg bool) (strong, weak []string) {
	strong = slices.Clone(f.extra)
	for i, it := range f.items {
		switch {
		case it.weak:
			weak = append(weak, it.norms...)
		case withAgg && i == f.aggItem:
			if _, word := it.has("word"); word {
				strong = append(strong, it.norms...)
				continue
			}
			strong = append(strong, singular(it.low))
		case it.lead && f.lenient && !it.used && !f.words.all(it.norms):
			f.assume(0.05, "%q only says what it is about", it.raw)
		case f.bytesLeft && !it.used && it.low == "cluster":
			weak = append(weak, it.norms...) // a Ceph cluster fills
		case !it.used && !f.plain(it) && i != f.aggItem:
			strong = append(strong, it.norms...)
		}
	}
	if less := slices.DeleteFunc(slices.Clone(strong), f.filler); len(less) < len(strong) && !f.fills(strong, len(less) == 0) {
		strong = less // "which H100s run hot"
	}
	if !slices.ContainsFunc(strong, func(w string) bool { return w != "gpu" && w != "usage" }) && f.test == nil && !f.counting {
		if unit := f.silent(); len(unit) > 0 && unit[0] != "usage" {
			strong = append(strong, unit...) // "slices using more than 9 GiB" use memory
		} else if !slices.Contains(strong, "usage") {
			strong = append(strong, unit...)
		}
	}
	if f.unattached() && f.kind == lookup && len(strong) == 0 {
		strong = []string{"gpu", "usage"}
	}
	if f.distinct != "" && !slices.ContainsFunc(strong, func(w string) bool { return !isPlaceWord(w) && w != "usage" }) {
		strong = f.ofThings()
	}
	if f.vanished && !slices.ContainsFunc(strong, func(w string) bool { return w != "gpu" && w != "dcgm" }) {
		strong = []string{"gpu", "usage"} // what every exporter of GPUs has
	}
	for _, c := range f.compares {
		if c.limit.isUnit && c.limit.unit.dimension == "ratio" {
			weak = append(weak, "share") // "more than 1% of requests fail"
		}
		w, ok := f.lexicon.ofUnit[singular(strings.ToLower(c.limit.unitRaw))]
		switch {
		case ok && c.limit.unit.dimension == "count/s":
			weak = append(weak, w) // "generation throughput below 100 tokens/s": its name may lack it
		case ok && len(strong) > 0:
			strong = append(strong, w)
		}
	}
	if len(strong) == 0 {
		strong = f.silent()
	}
	if f.bytesLeft {
		weak = append(weak, "free", "available", "left", "space", "byte", "usage", "full")
	}
	slices.Sort(strong)
	return slices.Compact(strong), append(weak, f.implied...)
}

// unbranded returns words without those that only say whose a measure is.
func (f *frame) unbranded(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), f.brand)
}

// silent returns the measure word that goes without saying: of a limit's unit,
// or of what is named.
func (f *frame) silent() []string {
	for _, c := range f.compares {
		if w, ok := f.lexicon.ofUnit[singular(strings.ToLower(c.limit.unitRaw))]; ok {
			return []string{w}
		}
		if w, ok := f.lexicon.ofUnit[c.limit.unit.dimension]; ok && c.limit.isUnit {
			return []string{w}
		}
	}
	for _, fl := range f.filters {
		switch {
		case fl.place == "xid":
			return []string{fl.place}
		case fl.place == "mountpoint" && f.bytesLeft:
			return []string{"disk"}
		case fl.place == "pvc" && f.bytesLeft:
			return []string{"volume"}
		}
	}
	return nil
}

// nameless returns what no measure can be called: numbers that nothing took,
// names of nothing known, marks.
func (f *frame) nameless() []string {
	var out []string
	for i, it := range f.items {
		if !it.used && !it.weak && !f.plain(it) && (len(it.norms) == 0 || it.sign) && !f.onlyValue(i) {
			out = append(out, it.raw)
		}
	}
	return out
}

// takeShare reads a share without an operator: "three quarters full", "memory 90%".
func (f *frame) takeShare() {
	if f.kind == when || f.kind == why || len(f.compares) > 0 {
		return
	}
	for i := range f.items {
		n := f.items[i].number
		if f.kind == lookup && at(f.items, i-1).low != "at" {
			continue
		}
		limit := n != nil && n.isUnit && n.unit.dimension != "time" && i > 0 && f.items[i-1].low == "at"
		if n == nil || f.items[i].used || n.unit.dimension != "ratio" && !limit {
			continue
		}
		f.items[i].used = true
		if i > 0 && f.items[i-1].low == "within" { // "within 5% of the total"
			f.compares = []compare{{op: ">", limit: number{value: 1 - n.value*n.unit.factor, unit: f.lexicon.units["1"], isUnit: true}}}
			f.use(i - 1)
			return
		}
		if n.value == 0 {
			f.compares = []compare{{op: "==", limit: *n}} // "standing still (0 %)"
			return
		}
		f.compares = []compare{{op: ">=", limit: *n}}
		f.assume(0.05, "at least %s is meant", f.items[i].raw)
		return
	}
}

// plain reports whether it adds nothing here.
func (f *frame) plain(it item) bool {
	if _, vague := it.has("vague"); vague && (f.kind == alert || f.kind == unsaid) && len(f.compares) == 0 {
		return true // it is asked for the limit
	}
	for _, p := range it.roles {
		switch p.role {
		case "happens", "window", "during", "hold", "determiner", "where", "over", "plain", "this", "versus", "now", "means":
			return true
		}
	}
	one := it.number != nil && it.number.value == 1 && !it.number.isUnit && it.low == "one"
	return one || f.lexicon.stop[it.low]
}

// vague reports whether a condition was said without its limit.
func (f *frame) vague() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { _, v := it.has("vague"); return v && !it.used })
}

// leftover returns the words that nothing took, as they were written.
func (f *frame) leftover() []string {
	var out []string
	for _, it := range f.items {
		if !it.used && !it.weak && !f.plain(it) {
			out = append(out, it.raw)
		}
	}
	return out
}

func subset[E comparable](a, b []E) bool {
	for _, w := range a {
		if !slices.Contains(b, w) {
			return false
		}
	}
	return true
}

// amounts reports whether so much of something was said, not which share.
func (f *frame) amounts() bool {
	return slices.ContainsFunc(f.items, func(it item) bool {
		return it.low == "free" || it.low == "left" || it.low == "used" || it.low == "available" || it.low == "total"
	})
}

// errQuiet is the error of a frame that is quiet.
var errQuiet = &nlq.NotUnderstood{}

// nothing says why no measure was found: there is one but it does not fit, or
// words have no meaning here.
func (f *frame) nothing(strong, weak []string) error {
	if f.quiet || f.unheard {
		return errQuiet
	}
	for n := range f.words.within(strong, weak) {
		return f.fits(*n.metric)
	}
	var unknown []string
	for _, it := range f.items {
		if !it.used && !it.weak && !f.plain(it) && !f.words.all(it.norms) {
			unknown = append(unknown, it.raw)
		}
	}
	if len(unknown) == 0 {
		unknown = f.leftover()
	}
	return &unfound{&nlq.NotUnderstood{Words: unknown, Sure: f.vague()}, slices.Concat(strong, weak)}
}

// An unfound is the error where no measure was found for words. A question is tried
// in many ways before it fails: what to ask is thought of once; see [frame.put].
type unfound struct {
	*nlq.NotUnderstood
	words []string
}

func (e *unfound) Unwrap() error { return e.NotUnderstood }

// put puts err, for which f was not understood, as who asked reads it.
func (f *frame) put(err error) error {
	var none *unfound
	if errors.As(err, &none) {
		var choices []string
		for _, id := range f.nearMeasures(none.words) {
			choices = append(choices, f.title(id))
		}
		if len(choices) > 0 {
			none.Ask = "What should be measured: " + strings.Join(choices, ", or ") + "?"
		}
		err = none.NotUnderstood
	}
	var not *nlq.NotUnderstood
	if errors.As(err, &not) && len(not.Nearest) == 0 {
		not.Nearest = f.nearest()
	}
	return err
}
