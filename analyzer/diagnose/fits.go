package diagnose

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"vedette.dev/analyzer"
)

// A blocker is a predicate of the scheduler that keeps a pod off a node. A
// resource that is short is a blocker under its own name.
type blocker string

const (
	notReady     blocker = "not-ready"
	cordoned     blocker = "cordoned"
	tainted      blocker = "taint"
	unselected   blocker = "selector"
	unaffine     blocker = "affinity"
	antiAffine   blocker = "anti-affinity"
	controlPlane         = "node-role.kubernetes.io/control-plane"
	oldMaster            = "node-role.kubernetes.io/master"
)

// A fit is what keeps one pod off one node.
type fit struct {
	node    corev1.Node
	source  string
	blocked []blocker
	free    map[corev1.ResourceName]resource.Quantity // of what the pod requests
	taint   corev1.Taint                              // the first one that is not tolerated
}

func (f fit) by(b blocker) bool { return slices.Contains(f.blocked, b) }

// only reports whether b alone keeps the pod off the node.
func (f fit) only(b blocker) bool { return len(f.blocked) == 1 && f.blocked[0] == b }

// fits runs the scheduler's predicates for p on every node. It knows those
// that a snapshot can decide: readiness, cordons, taints, selectors, affinity,
// anti-affinity and resources.
func (w *world) fits(p *pod, used map[string]corev1.ResourceList) []fit {
	var all []fit
	wants := requests(&p.Pod)
	for _, n := range w.nodes {
		f := fit{node: n.Object, source: n.Source, free: map[corev1.ResourceName]resource.Quantity{}}
		f.blocked = w.gates(p, n.Object, &f)
		for _, r := range sortedResources(wants) {
			free := n.Object.Status.Allocatable[r].DeepCopy()
			free.Sub(used[n.Object.Name][r])
			f.free[r] = free
			if want := wants[r]; free.Cmp(want) < 0 {
				f.blocked = append(f.blocked, blocker(r))
			}
		}
		all = append(all, f)
	}
	return all
}

// gates returns the predicates other than resources that n fails.
func (w *world) gates(p *pod, n corev1.Node, f *fit) []blocker {
	var bs []blocker
	if !nodeReady(n) {
		bs = append(bs, notReady)
	}
	if n.Spec.Unschedulable {
		bs = append(bs, cordoned)
	}
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule || stateTaint(t.Key) || tolerated(t, p.Spec.Tolerations) {
			continue
		}
		f.taint = t
		bs = append(bs, tainted)
		break
	}
	for k, v := range p.Spec.NodeSelector {
		if n.Labels[k] != v {
			bs = append(bs, unselected)
			break
		}
	}
	if !affine(p, n) {
		bs = append(bs, unaffine)
	}
	if w.repelled(p, n) {
		bs = append(bs, antiAffine)
	}
	return bs
}

func nodeReady(n corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return true // it was not captured
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
func affine(p *pod, n corev1.Node) bool {
	a := p.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		fields := !slices.ContainsFunc(term.MatchFields, func(e corev1.NodeSelectorRequirement) bool {
			return !matches(e, map[string]string{"metadata.name": n.Name})
		})
		if fields && !slices.ContainsFunc(term.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return !matches(e, n.Labels) }) {
			return true
		}
	}
	return false
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

// repelled reports whether the required anti-affinity of p meets a pod in n's domain.
func (w *world) repelled(p *pod, n corev1.Node) bool {
	if p.Spec.Affinity == nil || p.Spec.Affinity.PodAntiAffinity == nil {
		return false
	}
	for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		sel, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
		if err != nil || term.LabelSelector == nil {
			continue
		}
		for _, o := range w.order {
			if o.gone || o.subject == p.subject || o.Spec.NodeName == "" || over(o) || !inNamespace(term, p, o) || !sel.Matches(labels.Set(o.Labels)) {
				continue
			}
			if o.Spec.NodeName == n.Name || w.sameDomain(o.Spec.NodeName, n, term.TopologyKey) {
				return true
			}
		}
	}
	return false
}

func inNamespace(t corev1.PodAffinityTerm, p, o *pod) bool {
	if len(t.Namespaces) > 0 {
		return slices.Contains(t.Namespaces, o.Namespace)
	}
	return o.Namespace == p.Namespace
}

func (w *world) sameDomain(name string, n corev1.Node, key string) bool {
	for _, o := range w.nodes {
		if o.Object.Name == name {
			v, ok := o.Object.Labels[key]
			return ok && v == n.Labels[key]
		}
	}
	return false
}

// over reports whether the pod has ended and holds nothing any more.
func over(p *pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// requests sums what the containers of p request: the larger of what its
// containers want together and what one init container wants, and one pod.
func requests(p *corev1.Pod) corev1.ResourceList {
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

// gpuRequest returns how many whole GPUs the pod asks for.
func gpuRequest(p *pod) int64 {
	r := requests(&p.Pod)
	return gpus(r)
}

// used sums the requests of the pods on each node.
func (w *world) used() map[string]corev1.ResourceList {
	used := map[string]corev1.ResourceList{}
	for _, p := range w.order {
		n := p.Spec.NodeName
		if n == "" || p.gone || over(p) {
			continue
		}
		if used[n] == nil {
			used[n] = corev1.ResourceList{}
		}
		for r, q := range requests(&p.Pod) {
			have := used[n][r]
			have.Add(q)
			used[n][r] = have
		}
	}
	return used
}

func sortedResources(r corev1.ResourceList) []corev1.ResourceName {
	var names []corev1.ResourceName
	for n := range r {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// idle returns how many GPUs the pod holds without having used them for as
// long as idleFor, and whether all that it holds are so.
func (w *world) idle(p *pod) (int, bool) {
	held := w.g.Held(p.subject)
	n := 0
	for _, gpu := range held {
		if w.unused(gpu) {
			n++
		}
	}
	return n, n > 0 && n == len(held)
}

// unused reports whether the engines of a GPU stood still for idleFor up to now.
func (w *world) unused(gpu analyzer.Subject) bool {
	long := false
	for _, name := range []string{string(gpuUtil), string(grActive)} {
		for _, m := range w.s.Series(name) {
			if g, ok := w.gpuOf(m); !ok || g != gpu {
				continue
			}
			if !w.fresh(m) {
				return false
			}
			for _, p := range m.Samples {
				if w.now.Sub(p.At) <= idleFor && p.Value >= busy[name] {
					return false
				}
			}
			long = long || w.now.Sub(m.Samples[0].At) >= idleFor
		}
	}
	return long
}
