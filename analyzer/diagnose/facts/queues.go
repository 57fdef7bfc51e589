package facts

import (
	"encoding/json"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
)

// queued is Kueue's object for work that waits for its queue: https://kueue.sigs.k8s.io/docs/concepts/workload/
const queued = "workloads.kueue.x-k8s.io"

// noShare is its word that the queue's share of GPUs is used up.
var noShare = regexp.MustCompile(`insufficient (?:unused )?quota (?:for|in cohort for) (?:nvidia|amd)\.com/`)

// readQueues records namespaces whose work waits for its queue's share of GPUs.
func (w *World) readQueues() {
	for _, o := range w.s.Objects[queued] {
		var x struct {
			metav1.ObjectMeta `json:"metadata"`
			Status            struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		if json.Unmarshal(o.Raw, &x) != nil {
			continue // whoever asks for the object is told
		}
		for _, c := range x.Status.Conditions {
			if c.Type != "QuotaReserved" || c.Status != metav1.ConditionFalse || !noShare.MatchString(c.Message) {
				continue
			}
			f := Fact{Fact: analyzer.Fact{Subject: analyzer.Subject{Kind: "namespace", Name: x.Namespace}, Name: "quota-gpu", At: c.LastTransitionTime.Time, Standing: true, Source: o.Source, Text: clip(x.Name + " waits: " + c.Message)},
				Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{{Kind: "workload", Namespace: x.Namespace, Name: x.Name}}}
			for _, r := range x.OwnerReferences {
				if s, err := analyzer.ParseSubject(strings.ToLower(r.Kind) + "/" + x.Namespace + "/" + r.Name); err == nil {
					f.Seen = append(f.Seen, s)
				}
			}
			w.addOnce(f)
		}
	}
}
