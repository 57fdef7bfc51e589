package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"vedette.dev/analyzer"
)

// idleFor is how long a GPU must stand still to count as idle: longer than a
// checkpoint, an evaluation or a download between two steps of training.
const idleFor = 30 * time.Minute

// busy is from what value a metric says that the GPU works: one per cent.
var busy = map[string]float64{string(gpuUtil): 1, string(grActive): 0.01}

// blame order of blockers that keep the pod off equally many nodes.
var blameOrder = []blocker{notReady, cordoned, tainted, antiAffine}

// readScheduling says why pending pods cannot be placed: it runs the
// scheduler's predicates again on the nodes as they were.
func (w *world) readScheduling() {
	if !w.s.Captured("nodes") || len(w.nodes) == 0 {
		return
	}
	q := &queue{used: w.used(), said: map[string]bool{}, granted: map[string]int64{}}
	for _, f := range slices.Clone(w.facts) {
		if f.Name == "pod-unscheduled" && f.Standing {
			w.place(w.pods[f.Subject], f, q)
		}
	}
}

// A queue is what is remembered from one pending pod to the next.
type queue struct {
	used    map[string]corev1.ResourceList // by node
	said    map[string]bool                // facts about a workload, told once
	granted map[string]int64               // GPUs of a node that earlier pods would have got were its lost ones back
}

// place finds what keeps p pending and adds it as a fact about its workload.
func (w *world) place(p *pod, f *fact, q *queue) {
	fits := w.meant(p, w.fits(p, q.used))
	var waits []string
	for _, x := range fits {
		switch {
		case x.only(notReady):
		case x.only(gpuResource) && w.wouldFit(p, x, q.granted[x.node.Name]):
			q.granted[x.node.Name] += gpuRequest(p)
		default:
			continue
		}
		waits = append(waits, analyzer.Node(x.node.Name).String())
	}
	f.detail["blockedBy"] = strings.Join(waits, " ")

	name, text, seen := w.why(p, fits, f)
	top := w.workload(p.subject)
	if name == "" || q.said[name+" "+top.String()] {
		return
	}
	q.said[name+" "+top.String()] = true
	c := w.add(fact{Fact: analyzer.Fact{Subject: top, Name: name, At: f.At, Standing: true, Text: text, Source: p.source}, kind: "arithmetic over nodes"})
	for _, x := range seen[:min(len(seen), 5)] {
		c.also = append(c.also, analyzer.Evidence{Source: x.source, Text: "node " + x.node.Name + ": " + x.say(p)})
	}
}

// meant leaves out nodes that are not meant for p: those of the control plane
// and those without the device that it asks for, unless no other is left.
func (w *world) meant(p *pod, fits []fit) []fit {
	others := func(drop func(fit) bool) {
		if rest := slices.DeleteFunc(slices.Clone(fits), drop); len(rest) > 0 {
			fits = rest
		}
	}
	others(func(f fit) bool {
		return f.taint.Key == controlPlane || f.taint.Key == oldMaster || controls(f.node)
	})
	for r := range requests(&p.Pod) {
		if device(r) {
			others(func(f fit) bool {
				has := f.node.Status.Capacity[r]
				return has.IsZero() && !(r == gpuResource && len(w.g.GPUs(f.node.Name)) > 0)
			})
		}
	}
	return fits
}

// controls reports whether a node is labelled as one of the control plane, as
// kubeadm does and as distributions without its taint do.
func controls(n corev1.Node) bool {
	_, now := n.Labels[controlPlane]
	_, once := n.Labels[oldMaster]
	return now || once || n.Labels["kubernetes.io/role"] == "master"
}

// device reports whether r is an extended resource, such as nvidia.com/gpu.
func device(r corev1.ResourceName) bool {
	return strings.Contains(string(r), "/") && !strings.HasPrefix(string(r), "kubernetes.io/")
}

// wouldFit reports whether p would fit on the node if it offered all its GPUs
// and the pods before p had taken theirs.
func (w *world) wouldFit(p *pod, x fit, taken int64) bool {
	has := max(gpus(x.node.Status.Capacity), int64(len(w.g.GPUs(x.node.Name))))
	missing := has - gpus(x.node.Status.Allocatable)
	free := x.free[gpuResource]
	return missing > 0 && free.Value()+missing-taken >= gpuRequest(p)
}

