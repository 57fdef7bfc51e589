package facts

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/knowledge"
	"vedette.dev/analyzer/snapshot"
)

// readWorkloads records which controllers do not have what they want.
func (w *World) readWorkloads() {
	for _, j := range w.s.Jobs() {
		self := analyzer.Subject{Kind: "job", Namespace: j.Object.Namespace, Name: j.Object.Name}
		w.readIdleJob(self, j)
		w.readFailingJob(self, j)
		for _, c := range j.Object.Status.Conditions {
			if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
				w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: "job-failed", At: c.LastTransitionTime.Time, Standing: !w.outdated(&j.Object, c.LastTransitionTime.Time), Source: j.Source,
					Text: fmt.Sprintf("the job failed: %s: %s", c.Reason, c.Message)}, Kind: ObjectKind, Weight: 2})
			}
		}
	}
	for _, d := range w.s.Deployments() {
		w.readShort(analyzer.Subject{Kind: "deployment", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
	for _, d := range w.s.Deployments() {
		for _, c := range d.Object.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				w.readRefusal(analyzer.Subject{Kind: "deployment", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source, c.LastTransitionTime.Time, c.Message)
			}
		}
	}
	for _, r := range w.s.ReplicaSets() {
		for _, c := range r.Object.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				w.readRefusal(analyzer.Subject{Kind: "replicaset", Namespace: r.Object.Namespace, Name: r.Object.Name}, r.Source, c.LastTransitionTime.Time, c.Message)
			}
		}
	}
	for _, d := range w.s.StatefulSets() {
		w.readShort(analyzer.Subject{Kind: "statefulset", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
	for _, d := range w.s.DaemonSets() {
		w.readShort(analyzer.Subject{Kind: "daemonset", Namespace: d.Object.Namespace, Name: d.Object.Name}, d.Source)
	}
}

// readRefusal reads why a controller's pods are refused out of its own status,
// in the words that its events have too.
func (w *World) readRefusal(self analyzer.Subject, source string, at time.Time, message string) {
	said := "FailedCreate: " + message
	if found := knowledge.All().In(knowledge.Event).Match(said); found != nil {
		w.addTexts(found, said, self, Fact{Fact: analyzer.Fact{At: at, Standing: len(w.short(w.Workload(self))) > 0 || w.controllers[w.Workload(self)].stuck, Source: source}, Kind: ObjectKind})
	}
}

// readIdleJob records a job that should run pods and has none.
func (w *World) readIdleJob(self analyzer.Subject, j snapshot.Typed[batchv1.Job]) {
	o := &j.Object
	wanted := min(wantedPods(o), orOne(o.Spec.Completions)+o.Status.Failed)
	started := o.CreationTimestamp.Time
	if o.Status.StartTime != nil {
		started = o.Status.StartTime.Time
	}
	if jobComplete(o) || jobFailed(o) || o.Spec.Suspend != nil && *o.Spec.Suspend || o.Status.Active > 0 || o.Status.Succeeded > 0 || wanted == 0 || w.now.Sub(started) < startupGrace {
		return
	}
	w.add(Fact{Fact: analyzer.Fact{Subject: w.Workload(self), Name: "workload-short", At: started, Standing: true, Source: j.Source, Text: "the job should run and has no pod"},
		Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{self}})
}

// readFailingJob records a job whose pods fail again and again: each is replaced
// and looks well for as long as it lasts, and the job gets nowhere.
func (w *World) readFailingJob(self analyzer.Subject, j snapshot.Typed[batchv1.Job]) {
	if jobComplete(&j.Object) || jobFailed(&j.Object) {
		return
	}
	var times []time.Time // of failures, those of one moment counted once: one rank takes the others along
	for _, p := range w.order {
		if p.Status.Phase != corev1.PodFailed || p.ended().IsZero() || w.Workload(p.subject) != w.Workload(self) {
			continue
		}
		times = append(times, p.ended())
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, func(a, b time.Time) bool { return a.Sub(b).Abs() <= startupGrace })
	if n := len(times); n >= keepsFailing && w.now.Sub(times[n-1]) <= times[n-1].Sub(times[n-keepsFailing]) {
		w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: "job-failed", At: times[0], Standing: true, Source: j.Source,
			Text: fmt.Sprintf("pods of the job failed at %d times since %s, and again at %s", n, times[0].UTC().Format(time.TimeOnly), times[n-1].UTC().Format(time.TimeOnly))}, Kind: ObjectKind, Weight: 1})
	}
}

// keepsFailing is how often a job's pods must have failed to fail again: two
// ends may be two accidents. It must have been within as long a time as passed
// between them, or else it has come to rest.
const keepsFailing = 3

