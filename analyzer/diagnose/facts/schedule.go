package facts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/fault"
)

// blameOrder is the order of blockers that keep the pod off equally many nodes.
var blameOrder = []placement.Blocker{placement.NotReady, placement.Cordoned, placement.OtherZone, placement.PortTaken, placement.Uneven, placement.Tainted, placement.AntiAffine}

// readScheduling says why pending pods cannot be placed: it runs the
// scheduler's predicates again on the nodes as they were.
func (w *World) readScheduling() {
	pending := slices.Clone(w.named["pod-unscheduled"])
	if len(pending) == 0 {
		return
	}
	if !w.s.Captured("nodes") || len(w.nodes) == 0 {
		for _, f := range pending {
			w.believeScheduler(f)
		}
		return
	}
	var nodes []*corev1.Node
	for i := range w.nodes {
		nodes = append(nodes, &w.nodes[i].Object)
	}
	var pods []*corev1.Pod
	for _, p := range w.order {
		if !p.gone {
			pods = append(pods, p.Pod)
		}
	}
	q := &queue{said: map[string]bool{}, inPlace: w.inPlaceOf(pending), granted: map[string]int64{}, cluster: placement.New(nodes, pods, func(n *corev1.Node, r corev1.ResourceName) bool {
		return r == gpuResource && w.gpusOf(n) > 0
	}, w.volumesOf)}
	for _, f := range pending {
		if f.Standing {
			w.place(w.pods[f.Subject], f, q)
		}
	}
}

// A queue is what is remembered from one pending pod to the next.
type queue struct {
	cluster *placement.Cluster
	said    map[string]bool // facts about a workload, told once
	inPlace map[analyzer.Subject]string
	granted map[string]int64 // GPUs of a node that earlier pods would have got were its lost ones back
}

// place finds what keeps p pending and adds it as a fact about its workload.
func (w *World) place(p *pod, f *Fact, q *queue) {
	fits := q.cluster.Fits(p.Pod)
	var waits []string
	for _, x := range fits {
		switch {
		case x.Only(placement.NotReady):
		case x.Only(gpuResource) && w.wouldFit(p, x, q.granted[x.Node.Name]):
			q.granted[x.Node.Name] += gpuRequest(p)
		default:
			continue
		}
		waits = append(waits, analyzer.Node(x.Node.Name).String())
	}
	f.Detail["blockedBy"] = strings.Join(waits, " ")
	for _, o := range w.heldByStuck(p, fits) {
		f.Detail["waitsFor"] = strings.TrimSpace(f.Detail["waitsFor"] + " " + o.String())
	}

	name, text, seen := w.why(p, fits, f)
	top := w.Workload(p.subject)
	if name == unknownWhy {
		w.believeScheduler(f)
		return
	}
	if name == "" || q.said[name+" "+top.String()] {
		return
	}
	q.said[name+" "+top.String()] = true
	c := w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: name, At: f.At, Standing: true, Text: text + q.inPlace[top], Source: p.source}, Kind: nodesKind})
	if q.inPlace[top] != "" {
		c.Detail["replaces"] = top.String()
	}
	if name == "sched-volume-zone" {
		c.Subject, c.Seen = w.strandedClaim(p), []analyzer.Subject{top}
	}
	for _, x := range seen[:min(len(seen), 5)] {
		c.Also = append(c.Also, analyzer.Evidence{Source: w.node[x.Node.Name].Source, Text: "node " + x.Node.Name + ": " + say(p, x)})
	}
}

// wouldFit reports whether p would fit on the node if it offered all its GPUs
// and the pods before p had taken theirs.
func (w *World) wouldFit(p *pod, x placement.Fit, taken int64) bool {
	missing := w.gpusOf(x.Node) - gpus(x.Node.Status.Allocatable)
	free := x.Free[gpuResource]
	return missing > 0 && free.Value()+missing-taken >= gpuRequest(p)
}

