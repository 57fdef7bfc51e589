package grammar

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// usual is the window of rates and increases where none is said: four scrapes
// at least fit in, and most published rules use it.
const usual = 5 * time.Minute

// shortest is the least window that is sure to hold two samples at the usual
// scrape interval of 15 s, with one lost.
const shortest = time.Minute

// intent puts the frame together.
func (f *frame) intent(m catalog.Metric) (nlq.Intent, error) {
	f.takeCode(m)
	if f.test != nil && f.kind == lookup && f.counting && !f.firstWord("how many") {
		f.kind, f.counting = unsaid, false // "an unusual number of"
	}
	if f.kind == unsaid && f.hold > 0 && len(f.compares) == 0 && f.test == nil && (len(f.by) > 0 || f.scale != nil) && f.severity == "" {
		f.kind, f.window, f.hold, f.holdSaid = lookup, f.hold, 0, false // "p99 queue time per model, 15m"
	}
	if f.dimension(m.Unit) == "time" && m.Type == catalog.Gauge && len(f.compares) == 0 && f.hold > 0 && f.kind != lookup {
		f.compares = []compare{{op: ">", limit: number{value: f.hold.Seconds(), unit: f.lexicon.units["s"], isUnit: true}}}
		f.hold, f.holdSaid = 0, false // "not scheduled for 26 hours" is what is measured
	}
	if len(f.compares) == 1 && m.Unit == "{bool}" {
		if d, isTime := f.compares[0].limit.duration(); isTime {
			f.compares, f.hold, f.holdSaid = nil, d, true // "not ready > 5m" is for how long
			if f.kind == unsaid {
				f.kind = alert
			}
		}
	}
	f.shareOfState(m)
	state := m.Unit == "{bool}" || f.event(m)
	if f.kind == unsaid && slices.ContainsFunc(f.items, func(it item) bool { _, now := it.has("now"); return now }) {
		f.kind = lookup
	}
	if f.kind == unsaid {
		switch {
		case f.severity != "", f.happens() && f.top == 0 && !f.counting && len(f.by) == 0:
			f.kind = alert
		case len(f.by)+len(f.each) > 0 && len(f.compares) == 0 && f.test == nil && !f.holdSaid && len(f.conds) == 0:
			f.kind = lookup // "pending workloads by queue" are asked for
		case f.holdSaid && (f.stands(m) || m.Unit == "{bool}" && m.Bad != "") && !f.counting && len(f.by) == 0, len(f.compares) > 0 && !f.only, f.test != nil, f.vague(), (f.badSaid || f.troubled()) && (m.Unit == "{bool}" && m.Bad != "" || f.fault(m)) && !f.counting, f.fault(m) && !f.counting && f.agg == nlq.Each && len(f.by) == 0, state && len(f.by) == 0 && m.Bad == "high" && !f.counting && f.agg == nlq.Each:
			f.kind = alert
		default:
			f.kind = lookup
		}
	}
	if f.per > 0 && m.Type != catalog.Counter && f.hold == 0 {
		f.hold, f.holdSaid, f.per = f.per, true, 0
	}
	if f.kind == lookup && f.top == 0 && f.subject == "" && len(f.compares) == 0 && f.hold > 0 && f.window == 0 {
		f.window, f.hold, f.holdSaid = f.hold, 0, false
	}
	ms := nlq.Measure{Metric: m.ID, Agg: f.agg, Over: f.over}
	f.where(&ms, m)
	f.counted(&ms, m)
	if err := f.group(&ms, m); err != nil {
		return nil, err
	}
	since := f.overTime(&ms, m)
	compare, err := f.comparison(&ms, m)
	if err != nil {
		return nil, err
	}
	if f.shaped() {
		out := f.formula(ms, m, compare)
		if ofItself(out.Term) {
			return nil, f.ask("What is " + f.title(m.ID) + " to be compared with?")
		}
		return out, nil
	}
	switch f.kind {
	case alert:
		return nlq.Alert{Measure: ms, Compare: compare, For: f.hold, ForSaid: f.holdSaid, Keep: f.keep, Severity: f.severity}, nil
	case when:
		return f.whenIntent(ms, m, compare)
	}
	return nlq.Lookup{Measure: ms, Top: f.top, Compare: compare, Since: since}, nil
}

