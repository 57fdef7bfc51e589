package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// A kind of evidence is one way of knowing. Two facts of one kind may share a
// mistake, so only facts of different kinds confirm each other. Each metric is
// a kind of its own: "metric DCGM_FI_DEV_GPU_TEMP".
type kind string

const (
	kernelKind kind = "kernel log"
	eventKind  kind = "event"
	objectKind kind = "object"
	logKind    kind = "container log"
	alertKind  kind = "alert"
)

func metricKind(name string) kind { return kind("metric " + name) }

// A fact is an [analyzer.Fact] with what the reasoning needs besides.
type fact struct {
	analyzer.Fact
	kind   kind
	until  time.Time         // when it was last seen, where it was seen more than once
	weight float64           // how much it hurts; 0 is a fact that nobody complains of
	detail map[string]string // values that later steps and texts use
	also   []analyzer.Evidence
}

// A world is a snapshot with its graph and the facts read from it.
type world struct {
	s   *snapshot.Snapshot
	g   *topology.Graph
	now time.Time

	pods        map[analyzer.Subject]*pod
	order       []*pod            // by subject
	namespaces  map[string][]*pod // the same, apart
	placed      map[string][]*pod // the same, by node
	labelled    map[label][]*pod  // the same, by each label
	controllers map[analyzer.Subject]controller
	jobs        map[analyzer.Subject]*batchv1.Job
	services    map[string][]snapshot.Typed[corev1.Service] // by namespace
	databases   map[analyzer.Subject]analyzer.Subject       // by client: what database found
	nodes       []snapshot.Typed[corev1.Node]
	node        map[string]*snapshot.Typed[corev1.Node] // the same, by name
	events      map[analyzer.Subject][]snapshot.Event
	logged      map[analyzer.Subject]bool // pods of which a log was captured
	fired       []alert
	callersOf   map[analyzer.Subject][]analyzer.Subject // of services
	refused     []snapshot.Line                         // once asked for
	measures    map[gpuMetric][]snapshot.Series

	facts    []*fact
	named    map[string][]*fact  // the same, by name
	once     map[sighting]*fact  // facts from texts
	rejected []analyzer.Rejected // by the readers: what looks like a cause and is not
	unseen   []string
}

// A label is one label of the pods of a namespace.
type label struct{ namespace, key, value string }

// A pod is a pod as it is, or as it last was where it is gone.
type pod struct {
	*corev1.Pod
	subject analyzer.Subject
	source  string
	gone    bool
}

// look reads every fact out of s.
func look(s *snapshot.Snapshot) *world {
	w := &world{s: s, g: topology.New(s), now: s.CapturedAt.UTC(), named: map[string][]*fact{}, once: map[sighting]*fact{}}
	w.index()
	w.readKernel()
	w.readGPUs()
	w.readNodes()
	w.readPods()
	w.readWorkloads()
	w.readTexts()
	w.readProbes()
	w.readServices()
	w.readClaims()
	w.readQuotas()
	w.readNames()
	w.readRoutes()
	w.readNodeAlerts()
	w.readServiceAlerts()
	w.readScheduling()
	slices.SortStableFunc(w.facts, inOrder)
	clear(w.named)
	for _, f := range w.facts { // again, in this order
		w.named[f.Name] = append(w.named[f.Name], f)
	}
	return w
}

// inOrder is the order of facts: of their onset first.
func inOrder(a, b *fact) int {
	return cmp.Or(a.At.Compare(b.At), topology.Compare(a.Subject, b.Subject), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Text, b.Text))
}

// index finds for each reader what it asks for, so that none has to go through
// the whole cluster for each of its objects.
func (w *world) index() {
	w.indexPods()
	w.indexControllers()
	w.indexGPUs()

	w.nodes = slices.SortedFunc(slices.Values(w.s.Nodes()), func(a, b snapshot.Typed[corev1.Node]) int {
		return cmp.Compare(a.Object.Name, b.Object.Name)
	})
	w.node = map[string]*snapshot.Typed[corev1.Node]{}
	for i := range w.nodes {
		w.node[w.nodes[i].Object.Name] = &w.nodes[i]
	}
	w.services = map[string][]snapshot.Typed[corev1.Service]{}
	for _, s := range w.s.Services() {
		w.services[s.Object.Namespace] = append(w.services[s.Object.Namespace], s)
	}
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

func (w *world) indexPods() {
	w.pods = map[analyzer.Subject]*pod{}
	for _, p := range w.s.Pods() {
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

// workload returns the topmost owner of s, for a pod that is gone too.
func (w *world) workload(s analyzer.Subject) analyzer.Subject {
	top := w.g.Workload(s)
	p := w.pods[s]
	if top != s || p == nil {
		return top
	}
	for _, o := range p.OwnerReferences {
		if o.Kind != "Node" {
			return w.g.Workload(analyzer.Subject{Kind: strings.ToLower(o.Kind), Namespace: p.Namespace, Name: o.Name})
		}
	}
	return top
}

// nodeOf returns the node of s, for a pod that is gone too.
func (w *world) nodeOf(s analyzer.Subject) string {
	if p := w.pods[s]; p != nil && p.Spec.NodeName != "" {
		return p.Spec.NodeName
	}
	return w.g.NodeOf(s)
}

// mentions reports whether a fact or an event is about s.
func (w *world) mentions(s analyzer.Subject) bool {
	if s.Kind == "cluster" || w.pods[s] != nil || len(w.events[s]) > 0 {
		return true
	}
	return slices.ContainsFunc(w.facts, func(f *fact) bool { return f.Subject == s || w.workload(f.Subject) == s })
}

// add records a fact and returns it.
func (w *world) add(f fact) *fact {
	if f.detail == nil {
		f.detail = map[string]string{}
	}
	f.At = f.At.UTC()
	w.facts = append(w.facts, &f)
	w.named[f.Name] = append(w.named[f.Name], &f)
	return &f
}

// called returns the facts with one of the names, in the order of facts.
func (w *world) called(names []string) []*fact {
	var all []*fact
	for _, n := range names {
		all = append(all, w.named[n]...)
	}
	if len(names) > 1 {
		slices.SortStableFunc(all, inOrder)
	}
	return all
}

// reject records that what looks like cause is not.
func (w *world) reject(r analyzer.Rejected) { w.rejected = append(w.rejected, r) }

// words names s for a person.
func (w *world) words(s analyzer.Subject) string {
	switch {
	case s.Kind == "gpu":
		node, id, _ := strings.Cut(s.Name, "/")
		if pci, ok := strings.CutPrefix(id, "PCI:"); ok {
			return "the GPU at " + pci + " of node " + node
		}
		if i := w.g.Index(s); i != "" {
			return "GPU " + i + " of node " + node
		}
		return "GPU " + id + " of node " + node
	case s.Namespace == "":
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}
