package facts

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// Behind returns the workloads that a subject is or stands for: those of the
// pods that a Service selects, that mount a claim, that an autoscaler sizes.
func (w *World) Behind(s analyzer.Subject) []analyzer.Subject {
	if all, ok := w.behind[s]; ok {
		return all
	}
	var all []analyzer.Subject
	add := func(tops ...analyzer.Subject) {
		for _, t := range tops {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	switch s.Kind {
	case "node", "gpu", "namespace", "cluster":
	case "service":
		for _, x := range w.services[s.Namespace] {
			if x.Object.Name == s.Name && len(x.Object.Spec.Selector) > 0 {
				add(w.workloads(w.selected(x.Object))...)
			}
		}
		if top, ok := w.workloadBehind(s); ok {
			add(top)
		}
		for top := range w.controllers { // sorted below
			if top.Namespace == s.Namespace && top.Name == s.Name {
				add(top)
			}
		}
		slices.SortFunc(all, topology.Compare)
	case "pvc", "persistentvolumeclaim":
		for _, p := range w.namespaces[s.Namespace] {
			if slices.Contains(w.Mounts(p.subject), analyzer.Subject{Kind: "pvc", Namespace: s.Namespace, Name: s.Name}) {
				add(w.Workload(p.subject))
			}
		}
	case "horizontalpodautoscaler":
		for _, h := range w.s.Autoscalers() {
			if h.Object.Namespace == s.Namespace && h.Object.Name == s.Name {
				add(scaled(h))
			}
		}
	case "poddisruptionbudget":
		for _, b := range w.s.Budgets() {
			if b.Object.Namespace == s.Namespace && b.Object.Name == s.Name {
				add(w.workloads(w.matching(s.Namespace, b.Object.Spec.Selector))...)
			}
		}
	case "ingress":
		for _, g := range w.s.Ingresses() {
			if g.Object.Namespace != s.Namespace || g.Object.Name != s.Name {
				continue
			}
			for _, b := range backends(g.Object) {
				if b.Service != nil {
					add(w.Behind(analyzer.Subject{Kind: "service", Namespace: s.Namespace, Name: b.Service.Name})...)
				}
			}
		}
	default:
		add(w.Workload(s))
	}
	w.behind[s] = all
	return all
}

// RestsOn returns what the workloads of a focus need: the Services that they
// call with what is behind them, the nodes that their pods are on, their
// namespace. A node rests on nothing: what its pods suffer from elsewhere is no
// fault of it.
func (w *World) RestsOn(focus analyzer.Subject, tops []analyzer.Subject) []analyzer.Subject {
	var all []analyzer.Subject
	if focus.Kind == "node" {
		return nil
	}
	if focus.Kind == "gpu" {
		return []analyzer.Subject{analyzer.Node(focus.Node())}
	}
	callees := slices.Clone(w.Graph.Callees(focus))
	for _, top := range tops {
		callees = append(callees, w.Graph.Callees(top)...)
		callees = append(callees, w.Graph.Callees(analyzer.Subject{Kind: "service", Namespace: top.Namespace, Name: top.Name})...)
		for _, f := range w.named["call-failing"] {
			if f.Subject == top {
				callees = append(callees, f.Seen...)
			}
		}
		for _, p := range w.Graph.Pods(top) {
			if n := w.NodeOf(p); n != "" {
				all = append(all, analyzer.Node(n))
			}
		}
	}
	for _, c := range callees {
		all = append(append(all, c), w.Behind(c)...)
	}
	if focus.Namespace != "" {
		all = append(all, analyzer.Subject{Kind: "namespace", Name: focus.Namespace})
	}
	return all
}

// workloads returns the workloads of pods that are there, each once.
func (w *World) workloads(pods []*pod) []analyzer.Subject {
	var all []analyzer.Subject
	for _, p := range pods {
		if top := w.Workload(p.subject); !p.gone && !slices.Contains(all, top) {
			all = append(all, top)
		}
	}
	return all
}

// matching returns the pods of a namespace that a selector matches; none for a
// selector that is not there or does not parse.
func (w *World) matching(namespace string, selector *metav1.LabelSelector) []*pod {
	sel, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || selector == nil {
		return nil
	}
	var all []*pod
	for _, p := range w.namespaces[namespace] {
		if !p.gone && sel.Matches(labels.Set(p.Labels)) {
			all = append(all, p)
		}
	}
	return all
}

// backends lists what an Ingress sends to.
func backends(g networkingv1.Ingress) []networkingv1.IngressBackend {
	var all []networkingv1.IngressBackend
	if d := g.Spec.DefaultBackend; d != nil {
		all = append(all, *d)
	}
	for _, r := range g.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for _, p := range r.HTTP.Paths {
			all = append(all, p.Backend)
		}
	}
	return all
}

// serviceNamed returns the Service of that name, where the snapshot has it.
func (w *World) serviceNamed(namespace, name string) (snapshot.Typed[corev1.Service], bool) {
	for _, s := range w.services[namespace] {
		if s.Object.Name == name {
			return s, true
		}
	}
	return snapshot.Typed[corev1.Service]{}, false
}