// ofItself reports whether something is compared with, or divided by, itself.
func ofItself(t nlq.Term) bool {
	b, ok := t.(nlq.Binary)
	return ok && (reflect.DeepEqual(b.Left, b.Right) || ofItself(b.Left))
}

// takeCode makes a comparison of a filter by a code, where the code is the
// value of m.
func (f *frame) takeCode(m catalog.Metric) {
	f.filters = slices.DeleteFunc(f.filters, func(fl filter) bool {
		code, err := strconv.ParseFloat(fl.value, 64)
		if fl.place != "xid" || m.Unit != "{xid}" || err != nil {
			return false
		}
		f.compares = []compare{{op: map[bool]string{false: "==", true: "!="}[fl.not], limit: number{value: code}}}
		if f.kind == unsaid {
			f.kind = alert
		}
		return true
	})
}

func (f *frame) where(ms *nlq.Measure, m catalog.Metric) {
	ms.Where = append(ms.Where, f.ofCodes(m)...)
	filters := f.filters
	for _, fl := range f.shared {
		if l, ok := f.filtered(fl, m); ok && (fl.label == "" || m.Has(l)) {
			filters = append(slices.Clone(filters), fl)
		}
	}
	for _, fl := range filters {
		w := nlq.Matcher{Op: "=", Value: fl.value}
		w.Label, _ = f.filtered(fl, m)
		if fl.bare && (fl.place == "pod" || fl.place == "node") && m.Entity == "model" && f.modelLabel(m) != "" {
			w.Label = f.modelLabel(m) // what is measured of models is asked for by their names
			taken := fmt.Sprintf("%q is taken for the name of a ", fl.value)
			for i, a := range f.assumed {
				if strings.HasPrefix(a, taken) {
					f.assumed[i] = taken + "model"
				}
			}
		}
		if ns, pod, ok := strings.Cut(fl.value, "/"); ok && fl.place == "pod" && f.catalog.Takes(m.ID, "namespace") {
			ms.Where = append(ms.Where, nlq.Matcher{Label: "namespace", Op: "=", Value: ns})
			w.Value = pod
		}
		switch several := strings.Split(w.Value, "|"); {
		case len(several) > 1:
			for i, v := range several {
				several[i] = nlq.Regexp(v)
			}
			w.Op, w.Value = "=~", strings.Join(several, "|")
		case strings.Contains(w.Value, "*") && w.Value != "*":
			w.Op, w.Value = "=~", nlq.Regexp(w.Value)
		}
		if fl.not {
			w.Op = map[string]string{"=": "!=", "=~": "!~"}[w.Op]
		}
		if !slices.Contains(ms.Where, w) {
			ms.Where = append(ms.Where, w)
		}
	}
}

// modelLabel returns the label by which m tells models that answer apart.
func (f *frame) modelLabel(m catalog.Metric) string {
	for _, l := range []string{"model_name", "model"} {
		if f.catalog.Takes(m.ID, l) {
			return l
		}
	}
	return ""
}

