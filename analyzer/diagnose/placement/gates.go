package placement

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// gates returns the predicates other than resources that n fails, and the
// first taint that p does not tolerate.
func gates(p *corev1.Pod, n *corev1.Node, repels []repulsion) (bs []Blocker, taint corev1.Taint) {
	if !Ready(n) {
		bs = append(bs, NotReady)
	}
	if n.Spec.Unschedulable {
		bs = append(bs, Cordoned)
	}
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule || stateTaint(t.Key) || tolerated(t, p.Spec.Tolerations) {
			continue
		}
		taint = t
		bs = append(bs, Tainted)
		break
	}
	for k, v := range p.Spec.NodeSelector {
		if n.Labels[k] != v {
			bs = append(bs, Unselected)
			break
		}
	}
	if !affine(p, n) {
		bs = append(bs, Unaffine)
	}
	if slices.ContainsFunc(repels, func(r repulsion) bool { return r.from(n) }) {
		bs = append(bs, AntiAffine)
	}
	return bs, taint
}

// Ready reports whether the node says that it is, or nothing was captured of that.
func Ready(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return true
}

// stateTaint reports whether the control plane sets the taint for a state that
// another predicate tells of.
func stateTaint(key string) bool {
	return key == corev1.TaintNodeUnschedulable || key == corev1.TaintNodeNotReady || key == corev1.TaintNodeUnreachable
}

func tolerated(t corev1.Taint, ts []corev1.Toleration) bool {
	return slices.ContainsFunc(ts, func(x corev1.Toleration) bool {
		if x.Effect != "" && x.Effect != t.Effect {
			return false
		}
		if x.Key == "" {
			return x.Operator == corev1.TolerationOpExists
		}
		return x.Key == t.Key && (x.Operator == corev1.TolerationOpExists || x.Value == t.Value)
	})
}

// affine reports whether n satisfies the required node affinity of p.
func affine(p *corev1.Pod, n *corev1.Node) bool {
	a := p.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool { return satisfies(n, t) })
}

func satisfies(n *corev1.Node, term corev1.NodeSelectorTerm) bool {
	return !slices.ContainsFunc(term.MatchFields, func(e corev1.NodeSelectorRequirement) bool {
		return !matches(e, map[string]string{"metadata.name": n.Name})
	}) && !slices.ContainsFunc(term.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return !matches(e, n.Labels) })
}

func matches(e corev1.NodeSelectorRequirement, have map[string]string) bool {
	v, ok := have[e.Key]
	number := func(s string) int64 { q, err := resource.ParseQuantity(s); return valueOr(q, err) }
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(e.Values, v)
	case corev1.NodeSelectorOpNotIn:
		return !slices.Contains(e.Values, v)
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	case corev1.NodeSelectorOpGt:
		return ok && len(e.Values) == 1 && number(v) > number(e.Values[0])
	case corev1.NodeSelectorOpLt:
		return ok && len(e.Values) == 1 && number(v) < number(e.Values[0])
	}
	return true // an operator that came later
}

func valueOr(q resource.Quantity, err error) int64 {
	if err != nil {
		return 0
	}
	return q.Value()
}

// A repulsion is where pods are that a term of anti-affinity keeps away from.
type repulsion struct {
	key     string
	own     bool // the pod itself is one of those
	nodes   map[string]bool
	domains map[string]bool // values of the key
}

func (r repulsion) from(n *corev1.Node) bool { return r.nodes[n.Name] || r.domains[n.Labels[r.key]] }

// repulsions finds the pods that the required anti-affinity of p is about.
func (c *Cluster) repulsions(p *corev1.Pod) []repulsion {
	if p.Spec.Affinity == nil || p.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	var all []repulsion
	for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		sel, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err != nil || term.LabelSelector == nil {
			continue
		}
		own := inNamespace(term, p, p) && sel.Matches(labels.Set(p.Labels))
		r := repulsion{term.TopologyKey, own, map[string]bool{}, map[string]bool{}}
		for _, o := range c.pods {
			if o.Spec.NodeName == "" || Over(o) || !inNamespace(term, p, o) || !sel.Matches(labels.Set(o.Labels)) {
				continue
			}
			r.nodes[o.Spec.NodeName] = true
			if n := c.byName[o.Spec.NodeName]; n != nil {
				if v, ok := n.Labels[r.key]; ok {
					r.domains[v] = true
				}
			}
		}
		all = append(all, r)
	}
	return all
}

func inNamespace(t corev1.PodAffinityTerm, p, o *corev1.Pod) bool {
	if len(t.Namespaces) > 0 {
		return slices.Contains(t.Namespaces, o.Namespace)
	}
	return o.Namespace == p.Namespace
}
