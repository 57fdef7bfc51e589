package facts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// Times after which a state is a symptom. Below them a cluster at work looks
// the same: pods start, probes fail once, containers are pulled.
const (
	startupGrace  = 2 * time.Minute  // a pod that is placed and does not run
	readyGrace    = 30 * time.Second // a pod that runs and is not ready
	restartMemory = 15 * time.Minute // a restart is still news
	manyRestarts  = 3

	longestBackOff = 5 * time.Minute

	newsOfEnds    = 24 * time.Hour // a job that ended longer ago has been seen or forgotten
	longestRecur  = 6 * time.Hour  // what ends less often than this does not recur,
	slowestRecur  = 12 * time.Hour // unless it always has, as what a slow leak ends
	recurSpread   = 2              // by how much its pace may vary then
	recurringEnds = 3
)

// ready reports whether the pod does what it should: it is ready, or has ended well.
func (p *pod) ready() bool {
	if p.Status.Phase == corev1.PodSucceeded {
		return true
	}
	c := p.condition(corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// since returns when the pod's readiness last changed.
func (p *pod) since() time.Time {
	if c := p.condition(corev1.PodReady); c != nil {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

func (p *pod) condition(kind corev1.PodConditionType) *corev1.PodCondition {
	for i, c := range p.Status.Conditions {
		if c.Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func (w *World) readPods() {
	for _, p := range w.order {
		known := len(w.Facts)
		for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			w.readContainer(p, cs)
		}
		w.readPhase(p)
		w.readUnready(p, w.Facts[known:])
	}
}

// state makes a fact from the state of a pod.
func (w *World) state(p *pod, name string, at time.Time, weight float64, text string) *Fact {
	return w.add(Fact{Fact: analyzer.Fact{Subject: p.subject, Name: name, At: at, Standing: !p.gone, Text: text, Source: p.source},
		Kind: ObjectKind, Weight: weight})
}

func (w *World) readContainer(p *pod, cs corev1.ContainerStatus) {
	if t := cs.State.Terminated; t != nil {
		w.readEnd(p, cs, *t, !w.recovered(p))
	}
	if t := cs.LastTerminationState.Terminated; t != nil {
		looping := cs.State.Waiting != nil && cs.State.Waiting.Reason == "CrashLoopBackOff"
		recent := w.now.Sub(t.FinishedAt.Time) <= restartMemory && (cs.RestartCount >= manyRestarts || !cs.Ready) && !w.steady(cs)
		w.readEnd(p, cs, *t, looping || recent || w.recurs(p, cs, *t))
	}
	wait := cs.State.Waiting
	if wait == nil {
		return
	}
	name := ""
	switch wait.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError":
		name = "image-pull-failing"
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		name = "container-not-created"
	default:
		return
	}
	f := w.state(p, name, p.placed(), 2, fmt.Sprintf("container %s waits: %s: %s", cs.Name, wait.Reason, wait.Message))
	f.Detail["container"], f.Detail["image"] = cs.Name, cs.Image
	w.readStatus(wait.Reason+": "+wait.Message, f)
}

// steady reports whether the container has been up and ready for longer than
// the longest pause between restarts, the kubelet's five minutes: it got over
// what ended it, such as a dependency that started later.
func (w *World) steady(cs corev1.ContainerStatus) bool {
	return cs.Ready && cs.State.Running != nil && w.now.Sub(cs.State.Running.StartedAt.Time) > longestBackOff
}

// recurs reports whether the container ends again and again and has not been
// up for longer than the last time: what ended it then may do so again.
func (w *World) recurs(p *pod, cs corev1.ContainerStatus, t corev1.ContainerStateTerminated) bool {
	lasted := t.FinishedAt.Sub(t.StartedAt.Time)
	longest := longestRecur
	if t.FinishedAt.Sub(p.CreationTimestamp.Time) <= recurSpread*lasted*time.Duration(cs.RestartCount) {
		longest = slowestRecur
	}
	return cs.RestartCount >= manyRestarts && cs.State.Running != nil && lasted > longestBackOff && lasted <= longest &&
		w.now.Sub(cs.State.Running.StartedAt.Time) <= lasted+longestBackOff
}

// placed returns when the pod was placed on a node, or last stopped being
// ready there: the start of what has failed since.
func (p *pod) placed() time.Time {
	if c := p.condition(corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue {
		if at := p.since(); at.After(c.LastTransitionTime.Time) {
			return at
		}
		return c.LastTransitionTime.Time
	}
	if p.Status.StartTime != nil {
		return p.Status.StartTime.Time
	}
	return p.CreationTimestamp.Time
}

// readEnd records how a container ended.
func (w *World) readEnd(p *pod, cs corev1.ContainerStatus, t corev1.ContainerStateTerminated, standing bool) {
	name, weight := endName(p, t)
	if name == "" {
		return
	}
	text := fmt.Sprintf("container %s ended with exit code %d (%s)", cs.Name, t.ExitCode, t.Reason)
	if cs.RestartCount > 0 {
		text += fmt.Sprintf(", restarted %d times", cs.RestartCount)
	}
	f := w.state(p, name, t.FinishedAt.Time, weight, text)
	f.Standing = standing && !p.gone
	f.Detail["container"], f.Detail["exit"] = cs.Name, strconv.Itoa(int(t.ExitCode))
	f.Detail["restarts"] = strconv.Itoa(int(cs.RestartCount))
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == cs.Name {
			f.Detail["limit"] = q.String()
		}
	}
	if t.Message != "" {
		w.readStatus(t.Reason+": "+t.Message, f)
	}
}

// endName sorts the end of a container by what its exit code says. 128+n is
// the shell's way to say that signal n ended it.
func endName(p *pod, t corev1.ContainerStateTerminated) (string, float64) {
	switch {
	case t.Reason == "OOMKilled":
		return "container-oom-killed", 2
	case t.Reason == "StartError", t.Reason == "ContainerCannotRun":
		return "container-start-refused", 2
	case t.ExitCode == 126, t.ExitCode == 127:
		return "container-not-startable", 2
	case t.ExitCode == 0 && p.Spec.RestartPolicy == corev1.RestartPolicyAlways && t.Reason == "Completed" && !initContainer(p, t):
		return "container-completed", 1
	case t.ExitCode == 0:
		return "", 0
	case t.ExitCode == 137, t.ExitCode == 143:
		return "container-killed", 2
	case t.ExitCode == 132, t.ExitCode == 135, t.ExitCode == 136, t.ExitCode == 139:
		return "container-signalled", 2
	}
	return "container-failed", 2
}

// initContainer reports whether t is how one of the pod's init containers ended.
func initContainer(p *pod, t corev1.ContainerStateTerminated) bool {
	return slices.ContainsFunc(p.Status.InitContainerStatuses, func(cs corev1.ContainerStatus) bool {
		return cs.State.Terminated != nil && cs.State.Terminated.ContainerID == t.ContainerID && cs.State.Terminated.FinishedAt.Equal(&t.FinishedAt)
	})
}

// recovered reports whether the pod's end no longer matters: its job went on
// with other pods or has ended well, or a controller has put others in its place.
func (w *World) recovered(p *pod) bool {
	if p.ready() {
		return true
	}
	top := w.Workload(p.subject)
	if job, ok := w.jobOf(p); ok {
		j := w.jobs[job]
		if jobFailed(j) || jobComplete(j) {
			return jobComplete(j) || w.outdated(j, p.ended())
		}
		return j.Status.Active >= wantedPods(j) && w.allReady(job)
	}
	if top == p.subject || p.Status.Phase != corev1.PodFailed {
		return false
	}
	if !p.ended().IsZero() && w.now.Sub(p.ended()) > newsOfEnds && top.Kind != "pytorchjob" {
		return true
	}
	return len(w.short(top)) == 0 && !w.recurring(p, top) && slices.ContainsFunc(w.Graph.Pods(top), func(s analyzer.Subject) bool { return w.pods[s] != nil && w.pods[s].ready() })
}

// jobOf returns the job that the pod belongs to.
func (w *World) jobOf(p *pod) (analyzer.Subject, bool) {
	for _, o := range p.OwnerReferences {
		s := analyzer.Subject{Kind: strings.ToLower(o.Kind), Namespace: p.Namespace, Name: o.Name}
		if _, ok := w.jobs[s]; ok {
			return s, true
		}
	}
	return analyzer.Subject{}, false
}

// recurring reports whether pods of the workload fail for the same reason
// again and again, of late too: that others take their place is no cure.
func (w *World) recurring(p *pod, top analyzer.Subject) bool {
	n, last := 0, time.Time{}
	for _, s := range w.Graph.Pods(top) {
		if o := w.pods[s]; o != nil && o.Status.Phase == corev1.PodFailed && o.Status.Reason == p.Status.Reason {
			n++
			if at := w.endOf(o); at.After(last) {
				last = at
			}
		}
	}
	return n >= recurringEnds && w.now.Sub(last) <= time.Hour
}

// endOf returns when a pod ended: by its own word, else by the events about it.
func (w *World) endOf(p *pod) time.Time {
	at := p.ended()
	if c := p.condition(corev1.DisruptionTarget); c != nil && c.LastTransitionTime.After(at) {
		at = c.LastTransitionTime.Time
	}
	for _, e := range w.events[p.subject] {
		if e.Reason == "Evicted" && e.Latest().After(at) {
			at = e.Latest()
		}
	}
	if at.IsZero() {
		return p.CreationTimestamp.Time // it ended later; nothing says when
	}
	return at
}

// allReady reports whether every pod of the workload that has not ended is ready.
func (w *World) allReady(top analyzer.Subject) bool {
	for _, s := range w.Graph.Pods(top) {
		p := w.pods[s]
		if p != nil && (p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodPending) && !p.ready() {
			return false
		}
	}
	return true
}

// readPhase records what the pod as a whole says.
func (w *World) readPhase(p *pod) {
	switch {
	case p.Status.Phase == corev1.PodFailed && p.Status.Reason != "":
		f := w.state(p, "pod-failed", w.endOf(p), 2, fmt.Sprintf("the pod failed: %s: %s", p.Status.Reason, p.Status.Message))
		f.Standing = !p.gone && !w.recovered(p)
		w.readStatus(p.Status.Reason+": "+p.Status.Message, f)
	case p.Status.Phase == corev1.PodPending && p.Spec.NodeName == "":
		c := p.condition(corev1.PodScheduled)
		if c != nil && c.Reason == corev1.PodReasonSchedulingGated {
			w.state(p, "pod-gated", c.LastTransitionTime.Time, 1, "the pod is held back by a scheduling gate")
			return
		}
		if c != nil && c.Reason == corev1.PodReasonUnschedulable {
			w.state(p, "pod-unscheduled", c.LastTransitionTime.Time, 2, "the pod cannot be placed: "+c.Message)
		} else if w.now.Sub(p.CreationTimestamp.Time) > readyGrace && len(w.events[p.subject]) == 0 {
			w.state(p, "pod-ignored", p.CreationTimestamp.Time, 2, "the pod is pending and no scheduler has said a word about it")
		}
	}
	if c := p.condition(corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		f := w.state(p, "pod-disrupted", c.LastTransitionTime.Time, 0, fmt.Sprintf("the pod was taken away: %s: %s", c.Reason, c.Message))
		f.Standing = f.Standing && (p.Status.Phase != corev1.PodFailed || !w.recovered(p))
		w.readStatus("DisruptionTarget "+c.Reason+": "+c.Message, f)
	}
}

// ended returns when the last container of the pod ended.
func (p *pod) ended() time.Time {
	at := p.since()
	for _, cs := range p.Status.ContainerStatuses {
		if t := cs.State.Terminated; t != nil && t.FinishedAt.After(at) {
			at = t.FinishedAt.Time
		}
	}
	return at
}

// readUnready records that a pod does not work where nothing more exact was said.
func (w *World) readUnready(p *pod, said []*Fact) {
	if p.gone || p.ready() || p.DeletionTimestamp != nil || w.starting(p) || slices.ContainsFunc(said, func(f *Fact) bool { return f.Weight > 0 && f.Standing }) {
		return
	}
	switch {
	case p.Status.Phase == corev1.PodRunning && w.now.Sub(p.since()) > readyGrace:
		w.state(p, "pod-not-ready", p.since(), 1, "the pod runs and is not ready")
		if slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.ReadinessProbe != nil }) {
			w.state(p, "readiness-failing", p.since(), 0, "it has a readiness probe, and is not ready")
		}
	case p.Status.Phase == corev1.PodPending && p.Spec.NodeName != "" && w.now.Sub(p.placed()) > startupGrace:
		w.state(p, "pod-not-started", p.placed(), 1, "the pod is placed and its containers do not start"+waiting(p))
	}
}

// waiting says what the containers of the pod wait for.
func waiting(p *pod) string {
	var all []string
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if cs.State.Waiting != nil {
			all = append(all, cs.Name+" "+cs.State.Waiting.Reason)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}