// why names the fact that keeps p off the nodes, says it in words, and returns
// the nodes that show it. Selectors and affinity say where a pod is meant to
// run, so they are to blame only where no node satisfies them; of the rest,
// what keeps it off the most nodes as the only obstacle is to blame.
func (w *world) why(p *pod, fits []fit, f *fact) (string, string, []fit) {
	for _, b := range []blocker{unselected, unaffine} {
		rest := slices.DeleteFunc(slices.Clone(fits), func(x fit) bool { return x.by(b) })
		if len(rest) == 0 {
			return "sched-" + string(b), w.sayPlacement(p, b), fits
		}
		fits = rest
	}
	least := len(slices.MinFunc(fits, func(a, b fit) int { return cmp.Compare(len(a.blocked), len(b.blocked)) }).blocked)
	if least == 0 {
		w.unseen = append(w.unseen, fmt.Sprintf("why %s is pending: a node has room for it now", p.subject))
		return "", "", nil
	}
	counts := map[blocker][]fit{}
	for _, x := range fits {
		if len(x.blocked) == least {
			for _, b := range x.blocked {
				counts[b] = append(counts[b], x)
			}
		}
	}
	worst := blocker("")
	for _, b := range append(slices.Clone(blameOrder), sortedBlockers(counts)...) {
		if len(counts[b]) > len(counts[worst]) {
			worst = b
		}
	}
	seen := counts[worst]
	switch worst {
	case notReady:
		return "", "", nil // the nodes' own fault
	case cordoned:
		return "sched-cordoned", fmt.Sprintf("%d of %d nodes that it may use are cordoned and would have room", len(seen), len(fits)), seen
	case tainted:
		return w.sayTaint(p, seen, len(fits))
	case antiAffine:
		return "sched-anti-affinity", fmt.Sprintf("on each of %d nodes with room a pod already runs that its anti-affinity excludes", len(seen)), seen
	case gpuResource:
		return w.whyGPU(p, seen, f)
	}
	return w.sayShort(p, worst, seen)
}

// sortedBlockers puts devices first: they are what a GPU node is bought for, and
// where they are short with CPU and memory the pods that hold them hold those too.
func sortedBlockers(m map[blocker][]fit) []blocker {
	rank := func(b blocker) int {
		if device(corev1.ResourceName(b)) {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b blocker) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
}

func (w *world) sayPlacement(p *pod, b blocker) string {
	if b == unaffine {
		return fmt.Sprintf("none of %d nodes satisfies its required node affinity", len(w.nodes))
	}
	var want []string
	for k, v := range p.Spec.NodeSelector {
		want = append(want, k+"="+v)
	}
	slices.Sort(want)
	return fmt.Sprintf("none of %d nodes has the labels %s", len(w.nodes), strings.Join(want, ", "))
}

func (w *world) sayTaint(p *pod, seen []fit, of int) (string, string, []fit) {
	name := "sched-taint"
	if gpuRequest(p) > 0 {
		name = "sched-gpu-taint"
	}
	return name, fmt.Sprintf("%d of %d nodes that it may use carry the taint %s, which it does not tolerate", len(seen), of, taintText(seen[0].taint)), seen
}

func taintText(t corev1.Taint) string {
	if t.Value == "" {
		return fmt.Sprintf("%s:%s", t.Key, t.Effect)
	}
	return fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect)
}

// sayShort tells of a resource that no node has enough of.
func (w *world) sayShort(p *pod, b blocker, seen []fit) (string, string, []fit) {
	r := corev1.ResourceName(b)
	want := requests(&p.Pod)[r]
	best := seen[0].free[r]
	for _, x := range seen {
		if q := x.free[r]; q.Cmp(best) > 0 {
			best = q
		}
	}
	lacking := "that lack nothing else"
	if !seen[0].only(b) {
		lacking = "that come nearest"
	}
	text := fmt.Sprintf("it requests %s of %s; of %d nodes %s the best has %s free", want.String(), r, len(seen), lacking, amount(r, best))
	switch {
	case r == corev1.ResourceCPU, r == corev1.ResourceMemory, r == corev1.ResourceEphemeralStorage:
		return "sched-" + string(r), text, seen
	case strings.HasPrefix(string(r), "nvidia.com/mig-"):
		return "sched-mig", text, seen
	case r == "vpc.amazonaws.com/efa":
		return "sched-efa", text, seen
	}
	return "sched-other", text, seen
}

