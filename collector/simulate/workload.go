package simulate

import (
	"fmt"
	"slices"
	"time"
)

// A workload is a spec at work: its pods and the objects that own them.
type workload struct {
	spec     *Workload
	pods     []*pod // the oldest first, those that ended and still show included
	replicas int    // wanted
	owner    object // a deployment or a stateful set; nil for jobs
	set      *replicaSet
	scaler   *autoscaler
	job      *job // the one that runs, of a job
	ranks    ranks
	demand   demandState
	nextRun  time.Time // batch
	failures map[int]int

	owed    []int // indexes of pods that a quota did not let be
	retry   time.Duration
	retryAt time.Time
}

func newWorkload(w *World, spec *Workload) *workload {
	wl := &workload{spec: spec, replicas: spec.Replicas, failures: map[int]int{}}
	wl.demand.factor = 1
	created := w.start.Add(-11 * 24 * time.Hour)
	if wl.balloon() || spec.Arrives > 0 {
		created = w.now // somebody has just asked for it
	}
	switch spec.Kind {
	case Deployment:
		d := &deployment{meta: w.newMeta(created, "deployment", spec.id()), wl: wl}
		wl.owner = d
		hash := w.suffix(10, "replicaset", spec.id())
		wl.set = &replicaSet{meta: w.newMeta(created.Add(time.Second), "replicaset", spec.id()), wl: wl, name: spec.Name + "-" + hash, hash: hash}
		w.register(d, wl.set)
		if spec.Demand != nil {
			wl.scaler = &autoscaler{meta: w.newMeta(created.Add(time.Minute), "hpa", spec.id()), wl: wl}
			wl.replicas = wl.desired(wl.level(w))
			w.register(wl.scaler)
		}
	case StatefulSet:
		wl.owner = &statefulSet{meta: w.newMeta(created, "statefulset", spec.id()), wl: wl}
		w.register(wl.owner)
	case DaemonSet:
		wl.owner = &daemonSet{meta: w.newMeta(created, "daemonset", spec.id()), wl: wl}
		w.register(wl.owner)
	}
	return wl
}

// arrive makes a workload of spec now.
func (w *World) arrive(spec *Workload) {
	wl := newWorkload(w, spec)
	w.workloads = append(w.workloads, wl)
	wl.touchOwners(w)
	if spec.Kind == Job {
		wl.startRun(w)
	}
}

// settle makes what the workload has had for a while before the start.
func (wl *workload) settle(w *World) {
	age := 9 * 24 * time.Hour
	if wl.spec.Profile == Training {
		age = 6*24*time.Hour + 5*time.Hour
	}
	if wl.spec.Profile == Batch {
		age = time.Duration(float64(wl.spec.RunTime) * 0.6 * w.rng.Float64())
	}
	w.now = w.start.Add(-age)
	if wl.spec.Kind == Job {
		wl.startRun(w)
	}
	wl.reconcile(w)
	w.schedule()
	w.now = w.start
	if wl.spec.Profile == Training && !slices.ContainsFunc(wl.pods, func(p *pod) bool { return !p.running() }) {
		wl.form(w.start.Add(-age))
	}
}

// control does what the workload's controllers do.
func (wl *workload) control(w *World) {
	if wl.spec.Profile == Batch && wl.job == nil && !w.now.Before(wl.nextRun) {
		wl.startRun(w)
	}
	if wl.scaler != nil {
		wl.autoscale(w)
	}
	wl.settleDebts(w)
	wl.reconcile(w)
}

// reconcile makes a deployment and a stateful set have as many pods as wanted.
func (wl *workload) reconcile(w *World) {
	if wl.spec.Kind == Job {
		return
	}
	if wl.spec.Kind == DaemonSet {
		wl.cover(w)
		return
	}
	for len(wl.pods) < wl.replicas && !w.now.Before(wl.retryAt) {
		if !w.create(wl, nil, len(wl.pods)) {
			wl.refused(w, 0)
		}
		wl.touchOwners(w)
	}
	for len(wl.pods) > wl.replicas {
		victim := wl.victim()
		w.event(wl.creator(nil), "Normal", "SuccessfulDelete", "replicaset-controller", "", "Deleted pod: "+victim.name)
		victim.remove(w)
		wl.touchOwners(w)
	}
}

// cover makes a daemon set have a pod on each node that it is for.
func (wl *workload) cover(w *World) {
	has := map[*node]bool{}
	for _, p := range wl.pods {
		has[p.on] = true
	}
	for i, n := range w.nodes {
		if !has[n] && (len(n.gpus) > 0 || !wl.spec.OnGPUNodes) {
			w.newPod(wl, nil, i).on = n
			wl.touchOwners(w)
		}
	}
	wl.replicas = len(wl.pods)
}

// victim returns the pod to go first, as the replica set controller would
// have it: one without a node before one that is not ready before the newest.
func (wl *workload) victim() *pod {
	rank := func(p *pod) int {
		switch {
		case p.node == nil:
			return 2
		case !p.ready:
			return 1
		}
		return 0
	}
	victim := wl.pods[len(wl.pods)-1]
	for _, p := range slices.Backward(wl.pods) {
		if rank(p) > rank(victim) {
			victim = p
		}
	}
	return victim
}

// startRun makes the job and its pods.
func (wl *workload) startRun(w *World) {
	name := wl.spec.Name
	if wl.spec.Profile == Batch {
		name = fmt.Sprintf("%s-%d", name, w.now.Unix()/60) // as a CronJob names them
	}
	j := &job{meta: w.newMeta(w.now, "job", wl.spec.Namespace, name), wl: wl, name: name}
	wl.job = j
	w.register(j)
	w.touch(j)
	for i := range wl.spec.Replicas {
		if !w.create(wl, j, i) {
			wl.refused(w, i)
		}
	}
}