// counted settles what "how many" counts: things that a measure counts itself
// are added up, states and other series are counted.
func (f *frame) counted(ms *nlq.Measure, m catalog.Metric) {
	c := compare{}
	if len(f.compares) > 0 {
		c = f.compares[0]
	}
	number := m.Unit == "{bool}" && c.op != "" && c.limit.value != 0 && c.limit.value != 1
	amount := strings.HasPrefix(string(m.Unit), "{") && m.Unit != "{bool}"
	switch {
	case f.counting && amount && m.Type == catalog.Gauge && !f.only && m.Unit != "{gpu}" && f.kind == alert:
		// "the number of waiting requests" is what the metric says
	case f.counting && amount && m.Type == catalog.Gauge && !f.only, f.counting && amount && m.Type == catalog.Counter && f.subject == "" && f.kind == lookup && len(f.compares) == 0:
		if !f.eachOf(m) {
			ms.Agg = nlq.Sum
		}
	case f.counting && (m.Unit == "{bool}" || m.Unit == "{state}") && f.kind == lookup && !f.only && len(f.compares) == 1 && c.op == "==":
		ms.Agg, ms.Only, f.compares = nlq.Count, nlq.Comparison{Op: c.op, Limit: c.limit.value}, nil // how many run with it switched off
	case f.counting || number && f.agg == nlq.Each && f.kind == alert:
		ms.Agg = nlq.Count
		switch {
		case m.Unit == "{bool}" && !f.only && m.Min != "1": // else each is 1
			ms.Only = nlq.Comparison{Op: "==", Limit: 1}
			if (f.badSaid || f.troubled()) && m.Bad == "low" {
				ms.Only.Limit = 0 // how many drives fail their check
			}
		case len(f.compares) > 0 && (f.only || f.kind == lookup || len(f.compares) == 2):
			ms.Only = nlq.Comparison{Op: c.op, Limit: f.convert(c.limit, m.Unit)}
			f.compares = f.compares[1:]
		case m.Type == catalog.Counter && f.kind == lookup && len(f.compares) == 0:
			f.countHappened(ms, m)
		}
	case m.Unit == "{gpu}" && f.agg == nlq.Each && len(f.by) == 0 && !f.looksAtEach() && !(m.Type == catalog.Gauge && subset(m.Labels, targetLabels)):
		ms.Agg = nlq.Sum
		f.assume(0.02, "added up over the nodes")
	}
}

// targetLabels are those that say whom a series was asked of, and nothing about it:
// who counts a whole cluster has no others.
var targetLabels = []string{"instance", "namespace", "pod", "job", "cluster"}

// group settles the labels that results keep.
func (f *frame) group(ms *nlq.Measure, m catalog.Metric) error {
	if len(f.parts) > 0 && ms.Agg == nlq.Each && len(f.by) == 0 && f.kind != lookup {
		switch f.dimension(m.Unit) {
		case "power", "energy", "bytes":
			f.each = append(f.each, f.parts...)
		}
	}
	d, derived := f.catalog.Derived(m.ID)
	for _, p := range f.each {
		if (p != m.Entity || p == "model" || f.agg == nlq.Sum && p != "gpu" || derived && d.Pooled() || f.whole || f.given != nil || f.counting && f.agg == nlq.Each && ms.Agg == nlq.Sum) && len(f.labelsOf(m, p)) > 0 {
			f.by = append(f.by, p)
		}
	}
	if (derived && (d.Pooled() || d.Quotient()) || f.given != nil && m.Type == catalog.Counter) && len(f.by) == 0 && (f.kind != lookup || f.distributes()) {
		f.by = slices.DeleteFunc(f.eachPlace(), func(p string) bool { return len(f.labelsOf(m, p)) == 0 }) // "p99 above 3 s on a node"
		for _, l := range f.anyLabels {
			if len(f.by) == 0 && f.catalog.Splits(m.ID, l) {
				f.by = append(f.by, "label "+l) // "the median wait … for any cluster queue"
			}
		}
	}
	for _, by := range f.by {
		if label, outright := strings.CutPrefix(by, "label "); outright {
			ms.By = append(ms.By, f.ownLabel(m, label))
			continue
		}
		if by == "gpu" && m.Entity == "gpu" && ms.Agg == nlq.Each && len(f.by) == 1 && f.kind != lookup {
			continue // each series is one already, and GPU 0 of two hosts are two
		}
		if by == "device" && m.Entity == "nic" && ms.Agg == nlq.Each && len(f.by) == 1 && f.kind != lookup && m.Has("instance") {
			continue // nor are two cards one that are called mlx5_0
		}
		for _, l := range f.labelsOf(m, by) {
			if !slices.Contains(ms.By, l) {
				ms.By = append(ms.By, l)
			}
		}
	}
	if ms.Agg == nlq.Mean && len(ms.By) == 0 && derived && strings.Contains(d.Expr, "avg by (") && f.kind != lookup && f.ofOne(m.Entity) {
		ms.Agg = nlq.Each // averaged across a machine's CPUs is what each machine has
	}
	if ms.Agg == nlq.Each && f.sumsDetails(ms, m) {
		ms.Agg = nlq.Sum
		f.assume(0.02, "added up over what tells them apart")
	}
	if f.every && ms.Agg == nlq.Each && len(f.compares) > 0 {
		f.forAll(ms, m)
		return nil
	}
	finer := f.subject != "" && f.subject != m.Entity && !(m.Unit == "{gpu}" && f.subject == "gpu")
	if finer && len(ms.By) == 0 {
		if labels := f.labelsOf(m, f.subject); len(labels) > 0 && (f.top != 0 || f.kind == lookup) && ms.Agg != nlq.Count && !slices.Equal(labels, m.Labels) {
			ms.By = labels
		}
	}
	if f.kind == lookup && len(f.by) == 0 && ms.Agg == nlq.Each && f.top == 0 && !f.distributes() && (f.dimension(m.Unit) == "energy" || f.usedBy && f.natural(m) == nlq.Sum) {
		ms.Agg = nlq.Sum // energy of some GPUs is that of all of them
	}
	if f.whole && len(ms.By) == 0 && ms.Agg == nlq.Each {
		ms.Agg = f.natural(m)
		f.assume(0.05, "the %s of all", aggName[ms.Agg])
	}
	if m.Type == catalog.Counter && ms.Agg == nlq.Each && len(ms.By) == 0 && m.Entity == "model" && f.namesModel() && (len(f.compares) > 0 || f.asBefore) && f.kind != lookup {
		ms.Agg = nlq.Sum // as many tokens as all replicas of the model generate
	}
	if derived && d.Quotient() && ms.Agg == nlq.Each && len(ms.By) == 0 && m.Entity == "model" && f.namesModel() {
		ms.Agg = nlq.Mean // one model is one, however many replicas it has
	}
	if own := f.labelsOf(m, m.Entity); ms.Agg == nlq.Mean && len(ms.By) > len(own) && len(own) > 0 && subset(own, ms.By) && f.kind == lookup {
		ms.By = slices.DeleteFunc(ms.By, func(l string) bool { return slices.Contains(own, l) }) // "average watts per card for each model"
	}
	if len(ms.By) > 0 && ms.Agg == nlq.Each {
		ms.Agg = f.natural(m)
		if each := strings.Join(append(f.by, f.subject)[:1], ""); derived && d.Quotient() {
			f.assume(0.05, "all of each %s together", each)
		} else {
			f.assume(0.05, "the %s of what each %s has", aggName[ms.Agg], each)
		}
	}
	return nil
}

