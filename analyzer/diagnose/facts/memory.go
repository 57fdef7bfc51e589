package facts

import (
	"fmt"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// What cAdvisor says of a container's memory.
const (
	workingSet  catalog.ID = "container_memory_working_set_bytes"
	memoryLimit catalog.ID = "container_spec_memory_limit_bytes"
)

// A leak grows all the time, for long, and by much: warming up ends, caches
// level off, and load comes and goes.
const (
	leakFor      = time.Hour
	leakSamples  = 8
	leakGrowth   = 1.4  // from the start of the climb to its end
	leakSteady   = 0.85 // of the steps go up
	leakFall     = 0.6  // below this share of what it was, it was restarted
	leakLast     = 0.25 // of the growth falls into the last third: it has not levelled off
	leakNearFull = 0.8  // of its limit
)

// readMemory records workloads whose memory only grows until it is full.
func (w *World) readMemory() {
	limits := map[analyzer.Subject]float64{}
	for _, m := range w.s.Series(string(memoryLimit)) {
		limits[podOf(m)] = m.Last().Value
	}
	for _, m := range w.s.Series(string(workingSet)) {
		pod := podOf(m)
		p := w.pods[pod]
		if p == nil || m.Labels["container"] == "POD" {
			continue
		}
		climb := longestClimb(m.Samples)
		if !steadyClimb(climb) {
			continue
		}
		limit := limits[pod]
		for _, c := range p.Spec.Containers {
			if q, ok := c.Resources.Limits["memory"]; ok && (m.Labels["container"] == c.Name || len(p.Spec.Containers) == 1) {
				limit = q.AsApproximateFloat64()
			}
		}
		first, last := climb[0], climb[len(climb)-1]
		killed := slices.ContainsFunc(w.named["container-oom-killed"], func(f *Fact) bool { return f.Subject == pod }) ||
			slices.ContainsFunc(w.named["heap-exhausted"], func(f *Fact) bool { return f.Subject == w.Workload(pod) }) // a heap has a limit of its own
		if !killed && (limit == 0 || last.Value < leakNearFull*limit) {
			continue // it may still level off
		}
		top := w.Workload(pod)
		f := Fact{Fact: analyzer.Fact{Subject: top, Name: "memory-grows", At: first.At, Standing: !p.gone, Source: m.Source,
			Text: fmt.Sprintf("the memory of %s grew without a stop from %.0f to %.0f MiB in %s", pod.Name, first.Value/(1<<20), last.Value/(1<<20), last.At.Sub(first.At).Round(time.Minute))},
			Kind: metricKind(m.Name()), Weight: 1}
		if top != pod {
			f.Seen = []analyzer.Subject{pod}
		}
		w.addOnce(f)
	}
}

func podOf(m snapshot.Series) analyzer.Subject {
	return analyzer.Pod(m.Labels["namespace"], m.Labels["pod"])
}

// longestClimb returns the longest run of samples without a restart in between.
func longestClimb(samples []snapshot.Sample) []snapshot.Sample {
	start, best := 0, samples[:0]
	for i := range samples {
		if i > 0 && samples[i].Value < leakFall*samples[i-1].Value {
			start = i
		}
		if i+1-start > len(best) {
			best = samples[start : i+1]
		}
	}
	return best
}

func steadyClimb(s []snapshot.Sample) bool {
	if len(s) < leakSamples {
		return false
	}
	first, last := s[0], s[len(s)-1]
	up := 0
	for i := 1; i < len(s); i++ {
		if s[i].Value > s[i-1].Value {
			up++
		}
	}
	third := s[len(s)*2/3]
	grown := last.Value - first.Value
	return last.At.Sub(first.At) >= leakFor && last.Value >= leakGrowth*first.Value && float64(up) >= leakSteady*float64(len(s)-1) && last.Value-third.Value >= leakLast*grown*2/3
}
