package facts

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// efaResource is what pods request Amazon's Elastic Fabric Adapters by.
const efaResource corev1.ResourceName = "vpc.amazonaws.com/efa"

// readAdapters records workloads that look for a fabric adapter in vain, as
// their pods ask for none where their nodes have some. NCCL then goes on over
// plain sockets: nothing fails, and all is slow.
func (w *World) readAdapters() {
	for _, f := range slices.Clone(w.Called("no-fabric-adapter")) {
		if len(w.nodesOf(f.Subject)) < 2 {
			continue // ranks on one node need no fabric
		}
		for _, s := range w.Graph.Pods(f.Subject) {
			p := w.pods[s]
			if p == nil || p.gone || p.Status.Phase != corev1.PodRunning || asksFor(p, efaResource) {
				continue
			}
			n := w.node[p.Spec.NodeName]
			if n == nil {
				continue
			}
			offers := n.Object.Status.Allocatable[efaResource]
			if offers.IsZero() {
				continue
			}
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: f.Subject, Name: "adapter-not-asked-for", At: f.At, Standing: true, Source: p.source,
				Text: fmt.Sprintf("its pods request no %s, and %s has %s: %s", efaResource, n.Object.Name, offers.String(), f.Text)}, Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{s}})
		}
	}
}

// nodesOf returns the nodes that the workload's running pods are on.
func (w *World) nodesOf(top analyzer.Subject) map[string]bool {
	nodes := map[string]bool{}
	for _, s := range w.Graph.Pods(top) {
		if p := w.pods[s]; p != nil && !p.gone && p.Status.Phase == corev1.PodRunning {
			nodes[p.Spec.NodeName] = true
		}
	}
	return nodes
}

func asksFor(p *pod, r corev1.ResourceName) bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.InitContainers, p.Spec.Containers), func(c corev1.Container) bool {
		q := c.Resources.Limits[r]
		return !q.IsZero()
	}) || len(p.Spec.ResourceClaims) > 0 // a claim may be for anything
}