// forAll settles how a condition holds for all series of each thing that is
// named: the least is above, the highest is below.
func (f *frame) forAll(ms *nlq.Measure, m catalog.Metric) {
	ms.Agg = nlq.Maximum
	if f.compares[0].op[0] == '>' {
		ms.Agg = nlq.Minimum
	}
	places := slices.Clone(f.everyBy)
	for _, fl := range f.filters {
		if fl.place == "pod" || fl.place == "node" {
			places = append(places, fl.place)
		}
	}
	ms.By = f.kept(m, places)
}

var aggName = map[nlq.Aggregation]string{nlq.Mean: "average", nlq.Maximum: "highest", nlq.Minimum: "lowest", nlq.Sum: "sum", nlq.Count: "number"}

// labelsOf returns the labels that say a place in results of m; a pod needs its
// namespace too.
func (f *frame) labelsOf(m catalog.Metric, place string) []string {
	l, ok := f.keptLabel(m, f.placeNamed(place))
	switch {
	case !ok:
		return nil
	case (place == "pod" || place == "container") && f.catalog.Splits(m.ID, "namespace"):
		if place == "container" {
			return []string{"namespace", "pod", l}
		}
		return []string{"namespace", l}
	}
	return []string{l}
}

// meanByItself reports whether m is what observations come to by how many there are.
func (f *frame) meanByItself(m catalog.Metric) bool {
	d, ok := f.catalog.Derived(m.ID)
	return ok && strings.Contains(d.Expr, "_sum") && strings.Contains(d.Expr, "_count")
}

