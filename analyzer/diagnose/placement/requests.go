package placement

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Over reports whether the pod has ended and holds nothing any more.
func Over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// Requests sums what the containers of p request: the larger of what its
// containers want together and what one init container wants, and one pod.
func Requests(p *corev1.Pod) corev1.ResourceList {
	sum := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(1, resource.DecimalSI)}
	add := func(c corev1.Container) {
		for r, q := range c.Resources.Requests {
			have := sum[r]
			have.Add(q)
			sum[r] = have
		}
		for r, q := range c.Resources.Limits { // an extended resource may be given as a limit alone
			if _, ok := c.Resources.Requests[r]; !ok && strings.Contains(string(r), "/") {
				have := sum[r]
				have.Add(q)
				sum[r] = have
			}
		}
	}
	for _, c := range p.Spec.Containers {
		add(c)
	}
	for _, c := range p.Spec.InitContainers {
		for r, q := range c.Resources.Requests {
			if have := sum[r]; q.Cmp(have) > 0 {
				sum[r] = q
			}
		}
	}
	for r, q := range p.Spec.Overhead {
		have := sum[r]
		have.Add(q)
		sum[r] = have
	}
	return sum
}

// Device reports whether r is an extended resource, such as nvidia.com/gpu.
func Device(r corev1.ResourceName) bool {
	return strings.Contains(string(r), "/") && !strings.HasPrefix(string(r), "kubernetes.io/")
}

// used sums the requests of the pods on each node.
func used(pods []*corev1.Pod) map[string]corev1.ResourceList {
	used := map[string]corev1.ResourceList{}
	for _, p := range pods {
		n := p.Spec.NodeName
		if n == "" || Over(p) {
			continue
		}
		if used[n] == nil {
			used[n] = corev1.ResourceList{}
		}
		for r, q := range Requests(p) {
			have := used[n][r]
			have.Add(q)
			used[n][r] = have
		}
	}
	return used
}

func sorted(r corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(r)) }
