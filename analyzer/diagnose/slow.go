package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/catalog"
)

// What is known of services and nodes that agents without GPUs watch.
const (
	serviceLatency   catalog.ID = "vedette_service_latency_seconds"
	serviceRequests  catalog.ID = "vedette_service_requests"
	serviceAvailable catalog.ID = "vedette_service_availability"
	serviceCores     catalog.ID = "vedette_service_cpu_cores"
	serviceThrottled catalog.ID = "vedette_service_cpu_throttled_ratio"
	nodeRetransmits  catalog.ID = "vedette_node_tcp_retransmits_per_second"
)

const (
	slower       = 1.5   // times its usual latency: below it users hardly notice
	risen        = 0.85  // the quantile that stands for the fault, which must fill more than a seventh of it
	enough       = 8     // samples without which neither quantile means anything
	noisy        = 0.9   // the quantile of the time before an alert that a rise must exceed
	cpuGrowth    = 2.0   // times its usual cores: a slow service that waits uses fewer, not more
	starved      = 0.25  // the ratio of throttled time above which it shows in latency
	lossy        = 2.0   // retransmissions a second: packets that are late are sent again now and then, lost ones all the time
	leastFailing = 0.001 // failed requests, that is: any; less is the rounding of an availability
)

// A rise is by how much a service does worse than usual.
type rise struct {
	excess  float64 // seconds, or failed requests
	ratio   float64 // worse by this factor
	unusual float64 // by this many times its own swings, or by the same factor
	series  snapshot.Series
}

// readServiceAlerts records alerts about services and nodes, and the one
// service whose own part in what is slow or fails is the largest. A metric
// alone hurts nobody: without an alert nothing is looked for.
func (w *world) readServiceAlerts() {
	var since time.Time
	var fired []analyzer.Subject
	slow, failing := false, false
	for i, a := range w.fired {
		s := a.service()
		if s.Name == "" {
			continue
		}
		fired = append(fired, s)
		if since.IsZero() || a.StartsAt.Before(since) {
			since = a.StartsAt
		}
		text := clip(fmt.Sprintf("alert %s: %s%s", a.Labels["alertname"], a.Annotations["summary"], a.Annotations["description"]))
		slow, failing = slow || aboutLatency.MatchString(text), failing || aboutFailures.MatchString(text)
		w.add(fact{Fact: analyzer.Fact{Subject: s, Name: "service-alert", At: a.StartsAt, Standing: true, Source: fmt.Sprintf("alerts.json#%d", i), Text: text}, kind: alertKind, weight: 1})
	}
	if len(fired) == 0 {
		return
	}
	if failing && !slow && w.blameSlowest("service-failing", "failing", w.failures(since), fired) {
		return
	}
	if !w.blameSlowest("service-slow", "slow", w.latencies(since), fired) && !failing {
		w.blameSlowest("service-failing", "failing", w.failures(since), fired)
	}
}

// What an alert complains of, by its words.
var (
	aboutLatency  = regexp.MustCompile(`(?i)latenc|slow|duration|response time`)
	aboutFailures = regexp.MustCompile(`(?i)availab|error|fail|success|5xx`)
)

// reachable returns the services that are called from those given, and those
// themselves, in order.
func (w *world) reachable(from []analyzer.Subject) []analyzer.Subject {
	seen := map[analyzer.Subject]bool{}
	all := slices.Clone(from)
	for i := 0; i < len(all); i++ {
		if !seen[all[i]] {
			seen[all[i]] = true
			all = append(all, w.g.Callees(all[i])...)
		}
	}
	slices.SortFunc(all, topology.Compare)
	return slices.Compact(all)
}

// blameSlowest adds a fact about the service with the largest own part: what
// is left of its excess when the worst of what it calls is taken off, weighed,
// for latency, by how unusual the excess is for it. Only what those with an
// alert call, however indirectly, can be to blame.
func (w *world) blameSlowest(name, word string, rises map[analyzer.Subject]rise, fired []analyzer.Subject) bool {
	var best analyzer.Subject
	most := 0.0
	for _, s := range w.reachable(fired) {
		r := rises[s]
		own := r.excess
		for _, c := range w.g.Callees(s) {
			own = min(own, r.excess-rises[c].excess)
		}
		score := own
		if name == "service-slow" {
			score *= r.unusual
		}
		if own > 0 && score > most {
			best, most = s, score
		}
	}
	if most == 0 {
		return false
	}
	r := rises[best]
	f := fact{Fact: analyzer.Fact{Subject: best, Name: name, Standing: true, Source: r.series.Source,
		Text: fmt.Sprintf("it is %s, %.1f times as much as usual, and what it calls does not account for it", word, r.ratio)}, kind: metricKind(r.series.Name())}
	top, known := w.workloadBehind(best)
	switch m, hungry := w.hungry(best); {
	case name != "service-slow":
	case hungry:
		f.Name = "service-slow-cpu"
		f.Subject = top
		f.also = []analyzer.Evidence{{Source: m.Source, Text: "it uses more CPU than usual and is throttled"}}
	case known && m.Source != "":
		f.Name, f.Subject = "service-slow-idle", top
		f.also = []analyzer.Evidence{{Source: m.Source, Text: "it is not short of CPU"}}
	}
	w.add(f)
	return true
}

// workloadBehind returns the workload of the service's name and whether the snapshot has one.
func (w *world) workloadBehind(service analyzer.Subject) (analyzer.Subject, bool) {
	for _, p := range w.namespaces[service.Namespace] {
		if top := w.workload(p.subject); !p.gone && top.Name == service.Name {
			return top, true
		}
	}
	return service, false
}

