package facts

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
)

// killGrace is how long after its grace period a pod may still be there: the
// kubelet's own time-out for a call to the runtime, which it then repeats.
const killGrace = 2 * time.Minute

// readTerminating records pods that were deleted and do not end: a process
// that hangs in the kernel or a driver cannot be killed, and its pod keeps what it holds.
func (w *World) readTerminating() {
	for _, p := range w.order {
		if !w.stuck(p) {
			continue
		}
		f := w.state(p, "pod-not-ending", deleted(p), 0, fmt.Sprintf("it was to end at %s and has not", p.DeletionTimestamp.UTC().Format(time.TimeOnly)))
		for _, e := range w.events[p.subject] {
			if e.Reason == "FailedKillPod" {
				f.Weight, f.Also = 1, append(f.Also, evidenceOf(e))
			}
		}
	}
}

// deleted returns when the pod was asked to end, which its deletion timestamp
// is the grace period after.
func deleted(p *pod) time.Time {
	if p.DeletionGracePeriodSeconds == nil {
		return p.DeletionTimestamp.Time
	}
	return p.DeletionTimestamp.Add(-time.Duration(*p.DeletionGracePeriodSeconds) * time.Second)
}

// stuck reports whether the pod should have ended long ago, by its node and not by a finalizer.
func (w *World) stuck(p *pod) bool {
	if p.gone || p.DeletionTimestamp == nil || p.Spec.NodeName == "" || w.now.Sub(p.DeletionTimestamp.Time) < killGrace {
		return false
	}
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(cs corev1.ContainerStatus) bool { return cs.State.Terminated == nil })
}

// heldByStuck returns the pods that do not end on nodes which p might use but
// for what they hold.
func (w *World) heldByStuck(p *pod, fits []placement.Fit) (all []analyzer.Subject) {
	for _, x := range fits {
		for _, o := range w.placed[x.Node.Name] {
			if w.stuck(o) && (gpuRequest(p) == 0 || gpuRequest(o) > 0) {
				all = append(all, o.subject)
			}
		}
	}
	return all
}
