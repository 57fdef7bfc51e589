package facts

import (
	"time"

	"vedette.dev/analyzer"
)

// HoldersAt returns the pods that held the GPU at t. Where no metric names
// one, a pod that holds as many GPUs as its node has holds this one.
func (w *World) HoldersAt(gpu analyzer.Subject, t time.Time) []analyzer.Subject {
	var pods []analyzer.Subject
	for _, h := range w.Graph.HolderAt(gpu, t) {
		if p := w.pods[h.Pod]; p == nil || !endedBefore(p, t) {
			pods = append(pods, h.Pod)
		}
	}
	if len(pods) > 0 {
		return pods
	}
	node := gpu.Node()
	n := w.node[node]
	if n == nil {
		return nil
	}
	for _, p := range w.placed[node] {
		if want := gpuRequest(p); want > 0 && want >= gpus(n.Object.Status.Capacity) && !endedBefore(p, t) {
			pods = append(pods, p.subject)
		}
	}
	return pods
}

// endedBefore reports whether every container of p had ended well before t.
func endedBefore(p *pod, t time.Time) bool {
	if len(p.Status.ContainerStatuses) == 0 || t.IsZero() {
		return false
	}
	for _, cs := range p.Status.ContainerStatuses {
		if e := cs.State.Terminated; e == nil || !e.FinishedAt.Add(skewFar).Before(t) {
			return false
		}
	}
	return true
}

// skewFar is how far apart the clocks of two nodes may be. Kubelets write whole seconds.
const skewFar = 5 * time.Second

// Mounts returns the claims that the pod mounts.
func (w *World) Mounts(pod analyzer.Subject) []analyzer.Subject {
	p := w.pods[pod]
	if p == nil {
		return nil
	}
	var claims []analyzer.Subject
	for _, v := range p.Spec.Volumes {
		if c := v.PersistentVolumeClaim; c != nil {
			claims = append(claims, analyzer.Subject{Kind: "pvc", Namespace: p.Namespace, Name: c.ClaimName})
		}
	}
	return claims
}