// natural is how series of m are put together where nobody says: what adds up
// is added up, shares are averaged unless a limit makes one of them matter.
func (f *frame) natural(m catalog.Metric) nlq.Aggregation {
	if d, ok := f.catalog.Derived(m.ID); ok && d.Quotient() {
		return nlq.Mean
	}
	if len(f.compares) == 0 && m.Bad == "low" && f.dimension(m.Unit) == "time" {
		return nlq.Minimum // what expires first
	}
	up := len(f.compares) == 0 || strings.HasPrefix(f.compares[0].op, ">")
	switch d := f.dimension(m.Unit); {
	case m.Unit == "{bool}" && f.kind == lookup && len(f.compares) == 0:
		return nlq.Sum // of how many it is so
	case m.Unit == "{bool}", m.Unit == "{xid}": // a sum of codes says nothing
		return nlq.Maximum
	case d == "power" || d == "bytes" || d == "bytes/s" || d == "energy" || strings.HasPrefix(d, "count") || m.Type == catalog.Counter:
		return nlq.Sum
	case d == "ratio" && len(f.compares) == 0, d == "time" && (f.mean || f.kind == lookup && len(f.compares) == 0 && f.meanByItself(m)):
		return nlq.Mean
	case up:
		return nlq.Maximum
	}
	return nlq.Minimum
}

// overTime settles what is done to each series over a window. It returns how
// far back a lookup shows, where the window says only that.
func (f *frame) overTime(ms *nlq.Measure, m catalog.Metric) (since time.Duration) {
	d, derived := f.catalog.Derived(m.ID)
	if ms.Over == nlq.Rate && m.Type != catalog.Counter {
		ms.Over = nlq.AsIs // the hit rate of a cache, bytes per second of what is bytes a second
	}
	ranges := derived && strings.Contains(d.Expr, "[")
	switch {
	case m.Type == catalog.Counter:
		if f.during && f.window == 0 && len(f.compares) > 0 && f.test == nil {
			f.window, f.hold, f.holdSaid = f.hold, 0, false
		}
		if per := f.per; per > 0 && per < usual && ms.Over == nlq.AsIs {
			ms.Over, ms.Window, f.per = nlq.Rate, f.windowOr(usual), 0 // a minute holds too few scrapes
			f.values = append(f.values, func(t nlq.Term, _ catalog.Metric) nlq.Term {
				return nlq.Binary{Op: "*", Left: t, Right: nlq.Number(per.Seconds())}
			})
			break
		}
		if f.per > 0 && ms.Over == nlq.AsIs {
			ms.Over, ms.Window, f.per = nlq.Increase, f.per, 0
			break
		}
		if f.lifetime(m) {
			break
		}
		if ms.Over == nlq.AsIs || ms.Over == nlq.Average {
			ms.Over = f.ofCounter(m)
		}
		ms.Window = f.windowOr(usual)
	case f.sometime && f.window > 0 && f.agg == nlq.Each:
		ms.Window, ms.Over = f.window, nlq.Highest
		if op := append(f.compares, compare{op: ms.Only.Op})[0].op; strings.HasPrefix(op, "<") {
			ms.Over = nlq.Lowest
		}
	case ranges && ms.Over == nlq.AsIs:
		ms.Window = f.window
		if f.window == 0 && f.kind == alert && f.holdSaid && f.hold < usual {
			ms.Window = max(f.hold, shortest)
			f.assume(0, "rates are taken over %s, for the condition to be seen in time", nlq.Period(ms.Window))
		}
	case (f.throughout > 0 || f.never && f.window > 0) && ms.Over == nlq.AsIs:
		ms.Window, ms.Over = max(f.throughout, f.window), nlq.Highest
		if len(f.compares) > 0 && f.compares[0].op[0] == '>' {
			ms.Over = nlq.Lowest
		}
	case ms.Over != nlq.AsIs:
		ms.Window = f.windowOr(usual)
	case f.window > 0:
		ms.Window = f.window
		over := map[nlq.Aggregation]nlq.OverTime{nlq.Maximum: nlq.Highest, nlq.Minimum: nlq.Lowest, nlq.Mean: nlq.Average}[f.agg]
		switch {
		case m.Unit == "{bool}" && f.kind == lookup && f.agg == nlq.Each && (f.outUnit == "ratio" || slices.Contains(f.norms(), "available")):
			ms.Over = nlq.Average // for which share of the time it was so
		case over != nlq.AsIs && ms.Agg == nlq.Count:
			ms.Over = over
		case m.Unit == "{xid}" && over == nlq.AsIs:
			ms.Over = nlq.Highest // a code has no mean
		case over != nlq.AsIs && len(f.by) == 0:
			ms.Over, ms.Agg, ms.By = over, nlq.Each, nil
		case over != nlq.AsIs:
			ms.Over = over
		case f.kind == lookup && f.agg == nlq.Each && f.top == 0 && !f.past:
			ms.Window, since = 0, f.window
		case f.extreme != nlq.AsIs:
			ms.Over = f.extreme
		default:
			ms.Over = nlq.Average
			f.assume(0.05, "averaged over %s", nlq.Period(f.window))
		}
	}
	if f.since > 0 {
		since = f.since
	}
	return since
}

