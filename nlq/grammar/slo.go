package grammar

import (
	"slices"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// month is the period of an objective where none is said.
const month = 30 * 24 * time.Hour

// slo reads a service-level objective: 99.9% of requests under 300 ms over 30
// days, 99.5% of API server requests succeed. It reports false where f is none.
func (f *frame) slo() (nlq.Parse, bool, error) {
	said := f.saysAny("slo")
	share := slices.IndexFunc(f.items, func(it item) bool {
		return !it.used && it.number != nil && it.number.unit.dimension == "ratio" && it.number.unitRaw == "%" && it.number.value >= 50 && it.number.value < 100
	})
	if share < 0 || !said && (at(f.items, share+1).low != "of" || !f.requests(share+1)) {
		return nlq.Parse{}, false, nil
	}
	s := nlq.SLO{Objective: round(f.items[share].number.value / 100), Period: month}
	f.use(share)
	saidPeriod := false
	for i := range f.items {
		if _, ok := f.says(i, "slo"); ok {
			f.use(i)
		}
		d, ok := f.items[i].number.duration()
		switch {
		case !ok:
		case d >= 24*time.Hour:
			s.Period, saidPeriod = d, true
			f.useAll(i, i-1)
		case s.Limit == 0:
			s.Limit = d.Seconds()
			f.useAll(i, i-1)
		}
	}
	if !saidPeriod {
		f.assume(0.1, "over 30 days")
	}
	succeed := false
	for i := range f.items {
		if _, ok := f.says(i, "success"); ok {
			f.use(i)
			succeed = true
		}
	}
	f.takeNames()
	f.takeGroups()
	strong, weak := f.said(false)
	strong = slices.DeleteFunc(strong, func(w string) bool { return w == "request" || w == "query" || w == "call" })
	if len(strong) == 0 {
		strong, weak = weak, nil // of an ingress
	}
	if len(strong) == 0 {
		return nlq.Parse{}, true, f.settle("Of which requests? For example those to the API server, to an ingress, or to vLLM.")
	}
	if s.Limit > 0 {
		m, ok := f.latencyOf(strong, append(weak, "request", "latency", "time", "duration", "end"))
		if !ok {
			return nlq.Parse{}, true, f.settle("Of which requests? An objective for how long they take needs a histogram of that.")
		}
		var ms nlq.Measure
		d, _ := f.catalog.Derived(m.ID)
		s.Latency = bucketOf(d.Expr)
		f.where(&ms, m)
		s.Where = ms.Where
		f.assume(0.05, "a bucket of %s ends at %s", s.Latency, nlq.Amount(s.Limit, "s"))
		return nlq.Parse{Intent: s, Assumed: f.assumed, Confidence: f.confidence()}, true, nil
	}
	f.outUnit = "ratio"
	m, ok := f.shorter(append(strong, "error"), append(weak, "request", "rate", "share"), strong)
	if !ok || f.dimension(m.Unit) != "ratio" {
		if succeed || said {
			return nlq.Parse{}, true, f.settle("Of which requests? An objective for how many succeed needs the share that fails, as of the API server, an ingress or DNS.")
		}
		return nlq.Parse{}, false, nil
	}
	s.Bad = nlq.Measure{Metric: m.ID}
	f.where(&s.Bad, m)
	return nlq.Parse{Intent: s, Assumed: f.assumed, Confidence: f.confidence()}, true, nil
}

// requests reports whether what follows item i are things that are served.
func (f *frame) requests(i int) bool {
	return slices.ContainsFunc(f.items[min(i, len(f.items)):], func(it item) bool {
		return slices.ContainsFunc(it.norms, func(w string) bool { return w == "request" || w == "query" || w == "call" })
	})
}

// latencyOf returns the 99th percentile whose name has strong: its histogram
// is what tells how long requests take.
func (f *frame) latencyOf(strong, weak []string) (catalog.Metric, bool) {
	best, found := -1.0, catalog.Metric{}
	for n := range f.words.within(append(slices.Clone(strong), "p99"), weak) {
		if f.dimension(n.metric.Unit) != "time" || !f.suits(n.metric) {
			continue
		}
		if d := f.depth(n, nil); d > best {
			best, found = d, *n.metric
		}
	}
	if best < 0 {
		if less := f.without(strong, f.brand); len(less) < len(strong) {
			m, ok := f.latencyOf(less, weak)
			return m, ok && slices.ContainsFunc(strong, func(w string) bool { return brandOf(m.ID) == w || strings.ToLower(m.Exporter) == w })
		}
	}
	return found, best >= 0
}

// bucketOf returns the histogram that expr is a percentile of.
func bucketOf(expr string) catalog.ID {
	before, _, _ := strings.Cut(expr, "_bucket")
	return catalog.ID(before[strings.LastIndexAny(before, " (")+1:])
}
