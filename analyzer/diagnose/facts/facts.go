// Package facts reads out of a snapshot what is so: each fact with its true
// onset, its source and how much it hurts, and what the cluster was when they
// were read. A reader of one kind of thing is a file; [Read] calls them all.
//
// What a reader would get wrong: nothing here says why. What looks like a cause
// is a fact like any other, under a name that knowledge.yaml has links for.
package facts

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

// A World is a snapshot with its graph and the facts read from it.
type World struct {
	Graph    *topology.Graph
	Facts    []*Fact             // by onset
	Rejected []analyzer.Rejected // by the readers: what looks like a cause and is not
	Unseen   []string            // what they would have needed to see

	s   *snapshot.Snapshot
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
	behind      map[analyzer.Subject][]analyzer.Subject     // what Behind found
	nodes       []snapshot.Typed[corev1.Node]
	node        map[string]*snapshot.Typed[corev1.Node] // the same, by name
	ofType      map[string]int64                        // GPUs that machines of a type offer
	events      map[analyzer.Subject][]snapshot.Event
	logged      map[analyzer.Subject]bool // pods of which a log was captured
	fired       []alert
	callersOf   map[analyzer.Subject][]analyzer.Subject // of services
	calls       []call
	refused     []snapshot.Line // once asked for
	harmless    map[gpuXid]bool // what the driver called not fatal
	measures    map[gpuMetric][]snapshot.Series

	named map[string][]*Fact // facts by name
	once  map[sighting]*Fact // those from texts
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

// Read reads every fact out of s.
func Read(s *snapshot.Snapshot) *World {
	w := &World{s: s, Graph: topology.New(s), now: s.CapturedAt.UTC(), named: map[string][]*Fact{}, once: map[sighting]*Fact{}, harmless: map[gpuXid]bool{}}
	w.index()

	w.readKernel()
	w.readXidsElsewhere()
	w.readGPUs()
	w.readSMI()
	w.readNodes()
	w.readNodeXids()
	w.readPods()
	w.readComponents()
	w.readWorkloads()
	w.readCustomJobs()
	w.readTexts()
	w.readDeaths()
	w.readKilledWorkers()
	w.readCalls()
	w.readProbes()
	w.readServices()
	w.readPolicies()
	w.readVolumes()
	w.readMemory()
	w.readThrottling()
	w.readPools()
	w.readRanks()
	w.readAdapters()
	w.readBlind()
	w.readIngresses()
	w.readAutoscalers()
	w.readBudgets()
	w.readCertificates()
	w.readSaid()
	w.readClaims()
	w.readQuotas()
	w.readQueues()
	w.readNames()
	w.readLookups()
	w.readDNS()
	w.readScaleUps()
	w.readRoutes()
	w.readNodeAlerts()
	w.readServiceAlerts()
	w.readTerminating()
	w.readScheduling()

	slices.SortStableFunc(w.Facts, inOrder)
	clear(w.named)
	for _, f := range w.Facts { // again, in this order
		w.named[f.Name] = append(w.named[f.Name], f)
	}
	return w
}

// Workload returns the topmost owner of s, for a pod that is gone too.
func (w *World) Workload(s analyzer.Subject) analyzer.Subject {
	top := w.Graph.Workload(s)
	p := w.pods[s]
	if top != s || p == nil {
		return top
	}
	for _, o := range p.OwnerReferences {
		if o.Kind != "Node" {
			return w.Graph.Workload(analyzer.Subject{Kind: strings.ToLower(o.Kind), Namespace: p.Namespace, Name: o.Name})
		}
	}
	return top
}

// NodeOf returns the node of s, for a pod that is gone too.
func (w *World) NodeOf(s analyzer.Subject) string {
	if p := w.pods[s]; p != nil && p.Spec.NodeName != "" {
		return p.Spec.NodeName
	}
	return w.Graph.NodeOf(s)
}

// Mentions reports whether a fact or an event is about s.
func (w *World) Mentions(s analyzer.Subject) bool {
	if s.Kind == "cluster" || w.pods[s] != nil || len(w.events[s]) > 0 {
		return true
	}
	return slices.ContainsFunc(w.Facts, func(f *Fact) bool { return f.Subject == s || w.Workload(f.Subject) == s })
}

// reject records that what looks like cause is not.
func (w *World) reject(r analyzer.Rejected) { w.Rejected = append(w.Rejected, r) }

// Words names s for a person.
func (w *World) Words(s analyzer.Subject) string {
	switch {
	case s.Kind == "gpu":
		node, id, _ := strings.Cut(s.Name, "/")
		if pci, ok := strings.CutPrefix(id, "PCI:"); ok {
			return "the GPU at " + pci + " of node " + node
		}
		if i := w.Graph.Index(s); i != "" {
			return "GPU " + i + " of node " + node
		}
		return "GPU " + id + " of node " + node
	case s.Namespace == "":
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

// Logged reports whether a log of the pod was captured.
func (w *World) Logged(pod analyzer.Subject) bool { return w.logged[pod] }
