// Package diagnose goes from what a cluster looked like to why it broke. It
// joins the facts of a snapshot into a graph of what brings about what, and
// reports the fewest causes that explain the symptoms, every claim with its
// source. What follows from a fact and which cause it points to is data,
// knowledge.yaml; how two subjects must hang together is Go.
//
//	snapshot ─► topology ─► facts ─► diagnose ─► analyzer.Report ─► account
//	                          │          │
//	                          │          └─► knowledge   links and causes
//	                          ├─► knowledge ─► patterns  texts, and the one scan for all of them
//	                          ├─► placement              what keeps a pod off each node
//	                          └─► ranking                which service is to blame for what is slow
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
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/snapshot"
)

// maxDiagnoses bounds a report, which is read by people.
const maxDiagnoses = 10

// maxListed bounds the rejected causes and the lists of evidence of a report.
const maxListed = 20

// Diagnose says what would explain what is wrong in s. A zero focus asks about
// the whole cluster; otherwise only what is wrong with the focus counts (see
// [topology.Resolve] for how to find it); one that is gone is taken as it last
// was. The clock is s.CapturedAt, and the same snapshot gives the same report.
func Diagnose(s *snapshot.Snapshot, focus analyzer.Subject) analyzer.Report {
	s = s.Recall(focus)
	j := &judge{World: facts.Read(s), s: s}
	r := analyzer.Report{
		APIVersion: "vedette.dev/v1", Kind: "DiagnosisReport", CapturedAt: s.CapturedAt.UTC(),
		Diagnoses: []analyzer.Diagnosis{}, Rejected: []analyzer.Rejected{}, Unseen: []string{},
	}
	if !focus.IsZero() {
		r.Focus = &focus
		if !j.Graph.Knows(focus) && !j.Mentions(focus) {
			j.Unseen = append(j.Unseen, fmt.Sprintf("%s: not in the snapshot", focus))
		}
	}
	wanted := j.wanted(focus)
	chosen, rejected := j.explain(wanted)
	slices.SortStableFunc(chosen, func(a, b *candidate) int { return cmp.Compare(b.confidence, a.confidence) }) // of the equally sure the one that explains more
	j.doubtCompany(chosen)
	j.doubtUnseen(chosen)
	for _, c := range chosen[:min(len(chosen), maxDiagnoses)] {
		r.Diagnoses = append(r.Diagnoses, j.report(c))
	}
	r.Rejected = append(r.Rejected, j.rejections(rejected, r.Diagnoses)...)
	r.Unseen = append(r.Unseen, j.blindSpots(wanted)...)
	r.Verdict = j.verdict(wanted, r.Diagnoses)
	return r
}

// A judge explains the facts of a world.
type judge struct {
	*facts.World
	s     *snapshot.Snapshot
	scope scope
}

// sure is the confidence from which a cause counts as found.
const sure = 0.5

func (j *judge) verdict(wanted []*facts.Fact, ds []analyzer.Diagnosis) analyzer.Verdict {
	switch {
	case len(wanted) == 0 && j.blind():
		return analyzer.Inconclusive
	case len(wanted) == 0:
		return analyzer.Healthy
	}
	if len(ds) > 0 && ds[0].Confidence >= sure {
		return analyzer.Diagnosed
	}
	return analyzer.Inconclusive
}
