package facts

import (
	"fmt"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// What cAdvisor says of the CPU that a container's limit kept from it.
const (
	cpuPeriods   catalog.ID = "container_cpu_cfs_periods_total"
	cpuThrottled catalog.ID = "container_cpu_cfs_throttled_periods_total"
)

// starved is the share of its periods in which a container must have been
// stopped to be slow for it: bursts of threads are stopped in a tenth or a
// quarter of them and nobody notices.
const starved = 0.5

// readThrottling records workloads whose limit stops them most of the time. It
// is no complaint by itself: batch work is meant to use all that it may.
func (w *World) readThrottling() {
	type container struct {
		pod  analyzer.Subject
		name string
	}
	periods := map[container]snapshot.Series{}
	for _, m := range w.s.Series(string(cpuPeriods)) {
		periods[container{podOf(m), m.Labels["container"]}] = m
	}
	for _, m := range w.s.Series(string(cpuThrottled)) {
		pod := podOf(m)
		all, ok := periods[container{pod, m.Labels["container"]}]
		if p := w.pods[pod]; !ok || p == nil || p.gone || m.Labels["container"] == "POD" || !w.fresh(m) {
			continue
		}
		share := latter(m) / latter(all)
		if !(share >= starved) { // or not a number, where no period passed
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: w.Workload(pod), Name: "cpu-starved", Standing: true, Source: m.Source,
			Text: fmt.Sprintf("its CPU limit stopped container %s in %.0f %% of its periods", m.Labels["container"], 100*share)},
			Kind: metricKind(m.Name()), Lag: spacing(m), Seen: []analyzer.Subject{pod}})
	}
}

// latter is by how much a counter grew over the second half of the window:
// what is so now, and not what was before.
func latter(m snapshot.Series) float64 {
	m.Samples = m.Samples[len(m.Samples)/2:]
	return growth(m)
}
