package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// retell is after how long the scheduler's words about a pod that does not fit
// are repeated: it tries again when something changes, and after this at the latest.
const retell = 5 * time.Minute

// schedule gives pods that wait a node each: those of higher priority first,
// then the oldest. Only GPUs are scarce here. As the default scheduler, it
// prefers the node with most to spare.
func (w *World) schedule() {
	var queue []*pod
	for _, p := range w.pods {
		if p.phase == pending && p.node == nil {
			queue = append(queue, p)
		}
	}
	slices.SortStableFunc(queue, func(a, b *pod) int { return cmp.Compare(b.workload.spec.Priority, a.workload.spec.Priority) })
	for _, p := range queue {
		want := p.workload.spec.GPUsPerPod
		n, gpus := w.place(want)
		if n == nil && !p.workload.balloon() && w.deflate(want) {
			n, gpus = w.place(want)
		}
		if n != nil {
			p.bind(w, n, gpus)
			continue
		}
		p.tellUnschedulable(w, w.whyNot(p.workload.spec))
	}
}

// place returns the node with most free GPUs, the first of those alike, and want of its GPUs.
func (w *World) place(want int) (*node, []*gpu) {
	var best *node
	var gpus []*gpu
	for _, n := range w.nodes {
		if n.cordoned || n.diskPressure {
			continue
		}
		if free := n.free(); len(free) >= want && (best == nil || len(free) > len(gpus)) {
			best, gpus = n, free
		}
	}
	if best == nil {
		return nil, nil
	}
	return best, slices.Clip(gpus[:want])
}

// whyNot says why no node can take a pod of spec, as the scheduler does:
// reasons with their counts, sorted as text, then what preemption could do.
func (w *World) whyNot(spec *Workload) string {
	counts := map[string]int{}
	hopeless := 0 // not even an empty node would do
	for _, n := range w.nodes {
		switch {
		case n.cordoned:
			counts["node(s) were unschedulable"]++
			hopeless++
		case n.diskPressure:
			counts["node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"]++
			hopeless++
		default:
			counts["Insufficient nvidia.com/gpu"]++
			if n.allocatable() < spec.GPUsPerPod {
				hopeless++
			}
		}
	}
	all := len(w.nodes)
	var preemption []string
	if hopeless > 0 {
		preemption = append(preemption, fmt.Sprintf("%d Preemption is not helpful for scheduling", hopeless))
	}
	if hopeless < all {
		preemption = append(preemption, fmt.Sprintf("%d No preemption victims found for incoming pod", all-hopeless))
	}
	var reasons []string
	for why, n := range counts {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(reasons)
	slices.Sort(preemption)
	why := fmt.Sprintf("0/%d nodes are available: %s.", all, strings.Join(reasons, ", "))
	if spec.Priority != 0 {
		return why + " preemption: not eligible due to preemptionPolicy=Never."
	}
	return fmt.Sprintf("%s preemption: 0/%d nodes are available: %s.", why, all, strings.Join(preemption, ", "))
}

func (p *pod) tellUnschedulable(w *World, why string) {
	changed := p.unschedulable != why
	if !changed && w.now.Sub(p.toldAt) < retell {
		return
	}
	first := p.unschedulable == ""
	p.unschedulable, p.toldAt = why, w.now
	w.event(p, "Warning", "FailedScheduling", "default-scheduler", "", why)
	if first && w.sc.Cluster.Provider == "eks" {
		w.event(p, "Normal", "NotTriggerScaleUp", "cluster-autoscaler", "", "pod didn't trigger scale-up: 1 max node group size reached")
	}
	if changed {
		w.touch(p)
	}
}
