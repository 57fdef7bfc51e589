package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/series"
)

const (
	// missed is how many periods of silence are no slow scrape any more.
	missed = 3

	// A reading that nobody has heard of for so long is not one of late: a node
	// that was rebuilt has other readings.
	lately = time.Hour

	// So many readings of a node, and this share of them, are told: one that comes and goes may
	// have no value for a while, three are what one GPU's profiling has.
	fewestLost, leastShare = 3, 0.05
)

// A reading is one metric of one subject, whatever its other labels: a GPU that
// changes pods changes series, and is read all the same.
type reading struct {
	metric  string
	subject analyzer.Subject
}

// A tally is which members of something were heard of lately, and when.
type tally[K comparable] struct {
	query string
	ofGPU bool // it goes by the label that GPUs name their node by
	heard map[K]presence
}

// A presence is when something was last heard of, how often it is, and whether that
// has been long enough to count on it.
type presence struct {
	heard, period int64
	known         bool
}

func (p presence) over(newest int64) bool { return newest-p.heard > missed*p.period }

// add takes what was heard of k.
func (t *tally[K]) add(k K, p presence) {
	old := t.heard[k]
	// A series that has just begun, as under another pod, does not know its period yet.
	t.heard[k] = presence{max(old.heard, p.heard), max(old.period, p.period), old.known || p.known}
}

// known returns how many are counted on.
func (t *tally[K]) known() int {
	n := 0
	for _, p := range t.heard {
		if p.known {
			n++
		}
	}
	return n
}

// gone returns who is silent while others are heard of, and since when; none
// where the others are silent too.
func (t *tally[K]) gone(now int64) (who []K, since int64) {
	newest, live := int64(0), presence{}
	for _, p := range t.heard {
		if p.heard > newest {
			newest, live = p.heard, p
		}
	}
	if live.over(now) {
		return nil, 0
	}
	for k, p := range t.heard {
		if p.known && p.over(newest) {
			who = append(who, k)
			if from := p.heard + p.period; since == 0 || from < since {
				since = from
			}
		}
	}
	return who, since
}

// dropped returns the nodes that are still heard of by fewer readings than of
// late, and the pods by fewer GPUs. What is gone as a whole is absent, and told
// already.
func (b *Bank) dropped(now int64, absent []analyzer.Finding) []analyzer.Finding {
	nodes, pods := map[string]*tally[reading]{}, map[analyzer.Subject]*tally[analyzer.Subject]{}
	for id, m := range b.members {
		if m == nil || m.watch == none || m.left != nil {
			continue
		}
		w, s := &b.watches[m.watch], b.states.At(uint32(id))
		p := presence{s.heard(), int64(max(1, Level{}.Step(&s.of.Of)) * 1000), s.of.Of.seen >= warmup}
		if now-p.heard > lately.Milliseconds() {
			continue
		}
		if node := m.subject.Node(); node != "" {
			if nodes[node] == nil {
				nodes[node] = &tally[reading]{heard: map[reading]presence{}}
			}
			nodes[node].add(reading{string(w.Metric), m.subject}, p)
			if t := nodes[node]; t.query == "" || m.subject.Kind == "gpu" && !t.ofGPU {
				t.ofGPU = m.subject.Kind == "gpu"
				t.query = "count by (__name__) (" + series.Selector(map[string]string{w.Labels[0]: node}) + ")"
			}
		}
		if ns, name := m.labels["namespace"], m.labels["pod"]; w.Absence && m.subject.Kind == "gpu" && name != "" {
			pod := analyzer.Pod(ns, name)
			if pods[pod] == nil {
				pods[pod] = &tally[analyzer.Subject]{heard: map[analyzer.Subject]presence{},
					query: "count(" + series.Selector(map[string]string{"__name__": string(w.Metric), "namespace": ns, "pod": name}) + ")"}
			}
			pods[pod].add(m.subject, p)
		}
	}
	var fs []analyzer.Finding
	for node, t := range nodes {
		if f, ok := b.fewerReadings(node, t, now); ok {
			fs = append(fs, f)
		}
	}
	for pod, t := range pods {
		gone, since := t.gone(now)
		gone = slices.DeleteFunc(gone, func(gpu analyzer.Subject) bool {
			return slices.ContainsFunc(absent, func(f analyzer.Finding) bool { return f.Subject == gpu })
		})
		if len(gone) > 0 {
			f := b.fewer(pod, "GPUs", len(gone), 1, t.query, since, now)
			f.Text = fmt.Sprintf("it is seen on %d GPUs where it was on %d", t.known()-len(gone), t.known())
			fs = append(fs, f)
		}
	}
	return fs
}

func (b *Bank) fewerReadings(node string, t *tally[reading], now int64) (analyzer.Finding, bool) {
	gone, since := t.gone(now)
	left := map[analyzer.Subject]int{}
	for k, p := range t.heard {
		if p.known {
			left[k.subject]++
		}
	}
	for _, k := range gone {
		left[k.subject]--
	}
	metrics := map[string]bool{}
	known := 0
	for k, p := range t.heard {
		if p.known && left[k.subject] > 0 {
			known++
		}
	}
	gone = slices.DeleteFunc(gone, func(k reading) bool { return left[k.subject] == 0 })
	if len(gone) < fewestLost || float64(len(gone)) < leastShare*float64(known) {
		return analyzer.Finding{}, false
	}
	for _, k := range gone {
		metrics[k.metric] = true
	}
	f := b.fewer(analyzer.Node(node), "readings", len(gone), fewestLost, t.query, since, now)
	f.Severity = "warning"
	f.Text = fmt.Sprintf("%d readings are no longer reported where %d were: %s", len(gone), known, strings.Join(slices.Sorted(maps.Keys(metrics)), ", "))
	f.Caveats = []string{"a profiler that holds a GPU's counters stops them too, and so does an exporter that is told to leave them out"}
	return f, true
}

func (b *Bank) fewer(s analyzer.Subject, signal string, gone, least int, query string, since, now int64) analyzer.Finding {
	f := analyzer.Finding{Kind: analyzer.Anomaly, Subject: s, Signal: signal, From: time.UnixMilli(since).UTC(), Last: time.UnixMilli(now).UTC(), Severity: "info",
		Query: query, Caveats: []string{"it may have been meant so"},
		Ways: []analyzer.Way{{Channel: analyzer.Count, Series: query, Off: float64(gone), Least: float64(least)}}}
	f.Marked = hushes(b.limits[selector(query)], analyzer.Count, float64(gone), now, now)
	return f
}