// whyGPU tells apart why whole GPUs are short: none left, none left on one
// node, or held by a pod that does not use them.
func (w *world) whyGPU(p *pod, fits []fit, f *fact) (string, string, []fit) {
	want := gpuRequest(p)
	var free, most int64
	for _, x := range fits {
		q := x.free[gpuResource]
		free, most = free+max(q.Value(), 0), max(most, q.Value())
	}
	sum := fmt.Sprintf("it asks for %d GPUs on one node; %d nodes that it may use have %d free in all and at most %d on one", want, len(fits), free, max(most, 0))
	top := w.workload(p.subject)
	if w.idleHolders(p, fits, f) {
		why := sum + ", and pods that do not use theirs hold enough"
		w.reject(analyzer.Rejected{Cause: "gpu-capacity-exhausted", Subject: top, Why: why})
		return "", "", nil
	}
	if free >= want {
		w.reject(analyzer.Rejected{Cause: "gpu-capacity-exhausted", Subject: top, Why: sum + ": enough in all"})
		return "sched-gpu-fragmented", sum, fits
	}
	w.reject(analyzer.Rejected{Cause: "gpu-fragmented", Subject: top, Why: sum + ": too few in all"})
	return "sched-gpu-capacity", sum, fits
}

// idleHolders looks for pods that hold GPUs without using them and would make
// room for p on their node. It records them and reports whether there are any.
func (w *world) idleHolders(p *pod, fits []fit, f *fact) bool {
	found := false
	for _, x := range fits {
		have := x.free[gpuResource]
		room := have.Value()
		var holders []*pod
		for _, o := range w.order {
			if o.Spec.NodeName != x.node.Name || o.gone || over(o) {
				continue
			}
			if n, all := w.idle(o); all {
				room += int64(n)
				holders = append(holders, o)
			}
		}
		if len(holders) == 0 || room < gpuRequest(p) {
			continue
		}
		found = true
		for _, o := range holders {
			w.addIdle(o, f)
		}
	}
	return found
}

// addIdle records that p holds GPUs which it does not use, and that f waits for them.
func (w *world) addIdle(p *pod, f *fact) {
	f.detail["waitsFor"] = strings.TrimSpace(f.detail["waitsFor"] + " " + p.subject.String())
	if slices.ContainsFunc(w.facts, func(o *fact) bool { return o.Name == "gpu-idle" && o.Subject == p.subject }) {
		return
	}
	n, _ := w.idle(p)
	held := w.g.Held(p.subject)
	source := ""
	for _, m := range w.s.Series(string(gpuUtil)) {
		if g, ok := w.gpuOf(m); ok && g == held[0] {
			source = m.Source
		}
	}
	idle := w.add(fact{Fact: analyzer.Fact{Subject: p.subject, Name: "gpu-idle", Standing: true, Source: cmp.Or(source, p.source),
		Text: fmt.Sprintf("it holds %d GPUs and has not used them for %d minutes or more", n, int(idleFor.Minutes()))},
		kind: metricKind(string(gpuUtil)), detail: map[string]string{"gpus": fmt.Sprint(n)}})
	idle.also = append(idle.also, analyzer.Evidence{Source: p.source, Text: fmt.Sprintf("it requests %d GPUs on node %s", gpuRequest(p), p.Spec.NodeName)})
}

// amount writes how much of a resource is left: a difference of bytes has no
// round number, and nobody needs its last digits.
func amount(r corev1.ResourceName, q resource.Quantity) string {
	if (r == corev1.ResourceMemory || r == corev1.ResourceEphemeralStorage) && q.Value() >= 1<<30 {
		return fmt.Sprintf("%dGi", q.Value()>>30)
	}
	return q.String()
}

// say describes what of the node keeps p away.
func (f fit) say(p *pod) string {
	var all []string
	for _, b := range f.blocked {
		switch b {
		case tainted:
			all = append(all, "taint "+taintText(f.taint))
		case notReady, cordoned, unselected, unaffine, antiAffine:
			all = append(all, string(b))
		default:
			r := corev1.ResourceName(b)
			free, want := f.free[r], requests(&p.Pod)[r]
			all = append(all, fmt.Sprintf("%s of %s free, %s requested", amount(r, free), r, want.String()))
		}
	}
	return strings.Join(all, "; ")
}
