package facts

import (
	"regexp"
	"slices"

	"vedette.dev/analyzer"
)

// notFitting is the autoscaler's word that no node that it could add would take
// the pod: that is the pod's fault, or the cluster's design. A limit that is
// reached, or a cloud without capacity, is not.
var atLimits = regexp.MustCompile(`(?i)max node group size reached|in backoff after failed scale-up|max cluster (?:cpu|memory|nodes|.* limit)|limit reached|not ready for scale-?up`)

// readScaleUps records that nodes are missing and the cluster's autoscaler adds none.
func (w *World) readScaleUps() {
	self := analyzer.Cluster(w.s.Cluster.Name)
	pending := slices.DeleteFunc(slices.Clone(w.named["pod-unscheduled"]), func(f *Fact) bool { return !f.Standing })
	if len(pending) == 0 {
		return
	}
	for _, f := range pending {
		for _, e := range w.events[f.Subject] {
			if e.Reason == "NotTriggerScaleUp" && atLimits.MatchString(e.Message) {
				w.addOnce(Fact{Fact: analyzer.Fact{Subject: self, Name: "no-scale-up", At: e.Onset(), Standing: true, Source: e.Source, Text: clip(e.Reason + ": " + e.Message)}, Kind: EventKind, Until: e.Latest(), Seen: []analyzer.Subject{f.Subject}})
			}
		}
	}
	for _, f := range w.Called("scale-up-failed") {
		if w.now.Sub(latest(f)) > newsOfEnds {
			continue
		}
		o := Fact{Fact: analyzer.Fact{Subject: self, Name: "no-scale-up", At: f.At, Standing: true, Source: f.Source, Text: f.Text}, Kind: f.Kind, Until: latest(f)}
		for _, p := range pending {
			o.Seen = append(o.Seen, p.Subject)
		}
		w.addOnce(o)
	}
}
