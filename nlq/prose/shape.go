package prose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// shape puts together what the text asks of m, the likeliest metric. It
// reports whether that is an alert.
func (r *reading) shape(m catalog.Metric) (nlq.Term, bool) {
	if counter, ok := r.catalog.Metric(m.ID + "_total"); ok && r.perSecond() && m.Type == catalog.Gauge {
		m = counter // what is there now has no rate; what there was has
	}
	_, derived := r.catalog.Derived(m.ID)
	switch {
	case derived:
		return r.ofDerived(m)
	case r.cues["absent"]:
		return nlq.Func{Name: "absent", Of: r.measure(m.ID)}, true
	case r.meanOf(m) != "":
		return r.mean(r.meanOf(m))
	case strings.HasSuffix(string(m.ID), "_bucket"):
		return r.ofBuckets(m)
	case r.cues["predict"] && m.Type == catalog.Gauge && !r.percent():
		return r.predicted(m)
	}
	if t, ok := r.ofState(m); ok {
		return t, true
	}
	if t, ok := r.shareOfThose(m); ok {
		return r.compared(t, "1", ">", usualShare)
	}
	shares := []func(catalog.Metric) (nlq.Term, bool){r.ofResult, r.share}
	if r.traits[m.ID].bad { // it counts but what went wrong: its name says which part it is
		slices.Reverse(shares)
	}
	for _, share := range shares {
		if t, ok := share(m); ok {
			low, alert := r.compared(t, "1", ">", usualShare)
			return r.falling(low, m), alert
		}
	}
	if t, ok := r.against(m); ok {
		return t, true
	}
	if t, ok := r.spare(m); ok {
		return r.compared(t, m.Unit, "<", 0)
	}
	switch {
	case m.Type == catalog.Counter:
		return r.ofCounter(m)
	case isTimestamp(m):
		return r.age(m)
	}
	return r.ofGauge(m)
}

// ofDerived is what the catalog computes, over the window that is looked at.
func (r *reading) ofDerived(m catalog.Metric) (nlq.Term, bool) {
	t := r.measure(m.ID)
	t.Window = r.window
	if m.Unit == "{bool}" {
		r.conds = slices.DeleteFunc(r.conds, func(c condition) bool { n, _ := c.limit.Number(); return n > 1 }) // the bit's own value
	}
	if (m.Unit == "%" || m.Unit == "1") && r.traits[m.ID].rest && len(r.conds) > 0 && r.conds[0].op[0] == '>' && !r.speaksOfRest() {
		r.mirror() // "filling up, above 90%": of what is used
	}
	if op, limit, ok := r.state(m); ok && len(r.conds) == 0 {
		return nlq.Binary{Op: op, Left: t, Right: nlq.Number(limit)}, true
	}
	return r.compared(t, m.Unit, ">", 0)
}

// usualShare is the limit of a share of errors where none is said: one in a
// hundred, as most published rules have it.
const usualShare = 0.01

// compared compares t, which counts in u, with what the text says, or with
// what is usual.
func (r *reading) compared(t nlq.Term, u catalog.Unit, op string, usually float64) (nlq.Term, bool) {
	if len(r.conds) == 0 {
		if r.asks() {
			return t, false
		}
		return nlq.Binary{Op: op, Left: t, Right: nlq.Number(usually)}, true
	}
	var out nlq.Term
	for i, c := range r.conds[:min(2, len(r.conds))] {
		if c.limit.Dimension() != r.conds[0].limit.Dimension() {
			break // of something else
		}
		b := nlq.Binary{Op: c.op, Left: t, Right: nlq.Number(c.amount(u))}
		if i == 0 {
			out = b
			continue
		}
		out = both(out.(nlq.Binary), b)
	}
	return out, true
}

// both joins two comparisons of one term: what cannot hold at once is "or".
func both(a, b nlq.Binary) nlq.Term {
	x, y := a.Right.(nlq.Number), b.Right.(nlq.Number)
	switch {
	case a.Op[0] == '<' && b.Op[0] == '>' && x < y, a.Op[0] == '>' && b.Op[0] == '<' && x > y:
		return nlq.Binary{Op: "or", Left: a, Right: b}
	case a.Op[0] == '>' && b.Op[0] == '<', a.Op[0] == '<' && b.Op[0] == '>':
		return nlq.Binary{Op: "and", Left: a, Right: b}
	}
	return a // said twice, or for another case
}

// amount brings a limit to what the metric counts; of another kind it is
// taken as the number it is.
func (c condition) amount(u catalog.Unit) float64 {
	v, ok := c.limit.In(u)
	n, _ := c.limit.Number()
	if _, isTime := c.limit.Duration(); isTime && strings.HasSuffix(c.limit.Raw, "M") && u != "s" {
		return n * 1e6 // "10M objects"
	}
	if !ok && c.limit.Dimension() == "ratio" {
		v = n
	}
	switch {
	case c.rest && u == "1":
		v = grammar.Round(1 - v)
	case c.rest && u == "%":
		v = grammar.Round(100 - v)
	}
	return v
}

