// Package topology is what is part of what: GPUs of nodes, pods on nodes and
// of workloads, and which pod held which GPU when. It is built from a
// snapshot and never changes. [Resolve] finds in it what a person calls a thing.
//
// What a reader would get wrong: who holds a GPU is a matter of time. A pod
// that is gone held its GPU until its last sample, and [Graph.HolderAt] finds
// it there.
package topology

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// A Holding is a stretch of time in which a pod was seen to hold a GPU.
type Holding struct {
	Pod, GPU analyzer.Subject
	From, To time.Time // the first and the last sample; zero where the time is not known
	Source   string
}

// A Graph is the edges of one snapshot.
type Graph struct {
	up       map[analyzer.Subject][]snapshot.Edge // by From: partOf, runsOn, ownedBy, calls, mounts
	down     map[analyzer.Subject][]snapshot.Edge // the same by To
	holdings []Holding                            // by GPU, then time
	holders  map[analyzer.Subject][]Holding       // the same, by GPU
	held     map[analyzer.Subject][]Holding       // the same, by pod
	hosts    map[string]string                    // nodes by every name that a metric may give them
	byPCI    map[string]analyzer.Subject          // node + " " + bus id
	index    map[analyzer.Subject]string          // a GPU's number on its node
	known    map[analyzer.Subject]bool
}

// New builds the graph of s.
func New(s *snapshot.Snapshot) *Graph {
	g := &Graph{
		up: map[analyzer.Subject][]snapshot.Edge{}, down: map[analyzer.Subject][]snapshot.Edge{},
		byPCI: map[string]analyzer.Subject{}, index: map[analyzer.Subject]string{}, known: map[analyzer.Subject]bool{},
	}
	g.hosts = g.addNodes(s)
	g.addObjects(s)
	g.addPods(s)
	g.addGPUs(s)
	for _, e := range s.Edges {
		if e.Kind == snapshot.Holds {
			g.holdings = append(g.holdings, Holding{Pod: e.From, GPU: e.To, Source: "topology.json"})
			continue
		}
		g.add(e.From, e.Kind, e.To)
	}
	g.arrange()
	return g
}

func (g *Graph) add(from analyzer.Subject, kind snapshot.EdgeKind, to analyzer.Subject) {
	if from.IsZero() || to.IsZero() || from == to {
		return
	}
	e := snapshot.Edge{From: from, Kind: kind, To: to}
	if slices.Contains(g.up[from], e) {
		return
	}
	g.known[from], g.known[to] = true, true
	g.up[from] = append(g.up[from], e)
	g.down[to] = append(g.down[to], e)
}

// addNodes returns the names of nodes by every name that a metric may give them.
func (g *Graph) addNodes(s *snapshot.Snapshot) map[string]string {
	names := map[string]string{}
	for _, n := range s.Nodes() {
		g.known[analyzer.Node(n.Object.Name)] = true
		if h := n.Object.Labels[corev1.LabelHostname]; h != "" {
			names[h] = n.Object.Name
		}
	}
	for _, n := range s.Nodes() {
		names[n.Object.Name] = n.Object.Name
	}
	return names
}

// addObjects makes every object that has an owner part of it, and notes every
// object that a person may ask for.
func (g *Graph) addObjects(s *snapshot.Snapshot) {
	for _, n := range s.Deployments() {
		g.owned("deployment", n.Object.ObjectMeta)
	}
	for _, n := range s.ReplicaSets() {
		g.owned("replicaset", n.Object.ObjectMeta)
	}
	for _, n := range s.StatefulSets() {
		g.owned("statefulset", n.Object.ObjectMeta)
	}
	for _, n := range s.DaemonSets() {
		g.owned("daemonset", n.Object.ObjectMeta)
	}
	for _, n := range s.Jobs() {
		g.owned("job", n.Object.ObjectMeta)
	}
	for _, n := range s.Customs() {
		if n.Object.Kind != "" && n.Object.Namespace != "" {
			g.owned(strings.ToLower(n.Object.Kind), n.Object.ObjectMeta)
		}
	}
	for _, n := range s.Services() {
		g.owned("service", n.Object.ObjectMeta)
	}
	for _, n := range s.Claims() {
		g.owned("pvc", n.Object.ObjectMeta)
	}
}

func (g *Graph) owned(kind string, m metav1.ObjectMeta) {
	self := analyzer.Subject{Kind: kind, Namespace: m.Namespace, Name: m.Name}
	g.known[self] = true
	g.known[analyzer.Subject{Kind: "namespace", Name: m.Namespace}] = true
	for _, o := range m.OwnerReferences {
		if kind := strings.ToLower(o.Kind); kind != "node" {
			g.add(self, snapshot.OwnedBy, analyzer.Subject{Kind: kind, Namespace: m.Namespace, Name: o.Name})
		}
	}
}

