// Package ranking says which of several services is to blame for what is slow
// or fails: the one whose own part in it is the largest, when the worst of what
// it calls is taken off. It reads series of services, and who calls whom.
//
// What a reader would get wrong: a caller waits for its callee, so the slowest
// service is seldom the one to blame; and only means, weighed with the number
// of requests, can be subtracted.
package ranking

import (
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/catalog"
)

// What is known of services that agents without GPUs watch.
const (
	serviceLatency   catalog.ID = "vedette_service_latency_seconds"
	serviceRequests  catalog.ID = "vedette_service_requests"
	serviceAvailable catalog.ID = "vedette_service_availability"
	serviceCores     catalog.ID = "vedette_service_cpu_cores"
	serviceThrottled catalog.ID = "vedette_service_cpu_throttled_ratio"
)

const (
	slower       = 1.5   // times its usual latency: below it users hardly notice
	risen        = 0.85  // the quantile that stands for the fault, which must fill more than a seventh of it
	enough       = 8     // samples without which neither quantile means anything
	noisy        = 0.9   // the quantile of the time before an alert that a rise must exceed
	cpuGrowth    = 2.0   // times its usual cores: a slow service that waits uses fewer, not more
	starved      = 0.25  // the ratio of throttled time above which it shows in latency
	leastFailing = 0.001 // failed requests, that is: any; less is the rounding of an availability
)

// A Rise is by how much a service does worse than usual.
type Rise struct {
	Service analyzer.Subject
	Ratio   float64 // worse by this factor
	Series  snapshot.Series

	excess  float64 // seconds, or failed requests
	unusual float64 // by this many times its own swings, or by the same factor
}

// Slowest returns the service that is to blame for what is slow at those asked
// about since then, of all that they call, however indirectly. A zero since is
// not known.
func Slowest(s *snapshot.Snapshot, g *topology.Graph, asked []analyzer.Subject, since time.Time) (Rise, bool) {
	return worst(g, asked, latencies(s, since), func(r Rise, own float64) float64 { return own * r.unusual })
}

// Failing returns the one that is to blame for what fails.
func Failing(s *snapshot.Snapshot, g *topology.Graph, asked []analyzer.Subject, since time.Time) (Rise, bool) {
	return worst(g, asked, failures(s, since), func(_ Rise, own float64) float64 { return own })
}

// worst returns the service with the highest score of its own part.
func worst(g *topology.Graph, asked []analyzer.Subject, rises map[analyzer.Subject]Rise, score func(r Rise, own float64) float64) (Rise, bool) {
	var best Rise
	most := 0.0
	for _, s := range reachable(g, asked) {
		r := rises[s]
		own := r.excess
		for _, c := range g.Callees(s) {
			own = min(own, r.excess-rises[c].excess)
		}
		if x := score(r, own); own > 0 && x > most {
			best, most = r, x
			best.Service = s
		}
	}
	return best, most > 0
}

// reachable returns the services that are called from those given, and those
// themselves, in order.
func reachable(g *topology.Graph, from []analyzer.Subject) []analyzer.Subject {
	seen := map[analyzer.Subject]bool{}
	all := slices.Clone(from)
	for i := 0; i < len(all); i++ {
		if !seen[all[i]] {
			seen[all[i]] = true
			all = append(all, g.Callees(all[i])...)
		}
	}
	slices.SortFunc(all, topology.Compare)
	return slices.Compact(all)
}

// Hungry reports whether the service uses much more CPU than usual and gets less than it wants; cores is the series of what it uses, where there is one.
func Hungry(s *snapshot.Snapshot, service analyzer.Subject) (cores snapshot.Series, yes bool) {
	up, short := false, false
	for _, m := range s.Series(string(serviceCores)) {
		if serviceOf(m) == service && len(m.Samples) >= enough {
			cores, up = m, compare(m.Samples, time.Time{}).Ratio >= cpuGrowth
		}
	}
	for _, m := range s.Series(string(serviceThrottled)) {
		if serviceOf(m) == service && len(m.Samples) >= enough {
			short = compare(m.Samples, time.Time{}).excess >= starved
		}
	}
	return cores, up && short
}

func serviceOf(m snapshot.Series) analyzer.Subject {
	return analyzer.Subject{Kind: "service", Namespace: m.Labels["namespace"], Name: m.Labels["service"]}
}