// hungry reports whether the service uses much more CPU than usual and gets less than it wants.
func (w *world) hungry(service analyzer.Subject) (cores snapshot.Series, yes bool) {
	up, short := false, false
	for _, m := range w.s.Series(string(serviceCores)) {
		if w.serviceOfSeries(m) == service && len(m.Samples) >= enough {
			cores, up = m, compare(m.Samples, time.Time{}).ratio >= cpuGrowth
		}
	}
	for _, m := range w.s.Series(string(serviceThrottled)) {
		if w.serviceOfSeries(m) == service && len(m.Samples) >= enough {
			short = compare(m.Samples, time.Time{}).excess >= starved
		}
	}
	return cores, up && short
}

func (w *world) serviceOfSeries(m snapshot.Series) analyzer.Subject {
	return analyzer.Subject{Kind: "service", Namespace: m.Labels["namespace"], Name: m.Labels["service"]}
}

// latencies returns how much slower each service is. Means are weighed with
// the number of requests, so that what a caller waits and what the callee
// takes can be subtracted; percentiles cannot be.
func (w *world) latencies(since time.Time) map[analyzer.Subject]rise {
	requests := w.requests()
	all := map[analyzer.Subject]rise{}
	means := map[analyzer.Subject]bool{}
	for _, m := range w.s.Series(string(serviceLatency)) {
		s := w.serviceOfSeries(m)
		values := slices.DeleteFunc(slices.Clone(m.Samples), func(p snapshot.Sample) bool { return p.Value == 0 }) // nobody asked
		r := compare(values, since)
		mean := m.Labels["stat"] == "mean" && len(requests[s]) > 0
		if mean {
			plain := r.ratio
			r = compare(weighed(values, requests[s], func(v float64) float64 { return v }), since)
			r.ratio = plain
		}
		if r.series = m; r.ratio < slower || r.excess <= 0 || means[s] && !mean {
			continue
		}
		if mean || r.excess > all[s].excess {
			all[s], means[s] = r, mean
		}
	}
	return all
}

// failures returns how many more requests of each service fail.
func (w *world) failures(since time.Time) map[analyzer.Subject]rise {
	requests := w.requests()
	all := map[analyzer.Subject]rise{}
	for _, m := range w.s.Series(string(serviceAvailable)) {
		s := w.serviceOfSeries(m)
		values := weighed(m.Samples, requests[s], func(v float64) float64 { return 1 - v })
		if r := compare(values, since); r.excess > leastFailing { // of failed requests only the number counts
			r.series = m
			all[s] = r
		}
	}
	return all
}

// requests returns the number of requests of each service by time.
func (w *world) requests() map[analyzer.Subject]map[time.Time]float64 {
	all := map[analyzer.Subject]map[time.Time]float64{}
	for _, m := range w.s.Series(string(serviceRequests)) {
		by := map[time.Time]float64{}
		for _, p := range m.Samples {
			by[p.At] = p.Value
		}
		all[w.serviceOfSeries(m)] = by
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
func compare(samples []snapshot.Sample, since time.Time) rise {
	i, _ := slices.BinarySearchFunc(samples, since, func(p snapshot.Sample, t time.Time) int { return p.At.Compare(t) })
	before, after := samples[:i], samples[i:]
	if len(samples) < enough {
		return rise{}
	}
	if len(after) > 0 && len(before) >= longHistory && len(before) > 2*len(after) {
		was, swings, now := quantile(before, 0.5), quantile(before, noisy), mean(after)
		if now <= swings {
			return rise{}
		}
		// What swings by itself must swing further to be unusual.
		return rise{excess: now - swings, ratio: now / max(swings, tiny), unusual: (now - was) / max(swings-was, tiny)}
	}
	// What was slow from the start and got better is a program that warmed up.
	i = len(samples) / 4
	was, now := quantile(samples[:i], 0.5), quantile(samples[i:], risen)
	if now <= was {
		return rise{}
	}
	return rise{excess: now - was, ratio: now / max(was, tiny), unusual: now / max(was, tiny)}
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

// sentAgain is an alert's word on packets that were sent again.
var sentAgain = regexp.MustCompile(`(?i)retransmi`)

// readNodeAlerts reads alerts about a node's packets. The rate tells delay from
// loss: packets that are late are sent again now and then, lost ones all the time.
func (w *world) readNodeAlerts() {
	rates := map[int]float64{}
	worst := -1
	all := w.fired
	for i, a := range all {
		text := a.Annotations["summary"] + a.Annotations["description"]
		if a.Labels["node"] == "" || !sentAgain.MatchString(text) {
			continue
		}
		for _, m := range perSecond.FindAllStringSubmatch(text, -1) {
			v, _ := strconv.ParseFloat(m[1], 64)
			rates[i] = v // the newest value stands last
		}
		for _, m := range w.s.Series(string(nodeRetransmits)) {
			if m.Labels["node"] == a.Labels["node"] && len(m.Samples) >= enough {
				rates[i] = quantile(m.Samples, risen)
			}
		}
		if worst < 0 || rates[i] > rates[worst] {
			worst = i
		}
	}
	if worst < 0 {
		return
	}
	name := "node-packets-late"
	if rates[worst] >= lossy {
		name = "node-packets-lost"
	}
	a := all[worst]
	w.add(fact{Fact: analyzer.Fact{Subject: analyzer.Node(a.Labels["node"]), Name: name, At: a.StartsAt, Standing: true, Source: fmt.Sprintf("alerts.json#%d", worst),
		Text: clip("alert " + a.Labels["alertname"] + ": " + a.Annotations["summary"] + a.Annotations["description"])}, kind: alertKind, weight: 1})
}

// perSecond is a rate of packets sent again, as alerts write it.
var perSecond = regexp.MustCompile(`([0-9]+\.?[0-9]*) ?(?:retrans|packets|/s)`)
