package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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
		n, gpus := w.place(p)
		if want := p.workload.spec.GPUsPerPod; n == nil && want > 0 && !p.workload.balloon() && w.deflate(want) {
			n, gpus = w.place(p)
		}
		if n != nil {
			p.bind(w, n, gpus)
			continue
		}
		p.tellUnschedulable(w, w.whyNot(p.workload))
	}
}

// place returns the node with most free GPUs, the first of those alike, and as
// many of its GPUs as p asks for. What asks for none is spread over the others.
func (w *World) place(p *pod) (*node, []*gpu) {
	wl := p.workload
	if p.on != nil {
		return p.on, nil
	}
	if beside := w.workload(wl.spec.Beside); beside != nil && len(beside.pods) > 0 {
		n := beside.pods[0].node
		if n == nil || len(n.free()) < wl.spec.GPUsPerPod {
			return nil, nil
		}
		return n, n.free()[:wl.spec.GPUsPerPod]
	}
	if !wl.wantsGPUs() && !wl.balloon() {
		return w.anywhere(p), nil
	}
	want := wl.spec.GPUsPerPod
	if wl.spec.MIG != "" {
		for _, n := range w.nodes {
			if wl.admits(n) && n.pool.MIG == wl.spec.MIG && n.slices() > n.sliced(w) {
				return n, nil
			}
		}
		return nil, nil
	}
	var best *node
	var gpus []*gpu
	for _, n := range w.nodes {
		if !wl.admits(n) {
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

// anywhere returns the node for a pod without GPUs: one without any, by chance.
func (w *World) anywhere(p *pod) *node {
	var plain, others []*node
	for _, n := range w.nodes {
		switch {
		case !p.workload.admits(n):
		case len(n.gpus) == 0:
			plain = append(plain, n)
		default:
			others = append(others, n)
		}
	}
	if len(plain) == 0 {
		plain = others
	}
	if len(plain) == 0 {
		return nil
	}
	h := w.hash("place", p.uid)
	return plain[int(h[0])%len(plain)]
}

// admits reports whether n takes pods of wl, as far as its taints go.
func (wl *workload) admits(n *node) bool {
	if n.cordoned || n.diskPressure || !wl.selects(n) {
		return false
	}
	return !slices.ContainsFunc(n.taints(), func(t corev1.Taint) bool { return !wl.tolerates(t) })
}

// selects reports whether n is of the pool that wl's pods must be in.
func (wl *workload) selects(n *node) bool { return wl.spec.Pool == "" || wl.spec.Pool == n.pool.Name }

func (wl *workload) tolerates(t corev1.Taint) bool {
	if t.Key == "nvidia.com/gpu" {
		return !wl.spec.Intolerant
	}
	return slices.Contains(wl.spec.Tolerates, t.Key)
}

// sliced returns how many of n's slices pods hold.
func (n *node) sliced(w *World) int {
	held := 0
	for _, p := range w.pods {
		if p.node == n && p.workload.spec.MIG != "" && !p.over() {
			held++
		}
	}
	return held
}

// whyNot says why no node can take a pod of spec, as the scheduler does:
// reasons with their counts, sorted as text, then what preemption could do.
func (w *World) whyNot(wl *workload) string {
	spec := wl.spec
	name, want := wl.gpuResource()
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
		case !wl.selects(n):
			counts["node(s) didn't match Pod's node affinity/selector"]++
			hopeless++
		case !wl.admits(n):
			t := n.taints()[slices.IndexFunc(n.taints(), func(t corev1.Taint) bool { return !wl.tolerates(t) })]
			counts[fmt.Sprintf("node(s) had untolerated taint {%s: %s}", t.Key, t.Value)]++
			hopeless++
		default:
			counts["Insufficient "+string(name)]++
			if have := n.resources(n.allocatable(), 1)[name]; have.Value() < int64(want) {
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
