package facts

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/placement"
)

// longestStart is for how long a start is believed to be one, whatever its probe
// grants: those of large models grant half an hour, in which much else may be wrong.
const longestStart = 5 * time.Minute

// starting reports whether the pod is still inside the time that its startup
// probes grant it and has not been restarted: what its author calls a start is no trouble.
func (w *World) starting(p *pod) bool {
	if p.gone || p.Status.Phase != corev1.PodRunning {
		return false
	}
	waits := false
	for _, cs := range p.Status.ContainerStatuses {
		switch granted := startTime(p.Pod, cs.Name); {
		case cs.Ready:
		case granted == 0, cs.RestartCount > 0, cs.State.Running == nil, cs.Started != nil && *cs.Started,
			w.now.Sub(cs.State.Running.StartedAt.Time) > granted:
			return false
		default:
			waits = true
		}
	}
	return waits
}

// onJoining reports whether the pod waits for a node that need not be ready yet.
func (w *World) onJoining(p *pod) bool {
	n := w.node[p.Spec.NodeName]
	return n != nil && w.joining(&n.Object) && !placement.Ready(&n.Object)
}

// startTime returns how long the startup probe of a container lets it fail, 0 where it has none.
func startTime(p *corev1.Pod, container string) time.Duration {
	for _, c := range p.Spec.Containers {
		if s := c.StartupProbe; c.Name == container && s != nil {
			period, failures := max(s.PeriodSeconds, 1), max(s.FailureThreshold, 1)
			return min(time.Duration(s.InitialDelaySeconds+period*failures)*time.Second, longestStart)
		}
	}
	return 0
}

// underWay returns how many pods of the workload are still starting, or are on a node that is.
func (w *World) underWay(top analyzer.Subject) (n int32) {
	for _, s := range w.Graph.Pods(top) {
		if p := w.pods[s]; p != nil && (w.starting(p) || !p.gone && w.onJoining(p)) {
			n++
		}
	}
	return n
}
