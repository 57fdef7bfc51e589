package placement

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// hostPorts lists the ports of the node that the pod wants for itself.
func hostPorts(p *corev1.Pod) []string {
	var all []string
	for _, c := range p.Spec.Containers {
		for _, x := range c.Ports {
			port := x.HostPort
			if p.Spec.HostNetwork && port == 0 {
				port = x.ContainerPort
			}
			if port != 0 {
				protocol := x.Protocol
				if protocol == "" {
					protocol = corev1.ProtocolTCP
				}
				all = append(all, fmt.Sprintf("%d/%s", port, protocol))
			}
		}
	}
	slices.Sort(all)
	return all
}

// taken returns the nodes on which one of the ports is in use.
func (c *Cluster) taken(ports []string) map[string]bool {
	all := map[string]bool{}
	if len(ports) == 0 {
		return all
	}
	for _, o := range c.pods {
		if o.Spec.NodeName != "" && !Over(o) && slices.ContainsFunc(hostPorts(o), func(x string) bool { return slices.Contains(ports, x) }) {
			all[o.Spec.NodeName] = true
		}
	}
	return all
}

// A spread is a constraint that pods be spread evenly, counted out.
type spread struct {
	key    string
	counts map[string]int // pods by domain
	least  int
	self   int // 1 where the pod counts itself
	skew   int
}

func (s spread) exceededOn(n *corev1.Node) bool {
	domain, ok := n.Labels[s.key]
	return !ok || s.counts[domain]+s.self-s.least > s.skew
}

// spreads counts the pods that each hard spread constraint of p is about. As
// the scheduler does by default, it leaves out nodes that p's selector and
// affinity exclude, and not those with taints.
func (c *Cluster) spreads(p *corev1.Pod) []spread {
	var all []spread
	for _, t := range p.Spec.TopologySpreadConstraints {
		sel, err := metav1.LabelSelectorAsSelector(t.LabelSelector)
		if t.WhenUnsatisfiable != corev1.DoNotSchedule || err != nil {
			continue
		}
		s := spread{key: t.TopologyKey, counts: map[string]int{}, skew: int(t.MaxSkew)}
		if sel.Matches(labels.Set(p.Labels)) {
			s.self = 1
		}
		honoursTaints := t.NodeTaintsPolicy != nil && *t.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
		counted := map[string]bool{}
		for _, n := range c.nodes {
			if domain, ok := n.Labels[t.TopologyKey]; ok && c.eligible(p, n, honoursTaints) {
				s.counts[domain] += 0
				counted[n.Name] = true
			}
		}
		for _, o := range c.pods {
			if counted[o.Spec.NodeName] && !Over(o) && o.DeletionTimestamp == nil && o.Namespace == p.Namespace && sel.Matches(labels.Set(o.Labels)) {
				s.counts[c.byName[o.Spec.NodeName].Labels[t.TopologyKey]]++
			}
		}
		s.least = -1
		for _, n := range s.counts {
			if s.least < 0 || n < s.least {
				s.least = n
			}
		}
		if t.MinDomains != nil && len(s.counts) < int(*t.MinDomains) {
			s.least = 0
		}
		all = append(all, s)
	}
	return all
}

// eligible reports whether p's selector and affinity, and its tolerations where they count, allow n.
func (c *Cluster) eligible(p *corev1.Pod, n *corev1.Node, honoursTaints bool) bool {
	for k, v := range p.Spec.NodeSelector {
		if n.Labels[k] != v {
			return false
		}
	}
	if honoursTaints && slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerated(t, p.Spec.Tolerations)
	}) {
		return false
	}
	return affine(p, n)
}

// reaches reports whether the volume can be used on n.
func reaches(v *corev1.PersistentVolume, n *corev1.Node) bool {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return true
	}
	return slices.ContainsFunc(v.Spec.NodeAffinity.Required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool { return satisfies(n, t) })
}