// why names the fact that keeps p off the nodes, says it in words, and returns
// the nodes that show it. Selectors and affinity say where a pod is meant to
// run, so they are to blame only where no node satisfies them. A node that was
// taken out of service was meant to take pods, so what never would have had this
// one does not speak beside it. Of the rest, what keeps it off the most nodes
// as the only obstacle is to blame.
func (w *World) why(p *pod, fits []placement.Fit, f *Fact) (string, string, []placement.Fit) {
	for _, b := range []placement.Blocker{placement.Unselected, placement.Unaffine, placement.OtherZone} {
		rest := slices.DeleteFunc(slices.Clone(fits), func(x placement.Fit) bool { return x.By(b) })
		if len(rest) == 0 {
			return "sched-" + string(b), w.sayPlacement(p, b), fits
		}
		fits = rest
	}
	if slices.ContainsFunc(fits, func(x placement.Fit) bool {
		return !x.Never && (x.Only(placement.Cordoned) || x.Only(placement.NotReady))
	}) {
		fits = slices.DeleteFunc(slices.Clone(fits), func(x placement.Fit) bool { return x.Never })
	}
	least := len(slices.MinFunc(fits, func(a, b placement.Fit) int { return cmp.Compare(len(a.Blocked), len(b.Blocked)) }).Blocked)
	if least == 0 {
		w.Unseen = append(w.Unseen, fmt.Sprintf("why %s is pending: a node has room for it now", p.subject))
		return unknownWhy, "", nil
	}
	counts := map[placement.Blocker][]placement.Fit{}
	for _, x := range fits {
		if len(x.Blocked) == least {
			for _, b := range x.Blocked {
				counts[b] = append(counts[b], x)
			}
		}
	}
	worst := placement.Blocker("")
	for _, b := range append(slices.Clone(blameOrder), sortedBlockers(counts)...) {
		if len(counts[b]) > len(counts[worst]) {
			worst = b
		}
	}
	seen := counts[worst]
	switch worst {
	case placement.NotReady:
		return "", "", nil // the nodes' own fault
	case placement.Cordoned:
		return "sched-cordoned", fmt.Sprintf("%d of %d nodes that it may use are cordoned and would have room", len(seen), len(fits)), seen
	case placement.Tainted:
		return w.sayTaint(p, seen, len(fits))
	case placement.PortTaken:
		return "sched-host-port", fmt.Sprintf("on each of %d nodes with room another pod holds a port of the host that it wants", len(seen)), seen
	case placement.Uneven:
		return "sched-topology-spread", fmt.Sprintf("on each of %d nodes with room it would break its topology spread constraint", len(seen)), seen
	case placement.OtherZone:
		return "sched-volume-zone", fmt.Sprintf("%d nodes with room are where its volume is not", len(seen)), seen
	case placement.AntiAffine:
		return "sched-anti-affinity", fmt.Sprintf("on each of %d nodes with room a pod already runs that its anti-affinity excludes", len(seen)), seen
	case gpuResource:
		return w.whyGPU(p, seen, f)
	}
	return w.sayShort(p, worst, seen)
}

// sortedBlockers puts devices first: they are what a GPU node is bought for, and
// where they are short with CPU and memory the pods that hold them hold those too.
func sortedBlockers(m map[placement.Blocker][]placement.Fit) []placement.Blocker {
	rank := func(b placement.Blocker) int {
		if placement.Device(corev1.ResourceName(b)) {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b placement.Blocker) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
}

func (w *World) sayPlacement(p *pod, b placement.Blocker) string {
	switch b {
	case placement.OtherZone:
		return fmt.Sprintf("none of %d nodes is where its volume is", len(w.nodes))
	case placement.Unaffine:
		return fmt.Sprintf("none of %d nodes satisfies its required node affinity", len(w.nodes))
	}
	var want []string
	for k, v := range p.Spec.NodeSelector {
		want = append(want, k+"="+v)
	}
	slices.Sort(want)
	return fmt.Sprintf("none of %d nodes has the labels %s", len(w.nodes), strings.Join(want, ", "))
}

func (w *World) sayTaint(p *pod, seen []placement.Fit, of int) (string, string, []placement.Fit) {
	name := "sched-taint"
	if gpuRequest(p) > 0 {
		name = "sched-gpu-taint"
	}
	return name, fmt.Sprintf("%d of %d nodes that it may use carry the taint %s, which it does not tolerate", len(seen), of, taintText(seen[0].Taint)), seen
}

func taintText(t corev1.Taint) string {
	if t.Value == "" {
		return fmt.Sprintf("%s:%s", t.Key, t.Effect)
	}
	return fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect)
}

// sayShort tells of a resource that no node has enough of.
func (w *World) sayShort(p *pod, b placement.Blocker, seen []placement.Fit) (string, string, []placement.Fit) {
	r := corev1.ResourceName(b)
	want := placement.Requests(p.Pod)[r]
	best := seen[0].Free[r]
	for _, x := range seen {
		if q := x.Free[r]; q.Cmp(best) > 0 {
			best = q
		}
	}
	lacking := "that lack nothing else"
	if !seen[0].Only(b) {
		lacking = "that come nearest"
	}
	text := fmt.Sprintf("it requests %s of %s; of %d nodes %s the best has %s free", want.String(), r, len(seen), lacking, amount(r, best))
	switch {
	case r == corev1.ResourceCPU, r == corev1.ResourceMemory, r == corev1.ResourceEphemeralStorage:
		return "sched-" + string(r), text, seen
	case strings.HasPrefix(string(r), "nvidia.com/mig-"):
		return w.whyMIG(p, r, text, seen)
	case r == "vpc.amazonaws.com/efa":
		return "sched-efa", text, seen
	}
	return "sched-other", text, seen
}

