package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A phase is a pod's, in the words of the API.
type phase string

const (
	pending   phase = "Pending"
	running   phase = "Running"
	succeeded phase = "Succeeded"
	failed    phase = "Failed"
)

// A pod is one pod with one container.
type pod struct {
	meta
	workload *workload
	job      *job // whose it is, where a job's
	name     string
	index    int // its completion index in a job, its place in a stateful set
	ip       string
	pid      int // of its process on the node

	containerID string // of the last start

	node   *node
	gpus   []*gpu
	phase  phase
	ready  bool
	bound  time.Time
	shown  time.Time // when it was ready last; zero before
	ran    time.Time // when the container last started; zero before
	ended  time.Time // when it last ended; zero before
	exit   int
	reason string // why it last ended: Error, Completed, StartError

	message string // what the runtime said then

	waiting       string // CrashLoopBackOff, between two starts
	restarts      int
	unschedulable string    // why it has no node
	toldAt        time.Time // when that was last reported
	group         int       // of ranks that it has joined
	on            *node     // where it must be; nil is anywhere
	stuck         bool      // its program goes on no further
	swells        time.Time // from when to when its memory grows to its limit; zero where it does not
	bursts        time.Time
	gone          bool
}

// running reports whether the pod's process runs.
func (p *pod) running() bool { return p.phase == running && p.waiting == "" }

func (p *pod) over() bool { return p.phase == succeeded || p.phase == failed }

func (p *pod) hostname() string {
	if p.node == nil {
		return ""
	}
	return p.node.name
}

// newPod makes a pod that has no node yet.
func (w *World) newPod(wl *workload, j *job, index int) *pod {
	name := wl.podName(w, j, index)
	p := &pod{workload: wl, job: j, name: name, index: index, phase: pending}
	p.meta = w.newMeta(w.now, "pod", wl.spec.Namespace, name)
	h := w.hash("pod", p.uid)
	p.pid = 20000 + int(h[0])<<8 + int(h[1])
	w.pods = append(w.pods, p)
	wl.pods = append(wl.pods, p)
	w.touch(p)
	controller, text := wl.createdText(p)
	w.event(wl.creator(j), "Normal", "SuccessfulCreate", controller, "", text)
	return p
}

// bind gives p its place, and has the kubelet start it.
func (p *pod) bind(w *World, n *node, gpus []*gpu) {
	p.node, p.gpus, p.bound, p.unschedulable = n, gpus, w.now, ""
	for _, g := range gpus {
		g.pod = p
	}
	h := w.hash("ip", p.uid)
	p.ip = fmt.Sprintf("10.0.%d.%d", 64+int(h[0])%64, 2+int(h[1])%250)
	w.touch(p)
	w.event(p, "Normal", "Scheduled", "default-scheduler", "", fmt.Sprintf("Successfully assigned %s/%s to %s", p.workload.spec.Namespace, p.name, n.name))
	if w.record.off {
		p.launch(w)
		p.becomeReady(w)
		return
	}
	w.after(w.seconds(1.5, 4), func() {
		n.kernel(w, w.now, 6, fmt.Sprintf("IPv6: ADDRCONF(NETDEV_CHANGE): eni%.11x: link becomes ready", h[2:8]))
		p.launch(w)
	})
}

