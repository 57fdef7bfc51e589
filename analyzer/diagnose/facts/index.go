package facts

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// index finds for each reader what it asks for, so that none has to go through
// the whole cluster for each of its objects.
func (w *World) index() {
	w.indexPods()
	w.indexControllers()
	w.indexGPUs()

	w.nodes = slices.SortedFunc(slices.Values(w.s.Nodes()), func(a, b snapshot.Typed[corev1.Node]) int {
		return cmp.Compare(a.Object.Name, b.Object.Name)
	})
	w.ofType = gpusByType(w.nodes)
	w.node = map[string]*snapshot.Typed[corev1.Node]{}
	for i := range w.nodes {
		w.node[w.nodes[i].Object.Name] = &w.nodes[i]
	}
	w.services = map[string][]snapshot.Typed[corev1.Service]{}
	for _, s := range w.s.Services() {
		w.services[s.Object.Namespace] = append(w.services[s.Object.Namespace], s)
	}
	w.behind = map[analyzer.Subject][]analyzer.Subject{}
	w.databases = map[analyzer.Subject]analyzer.Subject{}
	w.events = map[analyzer.Subject][]snapshot.Event{}
	for _, e := range w.s.Events {
		subject := e.About()
		w.events[subject] = append(w.events[subject], e)
	}
	w.logged = map[analyzer.Subject]bool{}
	for _, l := range w.s.Logs {
		w.logged[analyzer.Pod(l.Namespace, l.Pod)] = true
	}
	w.fired = decodeAlerts(w.s.Alerts)
	w.callersOf = map[analyzer.Subject][]analyzer.Subject{}
	for _, e := range w.s.Edges {
		if e.Kind == snapshot.Calls {
			w.callersOf[e.To] = append(w.callersOf[e.To], e.From)
		}
	}
}

func (w *World) indexPods() {
	w.pods = map[analyzer.Subject]*pod{}
	pods := w.s.Pods()
	for i := range pods { // not by value: a pod is more than a kilobyte before what it points to
		p := &pods[i]
		subject := analyzer.Pod(p.Object.Namespace, p.Object.Name)
		w.pods[subject] = &pod{Pod: &p.Object, subject: subject, source: p.Source}
	}
	for _, r := range slices.Backward(w.s.History) { // the last revision of what is gone
		if p, ok := r.Pod(func(namespace, name string) bool { return w.pods[analyzer.Pod(namespace, name)] == nil }); ok {
			subject := analyzer.Pod(p.Namespace, p.Name)
			w.pods[subject] = &pod{Pod: p, subject: subject, source: r.Source, gone: true}
		}
	}
	for _, p := range w.pods {
		w.order = append(w.order, p)
	}
	slices.SortFunc(w.order, func(a, b *pod) int { return topology.Compare(a.subject, b.subject) })
	w.namespaces, w.placed, w.labelled = map[string][]*pod{}, map[string][]*pod{}, map[label][]*pod{}
	for _, p := range w.order {
		w.namespaces[p.Namespace] = append(w.namespaces[p.Namespace], p)
		if p.Spec.NodeName != "" {
			w.placed[p.Spec.NodeName] = append(w.placed[p.Spec.NodeName], p)
		}
		for k, v := range p.Labels {
			l := label{p.Namespace, k, v}
			w.labelled[l] = append(w.labelled[l], p)
		}
	}
}