// asks reports whether a value is asked for and no alert: nothing in the text
// says when it would be bad.
func (r *reading) asks() bool {
	if r.scope.Asked != "" {
		return r.scope.Asked != "alert"
	}
	if r.hold > 0 || r.window > 0 || len(r.conds) > 0 {
		return r.cues["ask"]
	}
	return r.cues["ask"] || r.short && !r.cues["bad"] && !r.cues["none"]
}

// ofBuckets is a quantile, the 99th percentile where none is said: it is what
// most published rules look at.
func (r *reading) ofBuckets(m catalog.Metric) (nlq.Term, bool) {
	q := r.quantile
	if q == 0 {
		q = 0.99
	}
	rate := r.measure(m.ID)
	rate.Over, rate.Window = nlq.Rate, r.windowOr(usual)
	if by := r.by(m); len(by) > 0 || r.asOne(m) {
		rate.Agg, rate.By = nlq.Sum, append([]string{"le"}, by...)
	}
	return r.compared(nlq.Func{Name: "histogram_quantile", Param: q, Of: rate}, timeUnit(m), ">", 1)
}

// meanOf returns the name of the histogram or summary whose mean is meant.
func (r *reading) meanOf(m catalog.Metric) catalog.ID {
	if !r.has("average", "averaging", "mean", "avg") || r.cues["quantile"] {
		return ""
	}
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(string(m.ID), end); ok {
			_, sum := r.catalog.Metric(catalog.ID(base + "_sum"))
			_, count := r.catalog.Metric(catalog.ID(base + "_count"))
			if sum && count {
				return catalog.ID(base)
			}
		}
	}
	return ""
}

func (r *reading) mean(id catalog.ID) (nlq.Term, bool) {
	sum, _ := r.catalog.Metric(id + "_sum")
	return r.compared(nlq.Binary{Op: "/", Left: r.flow(id + "_sum"), Right: r.flow(id + "_count")}, timeUnit(sum), ">", 0)
}

// timeUnit is what a histogram's buckets are bounds of, and its sum is of.
func timeUnit(m catalog.Metric) catalog.Unit {
	words := index.Name(string(m.ID))
	switch {
	case slices.Contains(words, "milliseconds"), slices.Contains(words, "ms"):
		return "ms"
	case slices.Contains(words, "bytes"):
		return "By"
	}
	return "s"
}

// ofCounter is how fast a counter grows, or by how much within a window. The
// rate of a time is a share of the time.
func (r *reading) ofCounter(m catalog.Metric) (nlq.Term, bool) {
	if share, ok := r.catalog.Derived(m.ID + ":share"); ok && r.fraction() {
		return r.ofDerived(share.Metric)
	}
	over := nlq.Increase
	ms := r.measure(m.ID)
	where, _ := r.valueOf(m)
	ms.Where = append(ms.Where, where...)
	ms.Over, ms.Window = over, r.windowOr(usual)
	perSecond := len(r.conds) > 0 && strings.HasSuffix(r.conds[0].limit.Dimension(), "/s")
	if perSecond || r.percent() || r.rated || r.cues["rate"] && r.window == 0 || r.asks() && r.window == 0 {
		over = nlq.Rate
	}
	ms.Over = over
	if by := r.by(m); len(by) > 0 || r.asOne(m) {
		ms.Agg, ms.By = nlq.Sum, by
	}
	u := m.Unit
	if over == nlq.Rate {
		u = ms.Unit(r.catalog)
		if m.Unit == "{value}" && r.percent() {
			u = "1"
		}
	}
	return r.compared(ms, u, ">", 0)
}

// fraction reports whether the limit is a part of one: none of what is counted
// comes in parts, so that it is a share.
func (r *reading) fraction() bool {
	if len(r.conds) != 1 || r.conds[0].limit.Dimension() != "count" && r.conds[0].limit.Dimension() != "" {
		return false
	}
	n, ok := r.conds[0].limit.Number()
	return ok && n > 0 && n < 1
}

// horizon is how far ahead a trend is followed where nobody says: published
// rules look four hours to four days ahead, on a window of a fourth to all of it.
const horizon = 4 * time.Hour

// falling adds to low, which compares a share of what is left, that it goes on
// to fall, where the text says over what time: "expected to fill up within four
// days, and less than 15% left". What "is filling up (> 80%)" is only full.
func (r *reading) falling(low nlq.Term, m catalog.Metric) nlq.Term {
	if !r.cues["predict"] || !r.traits[m.ID].rest || r.window+r.soon+r.ahead == 0 {
		return low
	}
	gone, _ := r.predicted(m)
	right, on := nlq.Joint(low, gone, r.catalog)
	return nlq.Binary{Op: "and", Left: low, Right: right, On: on}
}

func (r *reading) predicted(m catalog.Metric) (nlq.Term, bool) {
	ahead := cmp.Or(r.ahead, r.soon, horizon)
	if r.window == r.soon {
		r.window = 0
	}
	window := r.windowOr(max(time.Hour, ahead/4))
	f := nlq.Func{Name: "predict_linear", Of: r.measure(m.ID), Window: window, Param: ahead.Seconds()}
	return nlq.Binary{Op: "<", Left: f, Right: nlq.Number(0)}, true
}
