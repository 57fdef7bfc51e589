package prose

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// ofGauge is a gauge against its limit. A state without a limit is bad as its
// name says.
func (r *reading) ofGauge(m catalog.Metric) (nlq.Term, bool) {
	t := r.gauge(m.ID)
	if len(r.conds) == 0 {
		switch op, limit, ok := r.state(m); {
		case r.cues["none"]:
			return nlq.Binary{Op: "==", Left: t, Right: nlq.Number(0)}, true
		case ok && !r.cues["ask"]:
			return nlq.Binary{Op: op, Left: t, Right: nlq.Number(limit)}, true
		}
	}
	u := m.Unit
	if ofOne(m) || u == "{bool}" && r.percent() { // of the time
		u = "1"
	}
	return r.compared(t, u, ">", 0)
}

// gauge is a gauge as it is, or over the window that the text looks at. The
// highest value is the usual one: a scrape that was lost must not end an alert.
func (r *reading) gauge(id catalog.ID) nlq.Term {
	m := r.measure(id)
	about, _ := r.catalog.Measure(id)
	where, _ := r.valueOf(about)
	m.Where = append(m.Where, where...)
	f := nlq.Func{Of: m, Window: r.window}
	switch {
	case r.cues["change"]:
		f.Name, f.Window = "changes", r.windowOr(usual)
	case r.cues["grow"]:
		f.Name, f.Window = "deriv", r.windowOr(usual)
	case r.window == 0:
		m.Agg, m.By = r.together(about)
		return m
	case r.has("average", "averaged", "averaging", "constantly", "mean"), about.Unit == "{bool}" && r.percent():
		f.Name = "avg_over_time"
	case len(r.conds) > 0 && r.conds[0].op[0] == '<' && r.has("minimum", "always"):
		f.Name = "min_over_time"
	default:
		f.Name = "max_over_time"
	}
	return f
}

// ofOne reports whether m counts shares of one, by its unit or its name.
func ofOne(m catalog.Metric) bool {
	if m.Unit == "1" || m.Unit == "%" {
		return m.Unit == "1"
	}
	return m.Type == catalog.Gauge && slices.ContainsFunc(index.Name(string(m.ID)), func(w string) bool {
		return w == "ratio" || w == "perc" || w == "pressure" || w == "utilization" || w == "fraction"
	})
}

func isTimestamp(m catalog.Metric) bool {
	id := string(m.ID)
	for _, end := range []string{"_timestamp_seconds", "_timestamp", "_time_seconds", "_created", "_not_after", "_success_at", "_expiry", "_start_time", "_schedule_time", "_successful_time", "_completion_time"} {
		if strings.HasSuffix(id, end) {
			return true
		}
	}
	return strings.Contains(id, "_timestamp_")
}

// isRemaining reports whether m is how long something is still good for.
func isRemaining(m catalog.Metric) bool {
	return m.Type == catalog.Gauge && slices.Contains(index.Name(string(m.ID)), "ttl")
}

// age is how long ago a time was, or how far ahead it is.
func (r *reading) age(m catalog.Metric) (nlq.Term, bool) {
	if r.cues["change"] || r.cues["reset"] && r.window > 0 {
		return r.compared(nlq.Func{Name: "changes", Of: r.measure(m.ID), Window: r.windowOr(usual)}, "{change}", ">", 0)
	}
	of := r.measure(m.ID)
	where, _ := r.valueOf(m)
	of.Where = append(of.Where, where...)
	at := nlq.Term(of)
	t := nlq.Binary{Op: "-", Left: nlq.Now{}, Right: at}
	if r.cues["expires"] || strings.Contains(string(m.ID), "not_after") || strings.Contains(string(m.ID), "expir") {
		t = nlq.Binary{Op: "-", Left: at, Right: nlq.Now{}}
		if len(r.conds) == 0 && r.window > 0 { // "expires in 7 days"
			return nlq.Binary{Op: "<", Left: t, Right: nlq.Number(r.window.Seconds())}, true
		}
	}
	if len(r.conds) == 0 && r.holdFirst > 0 { // "no backup for 3 days" is what is measured
		if r.holdFirst == r.hold {
			r.hold = 0
		}
		return nlq.Binary{Op: ">", Left: t, Right: nlq.Number(r.holdFirst.Seconds())}, true
	}
	return r.compared(t, "s", ">", 0)
}
