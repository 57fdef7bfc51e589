package ranking

import (
	"maps"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// What is felt without an alert: far above what varies by itself, for there is
// nobody who said what is too much.
const (
	muchSlower  = 2.5  // times the usual latency, at the end too
	manyFailing = 0.02 // of the requests, where hardly any failed before
)

// Worse returns the services that are much slower or fail much more at the end
// of their series than at the beginning, in order.
func Worse(s *snapshot.Snapshot) []Rise {
	all := map[analyzer.Subject]Rise{}
	for of, r := range latencies(s, time.Time{}) {
		if before, after, ok := levels(r.Series.Samples); ok && after >= muchSlower*max(before, tiny) {
			r.Service, r.Ratio = of, after/max(before, tiny)
			all[of] = r
		}
	}
	for _, m := range s.Series(string(serviceAvailable)) {
		of := serviceOf(m)
		if before, after, ok := levels(m.Samples); ok && before-after >= manyFailing {
			all[of] = Rise{Service: of, Ratio: (1 - after) / max(1-before, tiny), Series: m}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Rise) int { return topology.Compare(a.Service, b.Service) })
}

// levels returns the means before and after the change of samples.
func levels(samples []snapshot.Sample) (before, after float64, ok bool) {
	i := change(samples)
	if i < 0 {
		return 0, 0, false
	}
	return mean(samples[:i]), mean(samples[i:]), true
}