// launch starts p's container, for the first time or again.
func (p *pod) launch(w *World) {
	if p.gone || p.over() {
		return
	}
	kubelet := func(reason, format string, args ...any) {
		w.event(p, "Normal", reason, "kubelet", p.node.name, fmt.Sprintf(format, args...))
	}
	container := p.workload.container()
	kubelet("Pulled", "Container image %q already present on machine", p.workload.spec.Image)
	if i := slices.IndexFunc(p.gpus, func(g *gpu) bool { return g.lost }); i >= 0 {
		p.refuse(w, "failed to create containerd task: failed to create shim task: OCI runtime create failed: "+
			"runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, "+
			"stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: device error: "+p.gpus[i].uuid+": unknown device: unknown")
		return
	}
	fails := slices.IndexFunc(w.script.failing, func(f *failing) bool { return f.length > 0 && f.covers(w, p) })
	if fails >= 0 && w.script.failing[fails].failure.Refused != "" {
		p.write(w, w.script.failing[fails].failure, 0)
		p.refuse(w, w.script.failing[fails].failure.Refused)
		return
	}
	kubelet("Created", "Created container: %s", container)
	kubelet("Started", "Started container %s", container)
	p.phase, p.waiting, p.ran = running, "", w.now
	p.containerID = fmt.Sprintf("%x", w.hash("container", p.uid, fmt.Sprint(p.restarts)))
	w.touch(p)
	if fails >= 0 {
		f := w.script.failing[fails]
		p.failLater(w, f, w.scripted(Duration(f.failure.After)*Duration(time.Second)))
	}
	w.din.starts(w, p)
	restarts := p.restarts
	w.after(w.seconds(p.workload.loading()), func() {
		if p.running() && p.restarts == restarts {
			p.becomeReady(w)
		}
	})
	p.workload.started(w, p)
}

// refuse is told that the runtime could not start p's container.
func (p *pod) refuse(w *World, why string) {
	w.event(p, "Warning", "Failed", "kubelet", p.node.name, "Error: "+why)
	p.exit, p.reason, p.message = 128, "StartError", why
	if p.workload.spec.Kind == Job {
		p.ended, p.ran, p.phase, p.ready = w.now, w.now, failed, false
		p.release()
		w.touch(p)
		p.workload.podFailed(w, p)
		return
	}
	p.crashLoop(w)
}

func (p *pod) becomeReady(w *World) {
	if p.gone || p.ready {
		return
	}
	p.ready, p.shown = true, w.now
	w.touch(p)
	p.workload.touchOwners(w)
}

// crash ends p's process with an exit code. A job makes another pod of it; in
// the other workloads the kubelet starts the container again.
func (p *pod) crash(w *World, exit int) { p.crashAs(w, exit, "") }

// crashAs is crash for a reason; "" is Error.
func (p *pod) crashAs(w *World, exit int, reason string) {
	if p.gone || !p.running() {
		return
	}
	p.exit, p.reason, p.message, p.ended, p.ready = exit, cmp.Or(reason, "Error"), "", w.now, false
	p.swells, p.bursts = time.Time{}, time.Time{}
	for _, g := range p.gpus {
		g.own = 0
	}
	if p.workload.spec.Kind != Job {
		p.crashLoop(w)
		return
	}
	p.phase = failed
	p.release()
	w.touch(p)
	p.workload.podFailed(w, p)
}

// crashLoop waits, and launches again. The kubelet waits ten seconds at first and twice as long each time, up to five minutes.
func (p *pod) crashLoop(w *World) {
	wait := min(5*time.Minute, 10*time.Second<<min(p.restarts, 5))
	p.ended, p.ready, p.waiting = w.now, false, "CrashLoopBackOff"
	p.phase = running
	p.restarts++
	w.touch(p)
	p.workload.touchOwners(w)
	w.event(p, "Warning", "BackOff", "kubelet", p.node.name, fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
		p.workload.container(), p.name, p.workload.spec.Namespace, p.uid))
	w.after(wait, func() { p.launch(w) })
}

// complete ends p as its program meant to.
func (p *pod) complete(w *World) {
	if p.gone || !p.running() {
		return
	}
	p.phase, p.ready, p.exit, p.reason, p.ended = succeeded, false, 0, "Completed", w.now
	p.release()
	w.touch(p)
	p.job.podCompleted(w)
}

// release gives the GPUs back.
func (p *pod) release() {
	for _, g := range p.gpus {
		if g.pod == p {
			g.pod = nil
		}
	}
}

// remove deletes p from the cluster.
func (p *pod) remove(w *World) {
	if p.running() {
		w.event(p, "Normal", "Killing", "kubelet", p.node.name, "Stopping container "+p.workload.container())
	}
	p.release()
	p.gone, p.ready = true, false
	w.delete(p)
	w.pods = slices.DeleteFunc(w.pods, func(q *pod) bool { return q == p })
	p.workload.pods = slices.DeleteFunc(p.workload.pods, func(q *pod) bool { return q == p })
}