// whyGPU tells apart why whole GPUs are short: none left, none left on one
// node, or held by a pod that does not use them.
func (w *World) whyGPU(p *pod, fits []placement.Fit, f *Fact) (string, string, []placement.Fit) {
	want := gpuRequest(p)
	var free, most int64
	for _, x := range fits {
		q := x.Free[gpuResource]
		free, most = free+max(q.Value(), 0), max(most, q.Value())
	}
	sum := fmt.Sprintf("it asks for %d GPUs on one node; %d nodes that it may use have %d free in all and at most %d on one", want, len(fits), free, max(most, 0))
	top := w.Workload(p.subject)
	not := func(cause fault.CauseID, why string) {
		w.reject(analyzer.Rejected{Cause: cause, Subject: top, Why: why, Cites: w.counted(p, fits)})
	}
	if f.Detail["blockedBy"] != "" {
		why := sum + ", and a node that does not offer all of its GPUs would have room"
		not("gpu-capacity-exhausted", why)
		return "", "", nil // that node's own fault
	}
	if w.idleHolders(p, fits, f) {
		why := sum + ", and pods that do not use theirs hold enough"
		not("gpu-capacity-exhausted", why)
		return "", "", nil
	}
	if free >= want {
		not("gpu-capacity-exhausted", sum+": enough in all")
		return "sched-gpu-fragmented", sum, fits
	}
	not("gpu-fragmented", sum+": too few in all")
	return "sched-gpu-capacity", sum, fits
}

// counted returns the sources of what was counted: the pod, and the nodes with the most free.
func (w *World) counted(p *pod, fits []placement.Fit) []string {
	most := slices.SortedStableFunc(slices.Values(fits), func(a, b placement.Fit) int {
		x, y := a.Free[gpuResource], b.Free[gpuResource]
		return y.Cmp(x)
	})
	all := []string{p.source}
	for _, x := range most[:min(len(most), 2)] {
		all = append(all, w.node[x.Node.Name].Source)
	}
	return all
}

// whyMIG tells apart slices of a size that no node offers, or that a node could
// not be cut into, from those that are taken.
func (w *World) whyMIG(p *pod, r corev1.ResourceName, text string, fits []placement.Fit) (string, string, []placement.Fit) {
	offered, free := false, int64(0)
	for _, x := range fits {
		have, left := x.Node.Status.Allocatable[r], x.Free[r]
		offered = offered || !have.IsZero()
		free += max(left.Value(), 0)
	}
	uncut := slices.ContainsFunc(w.nodes, func(n snapshot.Typed[corev1.Node]) bool {
		state := n.Object.Labels[migState]
		return state != "" && state != "success"
	})
	if !offered || uncut {
		return "sched-mig", text, fits
	}
	w.reject(analyzer.Rejected{Cause: "gpu-mig-profile-mismatch", Subject: w.Workload(p.subject), Why: text + ": nodes are cut into slices of that size", Cites: w.counted(p, fits)})
	if want := placement.Requests(p.Pod)[r]; free >= want.Value() {
		return "sched-gpu-fragmented", text, fits
	}
	return "sched-gpu-capacity", text, fits
}

// migState is the label by which the MIG manager says how its last cut went:
// success, failed, or that it is not done.
const migState = "nvidia.com/mig.config.state"

// amount writes how much of a resource is left: a difference of bytes has no
// round number, and nobody needs its last digits.
func amount(r corev1.ResourceName, q resource.Quantity) string {
	if (r == corev1.ResourceMemory || r == corev1.ResourceEphemeralStorage) && q.Value() >= 1<<30 {
		return fmt.Sprintf("%dGi", q.Value()>>30)
	}
	return q.String()
}

// say describes what of the node keeps p away.
func say(p *pod, f placement.Fit) string {
	var all []string
	for _, b := range f.Blocked {
		switch b {
		case placement.Tainted:
			all = append(all, "taint "+taintText(f.Taint))
		case placement.NotReady, placement.Cordoned, placement.Unselected, placement.Unaffine, placement.AntiAffine, placement.PortTaken, placement.Uneven, placement.OtherZone:
			all = append(all, string(b))
		default:
			r := corev1.ResourceName(b)
			free, want := f.Free[r], placement.Requests(p.Pod)[r]
			all = append(all, fmt.Sprintf("%s of %s free, %s requested", amount(r, free), r, want.String()))
		}
	}
	return strings.Join(all, "; ")
}
