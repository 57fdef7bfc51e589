package topology

import (
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// Owner returns what owns s, and whether anything does.
func (g *Graph) Owner(s analyzer.Subject) (analyzer.Subject, bool) {
	for _, e := range g.up[s] {
		if e.Kind == snapshot.OwnedBy {
			return e.To, true
		}
	}
	return analyzer.Subject{}, false
}

// Workload returns the topmost owner of a pod (or of anything that is owned):
// its Deployment, Job, StatefulSet, or what owns those. A pod without an owner
// is its own workload.
func (g *Graph) Workload(pod analyzer.Subject) analyzer.Subject {
	s := pod
	for range maxOwners {
		o, ok := g.Owner(s)
		if !ok {
			return s
		}
		s = o
	}
	return s
}

// maxOwners bounds a chain of owners; a longer one is a circle.
const maxOwners = 16

// Pods returns the pods whose workload s is, or s itself where it is a pod.
func (g *Graph) Pods(s analyzer.Subject) []analyzer.Subject {
	if s.Kind == "pod" {
		return []analyzer.Subject{s}
	}
	var pods []analyzer.Subject
	seen := map[analyzer.Subject]bool{s: true}
	for queue := []analyzer.Subject{s}; len(queue) > 0; queue = queue[1:] {
		for _, e := range g.down[queue[0]] {
			if e.Kind != snapshot.OwnedBy || seen[e.From] {
				continue
			}
			seen[e.From] = true
			if e.From.Kind == "pod" {
				pods = append(pods, e.From)
				continue
			}
			queue = append(queue, e.From)
		}
	}
	slices.SortFunc(pods, Compare)
	return pods
}

// NodeOf returns the node that s is, is part of or runs on, or "".
func (g *Graph) NodeOf(s analyzer.Subject) string {
	if n := s.Node(); n != "" {
		return n
	}
	for _, e := range g.up[s] {
		if e.Kind == snapshot.RunsOn {
			return e.To.Node()
		}
	}
	for _, h := range g.held[s] { // a pod that is gone and held a GPU there
		return h.GPU.Node()
	}
	return ""
}

// PodsOn returns the pods that were placed on the node.
func (g *Graph) PodsOn(node string) []analyzer.Subject {
	var pods []analyzer.Subject
	for _, e := range g.down[analyzer.Node(node)] {
		if e.Kind == snapshot.RunsOn {
			pods = append(pods, e.From)
		}
	}
	return pods
}

// GPUs returns the GPUs of the node.
func (g *Graph) GPUs(node string) []analyzer.Subject {
	var gpus []analyzer.Subject
	for _, e := range g.down[analyzer.Node(node)] {
		if e.Kind == snapshot.PartOf && e.From.Kind == "gpu" {
			gpus = append(gpus, e.From)
		}
	}
	return gpus
}

// Index returns the number of a GPU on its node, "" where it is not known.
func (g *Graph) Index(gpu analyzer.Subject) string { return g.index[gpu] }

// GPUByPCI returns the GPU at a bus address, in whatever form it is written.
func (g *Graph) GPUByPCI(node, busID string) (analyzer.Subject, bool) {
	gpu, ok := g.byPCI[node+" "+NormalPCI(busID)]
	return gpu, ok
}

// Holders returns the pods that were seen to hold the GPU, the latest first.
func (g *Graph) Holders(gpu analyzer.Subject) []Holding {
	hs := slices.Clone(g.holders[gpu])
	slices.SortStableFunc(hs, func(a, b Holding) int { return b.To.Compare(a.To) })
	return hs
}

// staleness is how long after its last sample a holding may still have gone
// on: a GPU that dies takes its samples with it, and the pod's end comes later.
const staleness = 5 * time.Minute

// HolderAt returns the holdings of the GPU at t, and those that ended shortly before.
func (g *Graph) HolderAt(gpu analyzer.Subject, t time.Time) []Holding {
	var hs []Holding
	for _, h := range g.Holders(gpu) {
		started := h.From.IsZero() || !h.From.After(t.Add(staleness)) // labels appear a scrape or two late
		if started && (h.To.IsZero() || !h.To.Add(staleness).Before(t)) {
			hs = append(hs, h)
		}
	}
	return hs
}

// Held returns the GPUs that the pod was seen to hold.
func (g *Graph) Held(pod analyzer.Subject) []analyzer.Subject {
	var gpus []analyzer.Subject
	for _, h := range g.held[pod] {
		if !slices.Contains(gpus, h.GPU) {
			gpus = append(gpus, h.GPU)
		}
	}
	return gpus
}

// Callees returns what s calls.
func (g *Graph) Callees(s analyzer.Subject) []analyzer.Subject {
	var to []analyzer.Subject
	for _, e := range g.up[s] {
		if e.Kind == snapshot.Calls {
			to = append(to, e.To)
		}
	}
	return to
}

// Common returns the nearest subject that all of ss are part of, run on or are
// owned by. It reports false if they share nothing below the cluster.
func (g *Graph) Common(ss ...analyzer.Subject) (analyzer.Subject, bool) {
	if len(ss) == 0 {
		return analyzer.Subject{}, false
	}
	shared := g.ancestors(ss[0])
	for _, s := range ss[1:] {
		theirs := g.ancestors(s)
		shared = slices.DeleteFunc(shared, func(a analyzer.Subject) bool { return !slices.Contains(theirs, a) })
	}
	if len(shared) == 0 {
		return analyzer.Subject{}, false
	}
	return shared[0], true
}

// ancestors returns s and what it is part of, the nearest first.
func (g *Graph) ancestors(s analyzer.Subject) []analyzer.Subject {
	all := []analyzer.Subject{s}
	for i := 0; i < len(all); i++ {
		for _, kind := range []snapshot.EdgeKind{snapshot.OwnedBy, snapshot.PartOf, snapshot.RunsOn} {
			for _, e := range g.up[all[i]] {
				if e.Kind == kind && !slices.Contains(all, e.To) {
					all = append(all, e.To)
				}
			}
		}
	}
	return all
}