// outdated reports whether the end of a job at that time no longer matters:
// a later run of its owner, or of the same containers under another name, went
// well, or nobody has run it again for a day.
func (w *World) outdated(j *batchv1.Job, at time.Time) bool {
	if w.now.Sub(at) > newsOfEnds {
		return true
	}
	for _, o := range w.jobs {
		if o.Namespace != j.Namespace || !o.CreationTimestamp.After(j.CreationTimestamp.Time) || !jobComplete(o) && o.Status.Succeeded == 0 {
			continue
		}
		if owner := ownerOf(j); owner != "" && owner == ownerOf(o) || owner == "" && equality.Semantic.DeepEqual(j.Spec.Template.Spec.Containers, o.Spec.Template.Spec.Containers) {
			return true
		}
	}
	return false
}

func ownerOf(j *batchv1.Job) string {
	for _, o := range j.OwnerReferences {
		return o.Kind + "/" + o.Name
	}
	return ""
}

func (w *World) readShort(self analyzer.Subject, source string) {
	s, c := w.short(self), w.controllers[self]
	if s == "" && c.stuck {
		s = "its rollout cannot make new pods; those of before go on"
	}
	if s == "" {
		return
	}
	w.add(Fact{Fact: analyzer.Fact{Subject: self, Name: "workload-short", At: c.since, Standing: true, Source: source, Text: s},
		Kind: ObjectKind, Weight: 1})
}

// A controller is what a Deployment, StatefulSet or DaemonSet wants and has.
type controller struct {
	wanted, ready int32
	since         time.Time // when it stopped being available, where it says so
	stuck         bool      // it has old pods and cannot make new ones
}

// indexControllers reads what every controller and job says of itself.
func (w *World) indexControllers() {
	w.controllers, w.jobs = map[analyzer.Subject]controller{}, map[analyzer.Subject]*batchv1.Job{}
	for _, d := range w.s.Deployments() {
		c := controller{wanted: orOne(d.Object.Spec.Replicas), ready: d.Object.Status.ReadyReplicas}
		for _, x := range d.Object.Status.Conditions {
			if x.Type == appsv1.DeploymentAvailable && x.Status == corev1.ConditionFalse {
				c.since = x.LastTransitionTime.Time
				break
			}
		}
		if at, stuck := stuckSince(&d.Object); stuck {
			c.stuck, c.since = true, at
		}
		w.controllers[analyzer.Subject{Kind: "deployment", Namespace: d.Object.Namespace, Name: d.Object.Name}] = c
	}
	for _, d := range w.s.StatefulSets() {
		w.controllers[analyzer.Subject{Kind: "statefulset", Namespace: d.Object.Namespace, Name: d.Object.Name}] =
			controller{wanted: orOne(d.Object.Spec.Replicas), ready: d.Object.Status.ReadyReplicas}
	}
	for _, d := range w.s.DaemonSets() {
		w.controllers[analyzer.Subject{Kind: "daemonset", Namespace: d.Object.Namespace, Name: d.Object.Name}] =
			controller{wanted: d.Object.Status.DesiredNumberScheduled, ready: d.Object.Status.NumberReady}
	}
	for _, j := range w.s.Jobs() {
		w.jobs[analyzer.Subject{Kind: "job", Namespace: j.Object.Namespace, Name: j.Object.Name}] = &j.Object
	}
}

// stuckSince reports whether a rollout cannot make its pods, and since when:
// the pods of before are ready, so that nothing else shows it.
func stuckSince(d *appsv1.Deployment) (time.Time, bool) {
	if d.Status.UpdatedReplicas >= orOne(d.Spec.Replicas) || d.Spec.Paused {
		return time.Time{}, false
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" && d.Status.UpdatedReplicas == 0 {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// short says how many pods the controller lacks, "" where it lacks none.
func (w *World) short(self analyzer.Subject) string {
	c := w.controllers[self]
	if c.ready >= c.wanted || c.ready+w.underWay(self) >= c.wanted {
		return ""
	}
	return fmt.Sprintf("%d of %d wanted pods are ready", c.ready, c.wanted)
}

// known reports whether the snapshot holds the controller itself, so that its
// status can be believed.
func (w *World) known(self analyzer.Subject) bool {
	resource := map[string]string{"deployment": "deployments.apps", "statefulset": "statefulsets.apps", "daemonset": "daemonsets.apps"}[self.Kind]
	return resource != "" && w.s.Captured(resource) && w.Graph.Knows(self)
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// wantedPods is how many pods a job runs at a time.
func wantedPods(j *batchv1.Job) int32 { return orOne(j.Spec.Parallelism) }

func jobComplete(j *batchv1.Job) bool { return jobIs(j, batchv1.JobComplete) }
func jobFailed(j *batchv1.Job) bool   { return jobIs(j, batchv1.JobFailed) }

func jobIs(j *batchv1.Job, kind batchv1.JobConditionType) bool {
	for _, c := range j.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
