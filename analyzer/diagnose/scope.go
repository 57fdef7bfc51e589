package diagnose

import (
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
)

// A scope is what a question is about.
type scope struct {
	focus analyzer.Subject
	tops  []analyzer.Subject // the workloads that the focus is, or that stand behind it
	near  []analyzer.Subject // what it rests on, once nothing was wrong with itself
}

// everywhere reports whether the question is about the whole cluster.
func (s scope) everywhere() bool { return s.focus.IsZero() || s.focus.Kind == "cluster" }

// wanted returns the facts that want explaining: those that hurt, still stand
// and are about the focus. Where nothing is wrong with the focus itself, what it
// rests on is looked at: whom it calls, the nodes that it is on, the cluster.
func (j *judge) wanted(focus analyzer.Subject) []*facts.Fact {
	j.scope = scope{focus: focus}
	if !j.scope.everywhere() {
		j.scope.tops = j.Behind(focus)
	}
	all := j.complaints()
	if len(all) > 0 || j.scope.everywhere() {
		return all
	}
	j.scope.near = append(j.RestsOn(focus, j.scope.tops), analyzer.Cluster(j.s.Cluster.Name))
	return j.complaints()
}

func (j *judge) complaints() []*facts.Fact {
	var all []*facts.Fact
	for _, f := range j.Facts {
		if f.Weight > 0 && f.Standing && j.about(f) {
			all = append(all, f)
		}
	}
	return all
}

// about reports whether f is a fact about the focus, or was seen there.
func (j *judge) about(f *facts.Fact) bool {
	return j.scope.everywhere() || j.covers(f.Subject, f.At) || slices.ContainsFunc(f.Seen, func(s analyzer.Subject) bool { return j.covers(s, f.At) })
}

// covers reports whether s is the focus, a part of it, or, for a workload and
// its pods, one of them, a GPU that they hold, or what stands before them.
func (j *judge) covers(s analyzer.Subject, at time.Time) bool {
	focus := j.scope.focus
	if s == focus || slices.Contains(j.scope.near, s) {
		return true
	}
	switch focus.Kind {
	case "namespace":
		return s.Namespace == focus.Name
	case "node":
		if s.Kind == "gpu" {
			return s.Node() == focus.Name
		}
	case "gpu":
		return false
	}
	if s.Kind == "gpu" {
		for _, h := range j.Graph.HolderAt(s, at) {
			if top := j.Workload(h.Pod); slices.Contains(j.scope.tops, top) || slices.Contains(j.scope.near, top) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(j.Behind(s), func(top analyzer.Subject) bool {
		return slices.Contains(j.scope.tops, top) || slices.Contains(j.scope.near, top)
	})
}
