package facts

import (
	"regexp"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
)

// refusesNow is the autoscaler's word that it would add a node and could not.
// That no node would take the pod is the pod's fault.
var refusesNow = regexp.MustCompile(`(?i)in backoff after failed scale-up|not ready for scale-?up`)

// atLimits is its word that it may not. How many GPUs there are at most is as
// a rule how many were bought, so that for pods with GPUs it tells of use.
var atLimits = regexp.MustCompile(`(?i)max node group size reached|max cluster (?:cpu|memory|nodes|.* limit)|limit reached`)

// wantsDevices reports whether p asks for GPUs, whole or in slices, or other devices.
func wantsDevices(p *pod) bool {
	for r := range placement.Requests(p.Pod) {
		if placement.Device(r) {
			return true
		}
	}
	return false
}

// readScaleUps records that nodes are missing and the cluster's autoscaler adds none.
func (w *World) readScaleUps() {
	self := analyzer.Cluster(w.s.Cluster.Name)
	pending := slices.DeleteFunc(slices.Clone(w.named["pod-unscheduled"]), func(f *Fact) bool { return !f.Standing })
	if len(pending) == 0 {
		return
	}
	for _, f := range pending {
		for _, e := range w.events[f.Subject] {
			if e.Reason == "NotTriggerScaleUp" && (refusesNow.MatchString(e.Message) || atLimits.MatchString(e.Message) && !wantsDevices(w.pods[f.Subject])) {
				w.addOnce(Fact{Fact: analyzer.Fact{Subject: self, Name: "no-scale-up", At: e.Onset(), Standing: true, Source: e.Source, Text: clip(e.Reason + ": " + e.Message)}, Kind: EventKind, Until: e.Latest(), Seen: []analyzer.Subject{f.Subject}})
			}
		}
	}
	for _, f := range w.Called("scale-up-failed") {
		if w.now.Sub(latest(f)) > newsOfEnds || strings.HasPrefix(f.Text, "NotTriggerScaleUp") {
			continue
		}
		o := Fact{Fact: analyzer.Fact{Subject: self, Name: "no-scale-up", At: f.At, Standing: true, Source: f.Source, Text: f.Text}, Kind: f.Kind, Until: latest(f)}
		for _, p := range pending {
			o.Seen = append(o.Seen, p.Subject)
		}
		w.addOnce(o)
	}
}
