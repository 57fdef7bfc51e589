package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// unknownWhy is the answer of [World.why] where the nodes do not tell.
const unknownWhy = "?"

// tally is one reason in the scheduler's message: "3 Insufficient cpu".
var tally = regexp.MustCompile(`(\d+) (?:node\(s\) )?([^,]*?)(?:, |\. |\.?$)`)

// gpuTaint is a taint that keeps others off GPU nodes.
var gpuTaint = regexp.MustCompile(`(?i)taint \{?[^}]*(?:gpu|nvidia|accelerator)`)

// schedulerWords are the scheduler's reasons, in the order of blame where it
// gives several for equally many nodes, and the facts that we have for them.
var schedulerWords = []struct{ says, fact string }{
	{"Insufficient nvidia.com/mig-", "sched-mig"}, {"Insufficient vpc.amazonaws.com/efa", "sched-efa"}, {"Insufficient nvidia.com/gpu", "sched-gpu-capacity"},
	{"volume node affinity conflict", "sched-volume-zone"}, {"no available volume zone", "sched-volume-zone"}, {"didn't have free ports", "sched-host-port"},
	{"topology spread constraints", "sched-topology-spread"}, {"anti-affinity", "sched-anti-affinity"},
	{"were unschedulable", "sched-cordoned"}, {"untolerated taint", "sched-taint"}, {"that the pod didn't tolerate", "sched-taint"},
	{"didn't match node selector", "sched-selector"}, {"node affinity/selector", "sched-selector"}, {"didn't match Pod's node affinity", "sched-affinity"},
	{"Insufficient cpu", "sched-cpu"}, {"Insufficient memory", "sched-memory"}, {"Insufficient ephemeral-storage", "sched-ephemeral-storage"},
}

// believeScheduler takes the scheduler's word for why a pod is pending, where
// the nodes were not captured or do not tell.
func (w *World) believeScheduler(f *Fact) {
	p := w.pods[f.Subject]
	_, said, _ := strings.Cut(f.Text, "nodes are available: ")
	said, _, _ = strings.Cut(said, "preemption:")
	best, most := "", 0
	for _, m := range tally.FindAllStringSubmatch(said, -1) {
		n, _ := strconv.Atoi(m[1])
		if gpuRequest(p) > 0 && gpuTaint.MatchString(m[2]) {
			best, most = "sched-gpu-taint", n // the nodes without GPUs lack those besides
			break
		}
		if n <= most || strings.Contains(m[2], "control-plane") || strings.Contains(m[2], "node-role.kubernetes.io/master") {
			continue
		}
		for _, x := range schedulerWords {
			if strings.Contains(m[2], x.says) {
				best, most = x.fact, n
				break
			}
		}
	}
	top := w.Workload(f.Subject)
	switch {
	case best == "" || slices.ContainsFunc(w.named[best], func(o *Fact) bool { return o.Subject == top || slices.Contains(o.Seen, top) }):
		return
	case best == "sched-taint" && gpuRequest(p) > 0:
		best = "sched-gpu-taint"
	case best == "sched-gpu-capacity":
		best = "sched-gpu-said" // it does not say how many are free, and where
	case best == "sched-selector" && len(p.Spec.NodeSelector) == 0:
		best = "sched-affinity"
	}
	c := w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: best, At: f.At, Standing: true, Source: f.Source, Text: fmt.Sprintf("of the nodes, %d say so: %s", most, clip(said))}, Kind: EventKind})
	if best == "sched-volume-zone" {
		c.Subject, c.Seen = w.strandedClaim(p), []analyzer.Subject{top}
	}
}

// volumesOf returns the volumes that the claims of a pod are bound to.
func (w *World) volumesOf(p *corev1.Pod) []*corev1.PersistentVolume {
	var all []*corev1.PersistentVolume
	for _, name := range claimNames(p) {
		if v := w.volumeOf(p.Namespace, name); v != nil {
			all = append(all, v)
		}
	}
	return all
}

func claimNames(p *corev1.Pod) []string {
	var all []string
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			all = append(all, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return all
}

// volumeOf returns the volume that a claim is bound to, nil where there is none.
func (w *World) volumeOf(namespace, claim string) *corev1.PersistentVolume {
	for _, c := range w.s.Claims() {
		if c.Object.Namespace != namespace || c.Object.Name != claim || c.Object.Spec.VolumeName == "" {
			continue
		}
		for _, v := range w.s.Volumes() {
			if v.Object.Name == c.Object.Spec.VolumeName {
				return &v.Object
			}
		}
	}
	return nil
}

// strandedClaim returns the claim of p whose volume is bound to a place, the
// only one or the first, and p's workload where no claim is known.
func (w *World) strandedClaim(p *pod) analyzer.Subject {
	names := claimNames(p.Pod)
	for _, name := range names {
		if v := w.volumeOf(p.Namespace, name); v != nil && v.Spec.NodeAffinity != nil {
			return analyzer.Subject{Kind: "pvc", Namespace: p.Namespace, Name: name}
		}
	}
	if len(names) > 0 {
		return analyzer.Subject{Kind: "pvc", Namespace: p.Namespace, Name: names[0]}
	}
	return w.Workload(p.subject)
}