func (f *frame) windowOr(d time.Duration) time.Duration {
	if f.window > 0 {
		return f.window
	}
	if f.test == nil { // it may know better
		f.assume(0.02, "over %s", nlq.Period(d))
	}
	return d
}

// lifetime reports whether m counts what a part has used up for good, such as
// retired pages: the count itself is what matters, where no window is said.
func (f *frame) lifetime(m catalog.Metric) bool {
	return (m.Unit == "{page}" || m.Unit == "{row}") && f.window == 0 && f.per == 0 && f.test == nil && (f.kind == alert || len(f.compares) > 0 || f.counting)
}

// event reports whether m counts events over a window, each of which is bad.
func (f *frame) event(m catalog.Metric) bool {
	d, derived := f.catalog.Derived(m.ID)
	switch {
	case m.Bad != "high" || f.dimension(m.Unit) != "count":
		return false
	case derived:
		return strings.Contains(d.Expr, "increase(")
	}
	return m.Type == catalog.Counter && f.ofCounter(m) == nlq.Increase
}

// stands reports whether m is a number of things of which there should be none
// for long.
func (f *frame) stands(m catalog.Metric) bool {
	return m.Bad == "high" && m.Type == catalog.Gauge && m.Unit != "{bool}" && strings.HasPrefix(string(m.Unit), "{") && !strings.HasPrefix(string(m.Unit), "{value}")
}

// shareOfState makes a limit that is a share, of a state, one of how many are
// in it: more than a third of the exporters are down.
func (f *frame) shareOfState(m catalog.Metric) {
	if m.Unit != "{bool}" || len(f.compares) != 1 || f.test != nil || !f.compares[0].limit.isUnit || f.compares[0].limit.unit.dimension != "ratio" || f.kind == lookup {
		return
	}
	c := f.compares[0]
	f.compares, f.kind = nil, alert
	f.conds = append(f.conds, func(t nlq.Term, m catalog.Metric) nlq.Term {
		share := nlq.Binary{Op: "/", Left: nlq.Group{Agg: nlq.Count, Of: t}, Right: nlq.Group{Agg: nlq.Count, Of: compared(t)}}
		return nlq.Binary{Op: c.op, Left: share, Right: nlq.Number(round(c.limit.value * c.limit.unit.factor))}
	})
}

// troubled reports whether a word for a bad state is part of what is asked.
func (f *frame) troubled() bool {
	return slices.ContainsFunc(f.items, func(it item) bool { _, state := it.has("state"); return state })
}

// fault reports whether m counts what there should be none of.
func (f *frame) fault(m catalog.Metric) bool {
	if m.Bad != "high" || f.dimension(m.Unit) != "count" || m.Type == catalog.Counter {
		return false
	}
	return slices.ContainsFunc(f.lexicon.faults, func(w string) bool { return strings.Contains(strings.ToLower(string(m.ID)), w) })
}

