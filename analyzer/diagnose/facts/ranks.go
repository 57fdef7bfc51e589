package facts

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// together is how far apart ranks may say that they reach nobody: they start,
// and give up, within one time-out of each other.
const together = 5 * time.Minute

// readRanks tells apart why ranks of one job lose each other: one ended before
// the others noticed, or all were alive and could not talk.
func (w *World) readRanks() {
	for _, top := range w.complaining() {
		w.readTaken(top)
		if first := w.firstToEnd(top); first != nil {
			f := w.add(Fact{Fact: analyzer.Fact{Subject: first.Subject, Name: "rank-died-first", At: first.At, Standing: true, Source: first.Source,
				Text: "it ended before the other ranks complained: " + first.Text}, Kind: first.Kind, Weight: 0})
			f.Detail["exit"] = first.Detail["exit"]
			continue
		}
		var said []*Fact
		pods := map[analyzer.Subject]bool{}
		for _, f := range w.Called("nccl-unreached") {
			if w.Workload(f.Subject) == top {
				said = append(said, f)
				pods[f.Subject] = true
			}
		}
		if len(pods) < 2 || said[len(said)-1].At.Sub(said[0].At) > together {
			continue
		}
		f := w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: "ranks-unconnected", At: said[0].At, Standing: slices.ContainsFunc(said, func(f *Fact) bool { return f.Standing }), Source: said[0].Source,
			Text: fmt.Sprintf("%d of its pods cannot reach each other, and none had ended before: %s", len(pods), said[0].Text)}, Kind: LogKind})
		for _, o := range said {
			f.Seen = append(f.Seen, o.Subject)
			f.Also = append(f.Also, analyzer.Evidence{Source: o.Source, At: o.At, Text: o.Text})
		}
	}
}

// readTaken records pods of the workload that were deleted while others of it
// went on: who has no rank any more has not ended by any word of its own.
func (w *World) readTaken(top analyzer.Subject) {
	for _, p := range w.order {
		if !p.gone || p.DeletionTimestamp == nil || w.Workload(p.subject) != top || p.Status.Phase != corev1.PodRunning {
			continue
		}
		f := w.state(p, "pod-taken", deleted(p), 0, "the pod was deleted while it ran")
		for _, e := range w.events[p.subject] {
			if e.Reason == "Killing" {
				f.Also = append(f.Also, evidenceOf(e))
			}
		}
	}
}

// complaining returns the workloads of which a rank complains of others.
func (w *World) complaining() []analyzer.Subject {
	var tops []analyzer.Subject
	for _, f := range w.Called("collective-timeout", "nccl-peer-lost", "nccl-unreached") {
		if top := w.Workload(f.Subject); !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	return tops
}

// firstToEnd returns the end of a rank that came before the others' complaints,
// in a pod that does not complain itself; nil where there is none.
func (w *World) firstToEnd(top analyzer.Subject) *Fact {
	complained := map[analyzer.Subject]bool{}
	var since time.Time
	for _, f := range w.Called("collective-timeout", "nccl-peer-lost", "nccl-unreached") {
		if w.Workload(f.Subject) != top {
			continue
		}
		complained[f.Subject] = true
		if since.IsZero() || f.At.Before(since) {
			since = f.At
		}
	}
	var first *Fact
	for _, f := range w.Called("container-failed", "container-killed", "container-signalled", "container-oom-killed", "pod-failed", "pod-disrupted", "pod-taken") {
		if w.Workload(f.Subject) != top || complained[f.Subject] || f.At.IsZero() || f.At.After(since.Add(skewFar)) || since.Sub(f.At) > longestCollective {
			continue
		}
		if first == nil || f.At.Before(first.At) {
			first = f
		}
	}
	return first
}

// longestCollective is how long ranks wait for one that is gone, by default and with some grace.
const longestCollective = 45 * time.Minute
