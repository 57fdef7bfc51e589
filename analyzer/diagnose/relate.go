package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/knowledge"
)

// A relation says which keys of a cause and of an effect must meet for the two
// facts to hang together.
type relation struct {
	from, to func(*world, *fact) []analyzer.Subject
}

// relations are the ways in which subjects hang together, by the names that
// knowledge.yaml uses for them.
var relations = map[string]*relation{
	"same":       {self, self},                // the same subject
	"holder":     {holders, self},             // a GPU and the pods that held it then
	"node":       {node, self},                // anything and the node that it is on
	"on-node":    {node, node},                // anything and what is on the same node
	"workload":   {workload, self},            // a pod and what it belongs to
	"pods":       {self, workload},            // a workload and its pods
	"peers":      {workload, workload},        // pods of one workload
	"blocked-by": {self, listed("blockedBy")}, // a node and the pods that it alone keeps waiting
	"waits-for":  {self, listed("waitsFor")},  // a pod and those that wait for what it holds
	"namespace":  {namespace, namespace},
	"its-pod":    {listed("pod"), self}, // a fact that names a pod, and the pod
	"mounted-by": {self, mounts},        // a claim and the pods that mount it
	"anywhere":   {everything, everything},
}

func self(_ *world, f *fact) []analyzer.Subject { return []analyzer.Subject{f.Subject} }

func holders(w *world, f *fact) []analyzer.Subject {
	return w.holdersAt(f.Subject, f.At)
}

func node(w *world, f *fact) []analyzer.Subject {
	if n := w.nodeOf(f.Subject); n != "" {
		return []analyzer.Subject{analyzer.Node(n)}
	}
	return nil
}

func workload(w *world, f *fact) []analyzer.Subject { return []analyzer.Subject{w.workload(f.Subject)} }

func namespace(_ *world, f *fact) []analyzer.Subject {
	if f.Subject.Kind == "namespace" {
		return []analyzer.Subject{f.Subject}
	}
	return []analyzer.Subject{{Kind: "namespace", Name: f.Subject.Namespace}}
}

func mounts(w *world, f *fact) []analyzer.Subject {
	p := w.pods[f.Subject]
	if p == nil {
		return nil
	}
	var claims []analyzer.Subject
	for _, v := range p.Spec.Volumes {
		if c := v.PersistentVolumeClaim; c != nil {
			claims = append(claims, analyzer.Subject{Kind: "pvc", Namespace: p.Namespace, Name: c.ClaimName})
		}
	}
	return claims
}

func everything(w *world, _ *fact) []analyzer.Subject {
	return []analyzer.Subject{analyzer.Cluster(w.s.Cluster.Name)}
}

// listed reads subjects that a reader left in a detail, separated by blanks.
func listed(detail string) func(*world, *fact) []analyzer.Subject {
	return func(_ *world, f *fact) []analyzer.Subject {
		var all []analyzer.Subject
		for _, text := range strings.Fields(f.detail[detail]) {
			if s, err := analyzer.ParseSubject(text); err == nil {
				all = append(all, s)
			}
		}
		return all
	}
}

// holdersAt returns the pods that held the GPU at t. Where no metric names
// one, a pod that holds as many GPUs as its node has holds this one.
func (w *world) holdersAt(gpu analyzer.Subject, t time.Time) []analyzer.Subject {
	var pods []analyzer.Subject
	for _, h := range w.g.HolderAt(gpu, t) {
		if p := w.pods[h.Pod]; p == nil || !endedBefore(p, t) {
			pods = append(pods, h.Pod)
		}
	}
	if len(pods) > 0 {
		return pods
	}
	node := gpu.Node()
	n := w.node[node]
	if n == nil {
		return nil
	}
	for _, p := range w.placed[node] {
		if want := gpuRequest(p); want > 0 && want >= gpus(n.Object.Status.Capacity) && !endedBefore(p, t) {
			pods = append(pods, p.subject)
		}
	}
	return pods
}

// endedBefore reports whether every container of p had ended well before t.
func endedBefore(p *pod, t time.Time) bool {
	if len(p.Status.ContainerStatuses) == 0 || t.IsZero() {
		return false
	}
	for _, cs := range p.Status.ContainerStatuses {
		if e := cs.State.Terminated; e == nil || !e.FinishedAt.Add(skewFar).Before(t) {
			return false
		}
	}
	return true
}

// How far apart clocks may be. Kubelets write whole seconds.
const (
	skewNear = 2 * time.Second // on one node
	skewFar  = 5 * time.Second
)

// follows reports whether to can be an effect of from as the link says.
func (w *world) follows(l knowledge.Link, from, to *fact) bool {
	if from == to {
		return false
	}
	if to.kind == alertKind && !from.Standing {
		return false // it fires now: what is over did not make it
	}
	if from.At.IsZero() || to.At.IsZero() {
		return true // an unknown time excludes nothing
	}
	skew := skewFar
	if n := w.nodeOf(from.Subject); n != "" && n == w.nodeOf(to.Subject) {
		skew = skewNear
	}
	d := to.At.Sub(from.At)
	if from.kind != to.kind {
		skew = max(skew, sampling(from), sampling(to))
	}
	if from.until.After(from.At) {
		return d >= -(skew+l.Before) && (l.Within == 0 || to.At.Sub(from.until) <= l.Within+skew)
	}
	return d >= -(skew+l.Before) && (l.Within == 0 || d <= l.Within+skew)
}

// sampling is how late a metric may notice: one scrape. Kernel lines and
// events are noted when they happen.
func sampling(f *fact) time.Duration {
	if strings.HasPrefix(string(f.kind), "metric ") {
		return time.Minute
	}
	return 0
}

// effects returns, for every fact, the facts that follow from it directly.
func (w *world) effects() map[*fact][]*fact {
	out := map[*fact][]*fact{}
	seen := map[[2]*fact]bool{}
	for _, l := range knowledge.All().Links {
		rel := relations[l.Where]
		byKey := map[analyzer.Subject][]*fact{}
		for _, name := range l.To {
			for _, f := range w.named[name] {
				for _, k := range rel.to(w, f) {
					byKey[k] = append(byKey[k], f)
				}
			}
		}
		if len(byKey) == 0 {
			continue
		}
		for _, name := range l.From {
			for _, f := range w.named[name] {
				for _, k := range rel.from(w, f) {
					for _, to := range byKey[k] {
						if pair := [2]*fact{f, to}; !seen[pair] && w.follows(l, f, to) {
							seen[pair] = true
							out[f] = append(out[f], to)
						}
					}
				}
			}
		}
	}
	at := map[*fact]int{}
	for i, f := range w.facts {
		at[f] = i
	}
	for _, fs := range out {
		slices.SortFunc(fs, func(a, b *fact) int { return cmp.Compare(at[a], at[b]) })
	}
	return out
}
