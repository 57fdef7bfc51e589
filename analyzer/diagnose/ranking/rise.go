package ranking

import (
	"cmp"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// latencies returns how much slower each service is. Means are weighed with
// the number of requests, so that what a caller waits and what the callee
// takes can be subtracted; percentiles cannot be.
func latencies(s *snapshot.Snapshot, since time.Time) map[analyzer.Subject]Rise {
	requests := requestsOf(s)
	all := map[analyzer.Subject]Rise{}
	means := map[analyzer.Subject]bool{}
	for _, m := range s.Series(string(serviceLatency)) {
		of := serviceOf(m)
		values := slices.DeleteFunc(slices.Clone(m.Samples), func(p snapshot.Sample) bool { return p.Value == 0 }) // nobody asked
		r := compare(values, since)
		mean := m.Labels["stat"] == "mean" && len(requests[of]) > 0
		if mean {
			plain := r.Ratio
			r = compare(weighed(values, requests[of], func(v float64) float64 { return v }), since)
			r.Ratio = plain
		}
		if r.Series = m; r.Ratio < slower || r.excess <= 0 || means[of] && !mean {
			continue
		}
		if mean || r.excess > all[of].excess {
			all[of], means[of] = r, mean
		}
	}
	return all
}

// failures returns how many more requests of each service fail.
func failures(s *snapshot.Snapshot, since time.Time) map[analyzer.Subject]Rise {
	requests := requestsOf(s)
	all := map[analyzer.Subject]Rise{}
	for _, m := range s.Series(string(serviceAvailable)) {
		of := serviceOf(m)
		values := weighed(m.Samples, requests[of], func(v float64) float64 { return 1 - v })
		if r := compare(values, since); r.excess > leastFailing { // of failed requests only the number counts
			r.Series = m
			all[of] = r
		}
	}
	return all
}

// requests returns the number of requests of each service by time.
func requestsOf(s *snapshot.Snapshot) map[analyzer.Subject]map[time.Time]float64 {
	all := map[analyzer.Subject]map[time.Time]float64{}
	for _, m := range s.Series(string(serviceRequests)) {
		by := map[time.Time]float64{}
		for _, p := range m.Samples {
			by[p.At] = p.Value
		}
		all[serviceOf(m)] = by
	}
	return all
}

// weighed multiplies what f makes of each sample with the requests of its time.
func weighed(samples []snapshot.Sample, requests map[time.Time]float64, f func(float64) float64) []snapshot.Sample {
	out := make([]snapshot.Sample, 0, len(samples))
	for _, p := range samples {
		if n, ok := requests[p.At]; ok {
			out = append(out, snapshot.Sample{At: p.At, Value: f(p.Value) * n})
		}
	}
	return out
}

// compare returns by how much samples rose. Where an alert says since when and
// there is a longer time before it, that time is the usual; otherwise the first
// quarter of the window is.
func compare(samples []snapshot.Sample, since time.Time) Rise {
	i, _ := slices.BinarySearchFunc(samples, since, func(p snapshot.Sample, t time.Time) int { return p.At.Compare(t) })
	before, after := samples[:i], samples[i:]
	if len(samples) < enough {
		return Rise{}
	}
	if len(after) > 0 && len(before) >= longHistory && len(before) > 2*len(after) {
		was, swings, now := quantile(before, 0.5), quantile(before, noisy), mean(after)
		if now <= swings {
			return Rise{}
		}
		// What swings by itself must swing further to be unusual.
		return Rise{excess: now - swings, Ratio: now / max(swings, tiny), unusual: (now - was) / max(swings-was, tiny)}
	}
	// What was slow from the start and got better is a program that warmed up.
	i = len(samples) / 4
	was, now := quantile(samples[:i], 0.5), quantile(samples[i:], risen)
	if now <= was {
		return Rise{}
	}
	return Rise{excess: now - was, Ratio: now / max(was, tiny), unusual: now / max(was, tiny)}
}

const (
	longHistory = 60   // samples that make a time before an alert a history
	tiny        = 1e-4 // a tenth of a millisecond: below it latencies have no ratio
)

func mean(samples []snapshot.Sample) float64 {
	sum := 0.0
	for _, p := range samples {
		sum += p.Value
	}
	return sum / float64(len(samples))
}

func quantile(samples []snapshot.Sample, q float64) float64 {
	vs := make([]float64, len(samples))
	for i, p := range samples {
		vs[i] = p.Value
	}
	slices.SortFunc(vs, cmp.Compare[float64])
	return vs[min(int(q*float64(len(vs))), len(vs)-1)]
}

// High returns the value that stands for what is wrong in samples: most are
// below it, however short the fault. There are too few where it reports false.
func High(samples []snapshot.Sample) (float64, bool) {
	if len(samples) < enough {
		return 0, false
	}
	return quantile(samples, risen), true
}
