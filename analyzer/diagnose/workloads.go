package diagnose

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// readWorkloads records which controllers do not have what they want.
func (w *world) readWorkloads() {
	for _, j := range w.s.Jobs() {
		self := analyzer.Subject{Kind: "job", Namespace: j.Object.Namespace, Name: j.Object.Name}
		for _, c := range j.Object.Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
				w.add(fact{Fact: analyzer.Fact{Subject: self, Name: "job-failed", At: c.LastTransitionTime.Time, Standing: true, Source: j.Source,
					Text: fmt.Sprintf("the job failed: %s: %s", c.Reason, c.Message)}, kind: objectKind, weight: 2})
			}
		}
	}
	for _, d := range w.s.Deployments() {
		w.readShort(analyzer.Subject{Kind: "deployment", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
	for _, d := range w.s.StatefulSets() {
		w.readShort(analyzer.Subject{Kind: "statefulset", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
	for _, d := range w.s.DaemonSets() {
		w.readShort(analyzer.Subject{Kind: "daemonset", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
}

func (w *world) readShort(self analyzer.Subject, source string) {
	s := w.short(self)
	if len(s) == 0 {
		return
	}
	w.add(fact{Fact: analyzer.Fact{Subject: self, Name: "workload-short", At: w.shortSince(self), Standing: true, Source: source, Text: s},
		kind: objectKind, weight: 1})
}

// short says how many pods the controller lacks, "" where it lacks none.
func (w *world) short(self analyzer.Subject) string {
	wanted, ready := int32(0), int32(0)
	switch self.Kind {
	case "deployment":
		for _, d := range w.s.Deployments() {
			if d.Object.Namespace == self.Namespace && d.Object.Name == self.Name {
				wanted, ready = orOne(d.Object.Spec.Replicas), d.Object.Status.ReadyReplicas
			}
		}
	case "statefulset":
		for _, d := range w.s.StatefulSets() {
			if d.Object.Namespace == self.Namespace && d.Object.Name == self.Name {
				wanted, ready = orOne(d.Object.Spec.Replicas), d.Object.Status.ReadyReplicas
			}
		}
	case "daemonset":
		for _, d := range w.s.DaemonSets() {
			if d.Object.Namespace == self.Namespace && d.Object.Name == self.Name {
				wanted, ready = d.Object.Status.DesiredNumberScheduled, d.Object.Status.NumberReady
			}
		}
	}
	if ready >= wanted {
		return ""
	}
	return fmt.Sprintf("%d of %d wanted pods are ready", ready, wanted)
}

// known reports whether the snapshot holds the controller itself, so that its
// status can be believed.
func (w *world) known(self analyzer.Subject) bool {
	resource := map[string]string{"deployment": "deployments.apps", "statefulset": "statefulsets.apps", "daemonset": "daemonsets.apps"}[self.Kind]
	return resource != "" && w.s.Captured(resource) && w.g.Knows(self)
}

// shortSince returns when the deployment stopped being available, where it says so.
func (w *world) shortSince(self analyzer.Subject) time.Time {
	if self.Kind != "deployment" {
		return time.Time{}
	}
	for _, d := range w.s.Deployments() {
		if d.Object.Namespace != self.Namespace || d.Object.Name != self.Name {
			continue
		}
		for _, c := range d.Object.Status.Conditions {
			if c.Type == "Available" && c.Status == corev1.ConditionFalse {
				return c.LastTransitionTime.Time
			}
		}
	}
	return time.Time{}
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// wantedPods is how many pods a job runs at a time.
func wantedPods(j batchv1.Job) int32 { return orOne(j.Spec.Parallelism) }

func jobComplete(j batchv1.Job) bool { return jobIs(j, batchv1.JobComplete) }
func jobFailed(j batchv1.Job) bool   { return jobIs(j, batchv1.JobFailed) }

func jobIs(j batchv1.Job, kind batchv1.JobConditionType) bool {
	for _, c := range j.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
