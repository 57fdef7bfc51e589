package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/catalog"
)

// What the kubelet says of volumes.
const (
	volumeFree  catalog.ID = "kubelet_volume_stats_available_bytes"
	volumeSize  catalog.ID = "kubelet_volume_stats_capacity_bytes"
	volumeSpare            = 0.02 // of its size left: databases refuse to start below it, file systems keep as much to themselves
)

var (
	unmounted = regexp.MustCompile(`unmounted volumes=\[([^\]]*)\]`)
	ofVolume  = regexp.MustCompile(`for (?:volume|pvc) "([^"]+)"`)
	// A mount that does not end or is refused by the other side; a Secret, a
	// ConfigMap or a claim that is missing are other faults.
	mountFails = regexp.MustCompile(`(?i)timed out|deadline ?exceeded|not responding|mount failed|connection refused|no route to host|transport endpoint|driver name \S+ not found|attachvolume\.attach failed|input/output error|no such device|stale file handle|aborted|access denied by server|wrong fs type|volume id not found|connection timed out`)
	// The kubelet's caches fill while a node starts; what is missing is named.
	mountOther = regexp.MustCompile(`(?i)failed to sync (?:configmap|secret) cache|(?:configmap|secret) "[^"]+" not found|references non-existent|Multi-Attach|already exclusively attached`)
	nfsSilent  = regexp.MustCompile(`nfs: server (\S+) not responding`)
)

// readVolumes records claims that cannot be mounted, and those that are full.
func (w *World) readVolumes() {
	for _, p := range w.order {
		if p.gone || p.ready() {
			continue
		}
		for _, e := range w.events[p.subject] {
			if (e.Reason == "FailedMount" || e.Reason == "FailedAttachVolume" || e.Reason == "FailedMapVolume") && mountFails.MatchString(e.Message) && !mountOther.MatchString(e.Message) {
				for _, s := range w.claimsIn(p, e.Message) {
					f := Fact{Fact: analyzer.Fact{Subject: s, Name: "volume-not-mounted", At: e.Onset(), Standing: w.eventStands(p.subject, e), Source: e.Source, Text: clip(e.Reason + ": " + e.Message)},
						Kind: EventKind, Until: e.Latest(), Weight: 1, Seen: []analyzer.Subject{p.subject}}
					w.addOnce(f)
				}
			}
		}
	}
	w.readSilentServers()
	w.readFullVolumes()
	w.readAbsentClaims()
}

// readAbsentClaims records claims that pods wait for and that are not there,
// where no quota is the likelier reason.
func (w *World) readAbsentClaims() {
	if !w.s.Captured("persistentvolumeclaims") {
		return
	}
	have := map[analyzer.Subject]bool{}
	for _, c := range w.s.Claims() {
		have[analyzer.Subject{Kind: "pvc", Namespace: c.Object.Namespace, Name: c.Object.Name}] = true
	}
	for _, f := range slices.Clone(w.named["pod-unscheduled"]) {
		if !f.Standing || slices.ContainsFunc(w.s.Quotas(), func(q snapshot.Typed[corev1.ResourceQuota]) bool {
			return q.Object.Namespace == f.Subject.Namespace && limits(q.Object, "requests.storage", "persistentvolumeclaims", "count/persistentvolumeclaims")
		}) {
			continue
		}
		for _, c := range w.Mounts(f.Subject) {
			if !have[c] && !w.ephemeral(f.Subject, c) {
				w.addOnce(Fact{Fact: analyzer.Fact{Subject: c, Name: "claim-absent", At: f.At, Standing: true, Source: f.Source, Text: fmt.Sprintf("%s mounts the claim %s, which does not exist", w.Words(f.Subject), c.Name)},
					Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{f.Subject}})
			}
		}
	}
}

// ephemeral reports whether the claim is one that is made with the pod.
func (w *World) ephemeral(pod, claim analyzer.Subject) bool {
	return slices.ContainsFunc(w.pods[pod].Spec.Volumes, func(v corev1.Volume) bool { return v.Ephemeral != nil && pod.Name+"-"+v.Name == claim.Name })
}