func (g *Graph) addPods(s *snapshot.Snapshot) {
	for _, p := range s.Pods() {
		self := analyzer.Pod(p.Object.Namespace, p.Object.Name)
		g.owned("pod", p.Object.ObjectMeta)
		if n := p.Object.Spec.NodeName; n != "" {
			g.add(self, snapshot.RunsOn, analyzer.Node(n))
		}
		for _, v := range p.Object.Spec.Volumes {
			if c := v.PersistentVolumeClaim; c != nil {
				g.add(self, snapshot.Mounts, analyzer.Subject{Kind: "pvc", Namespace: p.Object.Namespace, Name: c.ClaimName})
			}
		}
	}
}

// Holds is the agent's metric of which container holds which GPU: of a GPU that
// several share, dcgm-exporter's series name none.
const Holds = "vedette_gpu_pod"

// addGPUs reads the labels of dcgm-exporter's series and of [Holds]: where each
// GPU is and which pods held it while samples named them.
func (g *Graph) addGPUs(s *snapshot.Snapshot) {
	held := map[[2]analyzer.Subject]*Holding{}
	for _, m := range s.Metrics {
		if !strings.HasPrefix(m.Name(), "DCGM_FI_") && m.Name() != Holds {
			continue
		}
		if _, ok := GPUOf(m.Labels); !ok {
			continue
		}
		gpu := g.GPUOf(m.Labels)
		node := gpu.Node()
		g.add(gpu, snapshot.PartOf, analyzer.Node(node))
		g.index[gpu] = m.Labels["gpu"]
		if id := NormalPCI(m.Labels["pci_bus_id"]); id != "" {
			g.byPCI[node+" "+id] = gpu
		}
		if m.Labels["pod"] == "" {
			continue
		}
		pod := analyzer.Pod(m.Labels["namespace"], m.Labels["pod"])
		from, to := m.Samples[0].At, m.Last().At
		h := held[[2]analyzer.Subject{pod, gpu}]
		if h == nil {
			held[[2]analyzer.Subject{pod, gpu}] = &Holding{pod, gpu, from, to, m.Source}
			continue
		}
		if from.Before(h.From) {
			h.From = from
		}
		if to.After(h.To) {
			h.To = to
		}
	}
	for _, h := range held {
		g.holdings = append(g.holdings, *h)
		g.known[h.Pod] = true
	}
}

// GPUOf returns the GPU that a series of dcgm-exporter is about.
func GPUOf(labels map[string]string) (analyzer.Subject, bool) {
	uuid := labels["UUID"]
	for _, k := range []string{"Hostname", "hostname", "node", "instance"} {
		if host := labels[k]; host != "" && uuid != "" {
			return analyzer.GPU(host, uuid), true
		}
	}
	return analyzer.Subject{}, false
}

// GPUOf returns the GPU that a series of dcgm-exporter is about, under the name
// that the cluster has for its node.
func (g *Graph) GPUOf(labels map[string]string) analyzer.Subject {
	gpu, _ := GPUOf(labels)
	if name := g.hosts[gpu.Node()]; name != "" {
		return analyzer.GPU(name, labels["UUID"])
	}
	return gpu
}

func (g *Graph) arrange() {
	byFrom := func(a, b snapshot.Edge) int {
		return cmp.Or(Compare(a.From, b.From), cmp.Compare(a.Kind, b.Kind), Compare(a.To, b.To))
	}
	for _, es := range g.up {
		slices.SortFunc(es, byFrom)
	}
	for _, es := range g.down {
		slices.SortFunc(es, byFrom)
	}
	slices.SortFunc(g.holdings, func(a, b Holding) int {
		return cmp.Or(Compare(a.GPU, b.GPU), a.From.Compare(b.From), Compare(a.Pod, b.Pod))
	})
	g.holders, g.held = map[analyzer.Subject][]Holding{}, map[analyzer.Subject][]Holding{}
	for _, h := range g.holdings {
		g.holders[h.GPU] = append(g.holders[h.GPU], h)
		g.held[h.Pod] = append(g.held[h.Pod], h)
	}
}

// Compare orders subjects by kind, namespace and name.
func Compare(a, b analyzer.Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// NormalPCI writes the bus address of a GPU in one form, domain:bus:device in
// lower case with a domain of four digits or more: 0000:4e:00 for PCI:0000:4e:00,
// 00000000:4E:00.0 and 4e:00.0 alike. It returns "" for what is no address.
func NormalPCI(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	id = strings.TrimPrefix(id, "pci:")
	id, _, _ = strings.Cut(id, ".") // a GPU is one function
	parts := strings.Split(id, ":")
	if len(parts) == 2 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) != 3 {
		return ""
	}
	for i, width := range []int{4, 2, 2} {
		p := strings.TrimLeft(parts[i], "0")
		if strings.Trim(p, "0123456789abcdef") != "" || parts[i] == "" {
			return ""
		}
		parts[i] = strings.Repeat("0", max(0, width-len(p))) + p
	}
	return strings.Join(parts, ":")
}

// Subjects returns everything that the snapshot names, in order.
func (g *Graph) Subjects() []analyzer.Subject {
	return slices.SortedFunc(maps.Keys(g.known), Compare)
}

// Knows reports whether the snapshot names s.
func (g *Graph) Knows(s analyzer.Subject) bool { return g.known[s] }
