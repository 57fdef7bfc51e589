package simulate

import (
	"fmt"
	"slices"
)

// A balloon is pods that do nothing and give way to any other: what is set
// there is room that a forecast asks for.

// balloonPriority is below that of any pod that says nothing.
const balloonPriority = -10

// balloon reports whether a workload's pods give way.
func (wl *workload) balloon() bool { return wl.spec.Priority == balloonPriority }

// Inflate sets how many pods of so many GPUs the balloon namespace/name has. It
// is made where it is not there.
func (w *World) Inflate(namespace, name string, pods, gpus int) error {
	if pods < 0 || gpus < 1 {
		return fmt.Errorf("inflate %s/%s to %d pods of %d GPUs: there is no such balloon", namespace, name, pods, gpus)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.workloads, func(wl *workload) bool { return wl.spec.Namespace == namespace && wl.spec.Name == name })
	if i < 0 {
		i = len(w.workloads)
		w.workloads = append(w.workloads, newWorkload(w, &Workload{Namespace: namespace, Name: name, Kind: Deployment, GPUsPerPod: gpus, Profile: Idle,
			Image: "registry.k8s.io/pause:3.10", Priority: balloonPriority}))
	}
	wl := w.workloads[i]
	if !wl.balloon() {
		return fmt.Errorf("inflate %s/%s: it is no balloon", namespace, name)
	}
	wl.replicas = pods
	wl.touchOwners(w)
	return nil
}

// deflate makes room for want GPUs on a node by the pods of balloons that are
// there, as few as will do. It reports false, and takes none, where all of
// those on no node are enough.
func (w *World) deflate(want int) bool {
	for _, n := range w.nodes {
		if n.cordoned || n.diskPressure {
			continue
		}
		free := len(n.free())
		var victims []*pod
		for _, p := range w.pods {
			if free < want && p.node == n && p.workload.balloon() {
				victims = append(victims, p)
				free += len(p.gpus)
			}
		}
		if free < want {
			continue
		}
		for _, p := range victims {
			w.event(p, "Normal", "Preempted", "default-scheduler", "", "Preempted by a pod on node "+n.name)
			p.remove(w)
		}
		return true
	}
	return false
}