// started is told that p's container has started.
func (wl *workload) started(w *World, p *pod) {
	if wl.job != nil {
		w.touch(wl.job)
	}
	if wl.spec.Profile != Batch {
		return
	}
	// Runs differ by a fifth from one to the next; what lies before the start is done.
	left := time.Duration(float64(wl.spec.RunTime) * (0.8 + 0.4*w.rng.Float64()))
	w.at(w.now.Add(left), func() { p.complete(w) })
}

// podFailed makes another pod for the index of a job's pod that failed, at
// once for the first failure and then after the job controller's back-off, and
// stops the other ranks of a training job.
func (wl *workload) podFailed(w *World, p *pod) {
	wl.failures[p.index]++
	p.job.failed++
	w.touch(p.job)
	wl.rankDied(w)
	if most := wl.spec.Retries; most > 0 && p.job.failed > most {
		p.job.giveUp(w)
	}
	if wl.job != p.job {
		return
	}
	if wl.failures[p.index] == 1 {
		if !w.create(wl, p.job, p.index) {
			wl.refused(w, p.index)
		}
		return
	}
	wait := min(10*time.Minute, 10*time.Second<<min(wl.failures[p.index]-2, 6))
	w.after(wait, func() {
		if wl.job != p.job {
			return
		}
		if !w.create(wl, p.job, p.index) {
			wl.refused(w, p.index)
		}
		w.touch(p.job)
	})
}

// giveUp ends the job as failed: the controller deletes its pods that have not ended.
func (j *job) giveUp(w *World) {
	if !j.gaveUp.IsZero() {
		return
	}
	j.gaveUp = w.now
	j.wl.job = nil
	w.event(j, "Warning", "BackoffLimitExceeded", "job-controller", "", "Job has reached the specified backoff limit")
	for _, p := range slices.Clone(j.wl.pods) {
		if p.job == j && !p.over() {
			w.event(j, "Normal", "SuccessfulDelete", "job-controller", "", "Deleted pod: "+p.name)
			p.remove(w)
		}
	}
	w.touch(j)
}

// podCompleted ends the job when all its pods have. It shows for ten minutes
// more (ttlSecondsAfterFinished), and the next run comes after the pause.
func (j *job) podCompleted(w *World) {
	j.succeeded++
	w.touch(j)
	if j.succeeded < j.wl.spec.Replicas {
		return
	}
	j.completed = w.now
	w.event(j, "Normal", "Completed", "job-controller", "", "Job completed")
	j.wl.job = nil
	clear(j.wl.failures)
	j.wl.nextRun = w.now.Add(time.Duration(j.wl.spec.Pause))
	w.after(jobTTL, func() {
		for _, p := range slices.Clone(j.wl.pods) {
			if p.job == j {
				p.remove(w)
			}
		}
		w.delete(j)
		w.unregister(j)
	})
}

const jobTTL = 10 * time.Minute

// container returns the name of the pods' container.
func (wl *workload) container() string {
	if wl.balloon() {
		return "pause"
	}
	switch wl.spec.Profile {
	case Training:
		return "trainer"
	case Inference:
		return "vllm"
	case Batch:
		return "worker"
	case Service:
		return wl.spec.Name
	}
	return "notebook"
}

// loading returns how many seconds a container takes to get ready, from least to most.
func (wl *workload) loading() (lo, hi float64) {
	if s := time.Duration(wl.spec.Loads).Seconds(); s > 0 {
		return 0.9 * s, 1.1 * s
	}
	if wl.spec.Profile == Inference {
		return 35, 60 // reading the weights and capturing graphs
	}
	if wl.spec.Profile == Service {
		return 4, 12
	}
	return 0.5, 2
}

func (wl *workload) podName(w *World, j *job, index int) string {
	switch wl.spec.Kind {
	case Job:
		return fmt.Sprintf("%s-%d-%s", j.name, index, w.suffix(5, "pod", j.name))
	case StatefulSet:
		return fmt.Sprintf("%s-%d", wl.spec.Name, index)
	case Deployment:
		return wl.set.name + "-" + w.suffix(5, "pod", wl.set.name)
	case DaemonSet:
		return wl.spec.Name + "-" + w.suffix(5, "pod", wl.spec.Name)
	}
	panic("unreachable: kinds are validated")
}

// creator returns the object that makes the pods.
func (wl *workload) creator(j *job) object {
	switch {
	case j != nil:
		return j
	case wl.set != nil:
		return wl.set
	}
	return wl.owner
}

func (wl *workload) createdText(p *pod) (controller, text string) {
	switch wl.spec.Kind {
	case Job:
		return "job-controller", "Created pod: " + p.name
	case StatefulSet:
		return "statefulset-controller", fmt.Sprintf("create Pod %s in StatefulSet %s successful", p.name, wl.spec.Name)
	case Deployment:
		return "replicaset-controller", "Created pod: " + p.name
	case DaemonSet:
		return "daemonset-controller", "Created pod: " + p.name
	}
	panic("unreachable: kinds are validated")
}

// touchOwners notes that the status of what owns the pods has changed.
func (wl *workload) touchOwners(w *World) {
	for _, o := range wl.owners() {
		w.touch(o)
	}
}

// owners returns the objects that stand for the workload.
func (wl *workload) owners() []object {
	var os []object
	if wl.owner != nil {
		os = append(os, wl.owner)
	}
	if wl.set != nil {
		os = append(os, wl.set)
	}
	if wl.job != nil {
		os = append(os, wl.job)
	}
	return os
}

func (wl *workload) readyPods() []*pod {
	var ready []*pod
	for _, p := range wl.pods {
		if p.ready {
			ready = append(ready, p)
		}
	}
	return ready
}
