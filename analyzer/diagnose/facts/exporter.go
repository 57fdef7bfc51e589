package facts

import (
	"strconv"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/fault"
)

// What dcgm-exporter counts itself, over its last minutes: a series for each
// reason of a low clock and for each Xid. Clusters that scrape these often
// scrape none of the fields behind them.
const (
	clockEvents catalog.ID = "DCGM_EXP_CLOCK_EVENTS_COUNT"
	xidCounts   catalog.ID = "DCGM_EXP_XID_ERRORS_COUNT"
)

// readClockEvents reads one reason of a low clock; as with the bits, one sample is a moment.
func (w *World) readClockEvents(gpu analyzer.Subject, m snapshot.Series) {
	at, n := runStart(m, func(v float64) bool { return v > 0 })
	if n < 2 {
		return
	}
	switch m.Labels["clock_event"] {
	case "sw_thermal", "hw_thermal":
		w.measured(gpu, m, "thermal-throttle", at, 2, "clocks are lowered because of heat")
	case "hw_power_brake":
		w.measured(gpu, m, "power-brake", at, 2, "the power supply asserts its brake")
	}
}

// readXidCount reads how often an Xid was seen of late: none is over because
// the count is none again.
func (w *World) readXidCount(gpu analyzer.Subject, m snapshot.Series) {
	code, err := strconv.Atoi(m.Labels["xid"])
	if err != nil || code <= 0 {
		return
	}
	for _, p := range m.Samples {
		if p.Value > 0 {
			f := w.addXid(gpu, fault.Xid(code), p.At, m.Source, metricKind(m.Name()))
			f.Detail["sampled"], f.Lag = "true", spacing(m)
			return
		}
	}
}