// ofCounter says what people mean by a counter: how fast bytes, time and
// requests go by, how many errors and restarts there were.
func (f *frame) ofCounter(m catalog.Metric) nlq.OverTime {
	for _, c := range f.compares {
		if c.limit.isUnit && c.limit.unit.dimension != f.dimension(m.Unit) {
			return nlq.Rate
		}
	}
	if f.inWindow && len(f.compares) == 1 && !f.compares[0].limit.isUnit && f.dimension(m.Unit) == "count" {
		return nlq.Increase
	}
	switch m.Unit {
	case "By", "s", "{token}", "{request}", "{operation}", "{unit}":
		return nlq.Rate
	}
	return nlq.Increase
}

// comparison settles operator and limit in the measure's own unit.
func (f *frame) comparison(ms *nlq.Measure, m catalog.Metric) (nlq.Comparison, error) {
	u := ms.Unit(f.catalog)
	if len(f.compares) > 0 {
		c := f.compares[0]
		limit := f.convert(c.limit, u)
		if err := f.possible(m, *ms, c, limit); err != nil {
			return nlq.Comparison{}, err
		}
		return nlq.Comparison{Op: c.op, Limit: limit}, nil
	}
	switch {
	case f.kind == lookup && m.Unit == "{bool}" && (f.troubled() || m.Bad == "high") && !f.counting && f.agg == nlq.Each && f.top == 0:
		return nlq.Comparison{Op: ">"}, nil
	case f.kind == lookup && f.subject != "" && f.top == 0 && f.troubled() && m.Bad == "high" && f.agg == nlq.Each && !f.counting && m.Unit != "{bool}":
		return nlq.Comparison{Op: ">"}, nil // "which GPUs are throttled": those that are, at all
	case f.kind == lookup && f.happens() && f.subject != "" && f.event(m) && f.top == 0 && !f.counting && f.test == nil:
		return nlq.Comparison{Op: ">"}, nil // "which pods restarted at least once"
	case f.kind != alert, f.test != nil:
		return nlq.Comparison{}, nil
	case f.within > 0 && strings.HasPrefix(string(m.Unit), "{") && m.Unit != "{value}" && m.Unit != "{bool}" && m.Type == catalog.Gauge:
		return nlq.Comparison{Op: ">", Limit: 0}, nil // "although requests are running"
	case m.Unit == "{bool}" && m.Bad == "low" && ms.Agg != nlq.Count:
		return nlq.Comparison{Op: "==", Limit: 0}, nil
	case m.Unit == "{bool}" && m.Bad == "high", f.event(m), f.holdSaid && f.stands(m), f.fault(m), f.happens() && (m.Type == catalog.Counter || m.Bad == "high"):
		return nlq.Comparison{Op: ">", Limit: 0}, nil
	}
	return nlq.Comparison{}, f.settle(fmt.Sprintf("At which value of %s should it alert, in %s?", f.title(m.ID), u))
}

// possible reports a limit that the measure never reaches.
func (f *frame) possible(m catalog.Metric, ms nlq.Measure, c compare, limit float64) error {
	if ms.Agg == nlq.Count || ms.Agg == nlq.Sum || m.Type == catalog.Counter {
		return nil
	}
	lo, loErr := strconv.ParseFloat(m.Min, 64)
	hi, hiErr := strconv.ParseFloat(m.Max, 64)
	if (loErr != nil || limit >= lo) && (hiErr != nil || limit <= hi) {
		return nil
	}
	return f.settle(fmt.Sprintf("%s is never %s %s. Which limit do you mean? It goes from %s to %s %s.",
		f.title(m.ID), c.op, strconv.FormatFloat(limit, 'f', -1, 64), or(m.Min, "-∞"), or(m.Max, "∞"), m.Unit))
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (f *frame) whenIntent(ms nlq.Measure, m catalog.Metric, c nlq.Comparison) (nlq.Intent, error) {
	w := nlq.When{Measure: ms, Limit: c.Limit, Rising: strings.HasPrefix(c.Op, ">")}
	switch {
	case c.Op == "==":
		w.Rising = m.Bad != "low"
	case c.Op == "" && f.lowEnd:
		w.Limit, _ = strconv.ParseFloat(m.Min, 64)
	case c.Op == "":
		return nil, f.ask(fmt.Sprintf("When will %s reach what, in %s?", f.title(m.ID), ms.Unit(f.catalog)))
	}
	return w, nil
}
