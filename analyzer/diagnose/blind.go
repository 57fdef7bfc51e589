package diagnose

import (
	"fmt"
	"slices"

	"vedette.dev/analyzer/diagnose/facts"
)

// unseenAtMost is how sure a cause is at most where the objects that would
// speak against it were not captured: it is likelier than not, and no more.
const unseenAtMost = 0.6

// blind reports whether the snapshot could not show that something is wrong:
// of a cluster's objects the pods are missing, or there is nothing at all. One
// that is only metrics or alerts is what it is asked about.
func (j *judge) blind() bool {
	if j.s.Captured("pods") {
		return false
	}
	return len(j.s.Objects) > 0 || len(j.s.Metrics)+len(j.s.Alerts)+len(j.s.Kernel) == 0
}

// doubtUnseen lowers the confidence of causes beside which others could not
// be seen: why a pod is not placed without the nodes, anything without the pods.
func (j *judge) doubtUnseen(chosen []*candidate) {
	pods, nodes := j.s.Captured("pods"), j.s.Captured("nodes")
	for _, c := range chosen {
		switch {
		case len(j.s.Objects) == 0: // nobody looked for objects
		case !pods:
			c.unseen = "pods"
		case !nodes && slices.ContainsFunc(c.covers, func(f *facts.Fact) bool { return f.Subject.Kind == "pod" && j.Graph.NodeOf(f.Subject) == "" }):
			c.unseen = "nodes"
		}
		if c.unseen != "" {
			c.confidence = min(c.confidence, unseenAtMost)
		}
	}
}

// blindSpots lists what the snapshot does not hold and would have helped.
func (j *judge) blindSpots(wanted []*facts.Fact) []string {
	all := slices.Concat(j.s.Unseen, j.s.Problems(), j.Unseen)
	for _, r := range []string{"pods", "nodes"} {
		if !j.s.Captured(r) {
			all = append(all, r+": not captured")
		}
	}
	seen := map[string]bool{}
	for _, f := range wanted {
		if f.Subject.Kind == "pod" && (f.Name == "container-failed" || f.Name == "container-killed") && !j.Logged(f.Subject) {
			all = append(all, fmt.Sprintf("logs of %s: not captured", f.Subject))
		}
		node := j.Graph.NodeOf(f.Subject)
		if node == "" || seen[node] {
			continue
		}
		seen[node] = true
		if _, ok := j.s.Kernel[node]; !ok {
			all = append(all, fmt.Sprintf("kernel log of node/%s: not captured", node))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
