package facts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/ranking"
)

// A rollout is to blame for what began with it: new pods take some minutes to
// take over, and samples are a minute apart or more.
const (
	rolloutBefore = 15 * time.Minute
	rolloutAfter  = 3 * time.Minute
)

// readRegression records that a service does worse since its workload was
// rolled out: its series changes where the new revision starts.
func (w *World) readRegression(r ranking.Rise) {
	top, known := w.workloadBehind(r.Service)
	onset, ok := ranking.Onset(r.Series.Samples, r.Series.Name() == "vedette_service_availability")
	if !known || !ok {
		return
	}
	for _, x := range w.revisions(top) {
		if d := onset.Sub(x.at); d >= -rolloutAfter && d <= rolloutBefore {
			f := w.add(Fact{Fact: analyzer.Fact{Subject: top, Name: "rollout-worse", At: x.at, Standing: true, Source: x.source,
				Text: fmt.Sprintf("its revision %s started at %s, and %s does worse since %s", x.name, x.at.UTC().Format(time.TimeOnly), w.Words(r.Service), onset.UTC().Format(time.TimeOnly))}, Kind: ObjectKind})
			f.Also = append(f.Also, analyzer.Evidence{Source: r.Series.Source, At: onset, Text: "the change"})
			return
		}
	}
}

// A revision is one of a Deployment that followed another.
type revision struct {
	name, source string
	at           time.Time
}

// revisions returns the revisions of a Deployment but the first.
func (w *World) revisions(top analyzer.Subject) []revision {
	var all []revision
	for _, s := range w.s.ReplicaSets() {
		if slices.ContainsFunc(s.Object.OwnerReferences, isOwner(top)) && s.Object.Namespace == top.Namespace {
			all = append(all, revision{s.Object.Name, s.Source, s.Object.CreationTimestamp.Time})
		}
	}
	slices.SortFunc(all, func(a, b revision) int { return a.at.Compare(b.at) })
	if len(all) < 2 {
		return nil
	}
	return all[1:]
}

// surge is from how many times their usual number requests are more than a
// workload was sized for: autoscalers and spare capacity take the double.
const surge = 2.0

// readSurge records the service that demand comes in by, where it has risen
// before anything got slow.
func (w *World) readSurge(fired []analyzer.Subject, since time.Time) {
	for _, m := range w.s.Series("vedette_service_requests") {
		of := analyzer.Subject{Kind: "service", Namespace: m.Labels["namespace"], Name: m.Labels["service"]}
		if !slices.Contains(fired, of) {
			continue
		}
		ratio, onset, ok := ranking.Surge(m.Samples)
		if !ok || ratio < surge || !since.IsZero() && onset.After(since.Add(time.Minute)) || slices.ContainsFunc(w.callersOf[of], func(c analyzer.Subject) bool { return slices.Contains(fired, c) }) {
			continue
		}
		w.add(Fact{Fact: analyzer.Fact{Subject: of, Name: "requests-surge", At: onset, Standing: true, Source: m.Source, Text: fmt.Sprintf("%.1f times as many requests as usual reach it", ratio)}, Kind: metricKind(m.Name())})
	}
}

func isOwner(top analyzer.Subject) func(metav1.OwnerReference) bool {
	return func(o metav1.OwnerReference) bool { return strings.EqualFold(o.Kind, top.Kind) && o.Name == top.Name }
}
