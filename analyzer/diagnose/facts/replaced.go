package facts

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// jobIndex is the label by which a pod of an indexed Job says whose place it
// takes: https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-completion-index
const jobIndex = "batch.kubernetes.io/job-completion-index"

// replaced pairs the pods of every workload that ended with those that were made
// in their place, each with the first that was made after it and is free: what
// was made besides is more work, and no replacement.
func (w *World) replaced() map[analyzer.Subject]*pod {
	byTop := map[analyzer.Subject][]*pod{}
	for _, p := range w.order {
		if top := w.Workload(p.subject); top != p.subject {
			byTop[top] = append(byTop[top], p)
		}
	}
	out := map[analyzer.Subject]*pod{}
	for _, pods := range byTop {
		slices.SortStableFunc(pods, func(a, b *pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
		for _, dead := range pods {
			if !dead.gone && dead.Status.Phase != corev1.PodFailed || dead.Spec.NodeName == "" || dead.ended().IsZero() {
				continue
			}
			i := slices.IndexFunc(pods, func(p *pod) bool {
				return out[p.subject] == nil && p != dead && p.Labels[jobIndex] == dead.Labels[jobIndex] &&
					!p.CreationTimestamp.Add(skewFar).Before(dead.ended())
			})
			if i >= 0 {
				out[pods[i].subject] = dead
			}
		}
	}
	return out
}

// inPlaceOf returns, for every workload of which all waiting pods replace ones
// that ended, how it waits in words.
func (w *World) inPlaceOf(pending []*Fact) map[analyzer.Subject]string {
	dead := w.replaced()
	count, first := map[analyzer.Subject]int{}, map[analyzer.Subject]*pod{}
	alone := map[analyzer.Subject]bool{}
	for _, f := range pending {
		if !f.Standing {
			continue
		}
		top := w.Workload(f.Subject)
		d := dead[f.Subject]
		if d == nil {
			alone[top] = true
			continue
		}
		if count[top]++; first[top] == nil || d.ended().Before(first[top].ended()) {
			first[top] = d
		}
	}
	out := map[analyzer.Subject]string{}
	for top, n := range count {
		if alone[top] {
			continue
		}
		out[top] = fmt.Sprintf("; all %d of its waiting pods replace ones that ended, %s the first of them", n, first[top].Name)
		if n == 1 {
			out[top] = fmt.Sprintf("; its waiting pod replaces %s, which ended", first[top].Name)
		}
	}
	return out
}
