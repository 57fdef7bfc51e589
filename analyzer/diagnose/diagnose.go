// Package diagnose goes from what a cluster looked like to why it broke. It
// reads facts with their true onset out of a snapshot, joins them into a graph
// of what brings about what, and reports the fewest causes that explain the
// symptoms, every claim with its source. What facts there are, what follows
// from them and which cause they point to is data, knowledge.yaml; how facts
// are read and how two subjects must hang together is Go.
//
// What a reader would get wrong: a fact is not a complaint. Only facts with a
// weight that still stand want explaining; without one the verdict is healthy,
// however strange the rest looks.
package diagnose

import (
	"cmp"
	"fmt"
	"slices"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// maxDiagnoses bounds a report, which is read by people.
const maxDiagnoses = 10

// maxListed bounds the rejected causes and the lists of evidence of a report.
const maxListed = 20

// Diagnose says what would explain what is wrong in s. A zero focus asks about
// the whole cluster; otherwise only what is wrong with the focus counts (see
// [topology.Resolve] for how to find it). The clock is s.CapturedAt, and the same
// snapshot gives the same report.
func Diagnose(s *snapshot.Snapshot, focus analyzer.Subject) analyzer.Report {
	w := look(s)
	r := analyzer.Report{
		APIVersion: "vedette.dev/v1", Kind: "DiagnosisReport", CapturedAt: s.CapturedAt.UTC(),
		Diagnoses: []analyzer.Diagnosis{}, Rejected: []analyzer.Rejected{}, Unseen: []string{},
	}
	if !focus.IsZero() {
		r.Focus = &focus
		if !w.g.Knows(focus) && !w.mentions(focus) {
			w.unseen = append(w.unseen, fmt.Sprintf("%s: not in the snapshot", focus))
		}
	}
	wanted := w.wanted(focus)
	chosen, rejected := w.explain(wanted, focus)
	slices.SortStableFunc(chosen, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.confidence, a.confidence), topology.Compare(a.subject, b.subject), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range chosen[:min(len(chosen), maxDiagnoses)] {
		r.Diagnoses = append(r.Diagnoses, w.report(c))
	}
	r.Rejected = append(r.Rejected, w.rejections(rejected, r.Diagnoses, focus)...)
	r.Unseen = append(r.Unseen, w.blindSpots(wanted)...)
	r.Verdict = verdict(wanted, r.Diagnoses)
	return r
}

// sure is the confidence from which a cause counts as found.
const sure = 0.5

func verdict(wanted []*fact, ds []analyzer.Diagnosis) analyzer.Verdict {
	if len(wanted) == 0 {
		return analyzer.Healthy
	}
	if len(ds) > 0 && ds[0].Confidence >= sure {
		return analyzer.Diagnosed
	}
	return analyzer.Inconclusive
}

// wanted returns the facts that want explaining: those that hurt, still stand
// and are about the focus.
func (w *world) wanted(focus analyzer.Subject) []*fact {
	var all []*fact
	for _, f := range w.facts {
		if f.weight > 0 && f.Standing && w.about(f, focus) {
			all = append(all, f)
		}
	}
	return all
}

// about reports whether f is a fact about the focus: the focus itself, what is
// part of it, or, for a workload and its pods, each other and the GPUs they hold.
func (w *world) about(f *fact, focus analyzer.Subject) bool {
	if focus.IsZero() || focus.Kind == "cluster" || f.Subject == focus {
		return true
	}
	switch focus.Kind {
	case "namespace":
		return f.Subject.Namespace == focus.Name
	case "node":
		return f.Subject.Kind == "gpu" && f.Subject.Node() == focus.Name
	case "gpu":
		return false
	}
	if f.Subject.Kind == "gpu" {
		for _, h := range w.g.HolderAt(f.Subject, f.At) {
			if w.workload(h.Pod) == w.workload(focus) {
				return true
			}
		}
		return false
	}
	return f.Subject.Namespace == focus.Namespace && w.workload(f.Subject) == w.workload(focus)
}

// blindSpots lists what the snapshot does not hold and would have helped.
func (w *world) blindSpots(wanted []*fact) []string {
	all := slices.Concat(w.s.Unseen, w.s.Problems(), w.unseen)
	for _, r := range []string{"pods", "nodes"} {
		if !w.s.Captured(r) {
			all = append(all, r+": not captured")
		}
	}
	seen := map[string]bool{}
	for _, f := range wanted {
		if f.Subject.Kind == "pod" && (f.Name == "container-failed" || f.Name == "container-killed") && !w.logged[f.Subject] {
			all = append(all, fmt.Sprintf("logs of %s: not captured", f.Subject))
		}
		node := w.g.NodeOf(f.Subject)
		if node == "" || seen[node] {
			continue
		}
		seen[node] = true
		if _, ok := w.s.Kernel[node]; !ok {
			all = append(all, fmt.Sprintf("kernel log of node/%s: not captured", node))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
