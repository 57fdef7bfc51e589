package diagnose

import (
	"math"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
)

// doubtCompany lowers the confidence of different causes that were chosen for
// the same place: two faults rarely come to one place at a time, so as a rule
// one follows from the other in a way that nobody wrote down. The order of the
// chosen remains, so none is surer than one before it.
func (j *judge) doubtCompany(chosen []*candidate) {
	at := map[analyzer.Subject][]*candidate{}
	for _, c := range chosen {
		for _, s := range j.places(c) {
			at[s] = append(at[s], c)
		}
	}
	for i, c := range chosen {
		if c.beside = other(c, at, j.places(c)); c.beside != nil {
			c.confidence = math.Round(100*c.confidence*company) / 100
		}
		if i > 0 {
			c.confidence = min(c.confidence, chosen[i-1].confidence)
		}
	}
}

// other returns the first of those at the places that names another cause.
func other(c *candidate, at map[analyzer.Subject][]*candidate, places []analyzer.Subject) *candidate {
	for _, s := range places {
		for _, o := range at[s] {
			if o.ID != c.ID {
				return o
			}
		}
	}
	return nil
}

// places returns what a cause touches: the workloads that it hurts and the
// nodes that those are on. A DaemonSet is everywhere, which is no place.
func (j *judge) places(c *candidate) []analyzer.Subject {
	var all []analyzer.Subject
	seen := map[analyzer.Subject]bool{}
	add := func(s analyzer.Subject) {
		if s.Name != "" && !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	hurt := append([]*facts.Fact{{Fact: analyzer.Fact{Subject: c.subject}}}, c.covers...)
	for _, f := range hurt {
		add(analyzer.Node(j.NodeOf(f.Subject)))
		top := j.Workload(f.Subject)
		switch top.Kind {
		case "cluster", "namespace", "daemonset":
			continue
		}
		add(top)
		for _, p := range j.Graph.Pods(top) {
			add(analyzer.Node(j.NodeOf(p)))
		}
	}
	return all
}