// claimsIn returns the claims that a message of the kubelet about p names by
// their volumes; where it names none, and no other thing, those of p. A volume
// without a claim is p's own.
func (w *World) claimsIn(p *pod, message string) []analyzer.Subject {
	var names []string
	if m := unmounted.FindStringSubmatch(message); m != nil {
		names = strings.Fields(m[1])
	} else if m := ofVolume.FindStringSubmatch(message); m != nil {
		names = []string{m[1]}
	}
	var all []analyzer.Subject
	claim := func(name string) {
		if s := (analyzer.Subject{Kind: "pvc", Namespace: p.Namespace, Name: name}); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, v := range p.Spec.Volumes {
		if c := v.PersistentVolumeClaim; c != nil && (slices.Contains(names, v.Name) || slices.Contains(names, w.volumeName(p.Namespace, c.ClaimName)) || slices.Contains(names, c.ClaimName)) {
			claim(c.ClaimName)
		}
	}
	if len(all) == 0 && !slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return slices.Contains(names, v.Name) }) {
		for _, name := range claimNames(p.Pod) {
			claim(name)
		}
	}
	if len(all) == 0 {
		all = append(all, w.Workload(p.subject))
	}
	return all
}

func (w *World) volumeName(namespace, claim string) string {
	for _, c := range w.s.Claims() {
		if c.Object.Namespace == namespace && c.Object.Name == claim {
			return c.Object.Spec.VolumeName
		}
	}
	return ""
}

// readSilentServers reads kernels' complaints of NFS servers as complaints of
// the claims that are on them.
func (w *World) readSilentServers() {
	for _, f := range w.Called("nfs-silent") {
		m := nfsSilent.FindStringSubmatch(f.Text)
		if m == nil {
			continue
		}
		for _, v := range w.s.Volumes() {
			server := ""
			if v.Object.Spec.NFS != nil {
				server = v.Object.Spec.NFS.Server
			} else if v.Object.Spec.CSI != nil {
				server = v.Object.Spec.CSI.VolumeAttributes["server"]
			}
			if r := v.Object.Spec.ClaimRef; r != nil && server == m[1] {
				w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Subject{Kind: "pvc", Namespace: r.Namespace, Name: r.Name}, Name: "volume-not-mounted", At: f.At, Standing: f.Standing, Source: f.Source, Text: f.Text},
					Kind: KernelKind, Until: latest(f), Weight: 1, Seen: []analyzer.Subject{f.Subject}})
			}
		}
	}
}

// readFullVolumes joins what the kubelet measures with what programs say. Who
// says that no space is left may mean the node's disk or its own limit; it is the
// claim's where the claim is full, or is all that the program can write to.
func (w *World) readFullVolumes() {
	sizes := map[analyzer.Subject]snapshot.Series{}
	for _, m := range w.s.Series(string(volumeSize)) {
		sizes[claimOf(m)] = m
	}
	measured := map[analyzer.Subject]bool{}
	for _, m := range w.s.Series(string(volumeFree)) {
		claim := claimOf(m)
		size, ok := sizes[claim]
		measured[claim] = true
		if !ok || !w.fresh(m) || m.Last().Value > volumeSpare*size.Last().Value {
			continue
		}
		at, _ := runStart(m, func(v float64) bool { return v <= volumeSpare*size.Last().Value })
		w.add(Fact{Fact: analyzer.Fact{Subject: claim, Name: "volume-full", At: at, Standing: true, Source: m.Source,
			Text: fmt.Sprintf("%.0f of its %.0f MiB are free", m.Last().Value/(1<<20), size.Last().Value/(1<<20))}, Kind: metricKind(m.Name()), Weight: 1})
	}
	for _, f := range w.Called("no-space-left") {
		claims := w.Mounts(f.Subject)
		full := slices.DeleteFunc(slices.Clone(claims), func(c analyzer.Subject) bool {
			return !slices.ContainsFunc(w.named["volume-full"], func(o *Fact) bool { return o.Subject == c && o.Kind != LogKind })
		})
		switch {
		case len(full) > 0:
			claims = full
		case len(claims) != 1 || measured[claims[0]]:
			continue
		}
		for _, c := range claims[:1] {
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: c, Name: "volume-full", At: f.At, Standing: f.Standing || w.now.Sub(latest(f)) <= time.Hour, Source: f.Source, Text: f.Text},
				Kind: f.Kind, Until: latest(f), Weight: 1, Seen: []analyzer.Subject{f.Subject}})
		}
	}
}

func claimOf(m snapshot.Series) analyzer.Subject {
	return analyzer.Subject{Kind: "pvc", Namespace: m.Labels["namespace"], Name: m.Labels["persistentvolumeclaim"]}
}
