package simulate

import (
	"fmt"
	"regexp"
	"strings"
)

// A place is what a target meant when a fault befell it: the pod may be gone since.
type place struct {
	pod  *pod
	node *node
	gpu  *gpu
}

// befall notes what t means, the first time.
func (w *World) befall(t Target, p *pod, g *gpu) {
	was, ok := w.script.befell[t]
	if !ok {
		if w.script.befell == nil {
			w.script.befell = map[Target]place{}
		}
		was = place{pod: p}
		if p != nil {
			was.node = p.node
		}
	}
	if was.gpu == nil {
		was.gpu = g
	}
	if was.gpu == nil && p != nil && t.GPU < len(p.gpus) {
		was.gpu = p.gpus[t.GPU]
	}
	if was.node == nil && g != nil {
		was.node = g.node
	}
	w.script.befell[t] = was
}

// Focus returns the workload that the scenario's truth is asked about, as a
// snapshot writes subjects; "" is none.
func (w *World) Focus() string {
	if t := w.sc.Truth; t == nil || !t.Focus {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	wl := w.workload(w.sc.Truth.At.Workload)
	if wl == nil {
		return ""
	}
	return lowerKind(wl.spec.Kind) + "/" + wl.spec.id()
}

// Tells returns the expressions of the scenario's truth, {pod}, {node} and
// {gpu} put in for what it is about.
func (w *World) Tells() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.meant()
	pod, node, gpu := "", "", ""
	if at.pod != nil {
		pod = at.pod.name
	}
	if at.node != nil {
		node = at.node.name
	}
	if at.gpu != nil {
		gpu = fmt.Sprintf(`(%s|GPU %d\b)`, at.gpu.uuid, at.gpu.index)
	}
	var all []string
	for _, x := range w.sc.Truth.Tells {
		all = append(all, strings.NewReplacer("{pod}", regexp.QuoteMeta(pod), "{node}", regexp.QuoteMeta(node), "{gpu}", gpu).Replace(x))
	}
	return all
}

// meant returns what the truth is about.
func (w *World) meant() place {
	t := w.sc.Truth
	at := w.script.befell[t.At]
	if n, ok := w.node(t.At.Node); ok {
		at.node = n
		if t.At.GPU < len(n.gpus) {
			at.gpu = n.gpus[t.At.GPU]
		}
	}
	if wl := w.workload(t.At.Workload); wl != nil && at.pod == nil {
		for _, p := range wl.pods {
			if p.place() == t.At.Replica {
				at.pod = p
			}
		}
	}
	return at
}

// Subject returns what the scenario's truth is about, as a snapshot writes
// subjects: gpu/<node>/<UUID>, node/<name>, pod/<namespace>/<name>. It is ""
// where there is no truth, or nothing of what it means.
func (w *World) Subject() string {
	w.mu.Lock()
	defer w.mu.Unlock()

	t := w.sc.Truth
	if t == nil {
		return ""
	}
	at, wl := w.meant(), w.workload(t.At.Workload)
	switch {
	case t.Subject == "gpu" && at.gpu != nil:
		return "gpu/" + at.gpu.node.name + "/" + at.gpu.uuid
	case t.Subject == "node" && at.node != nil:
		return "node/" + at.node.name
	case t.Subject == "pod" && at.pod != nil:
		return "pod/" + at.pod.workload.spec.Namespace + "/" + at.pod.name
	case t.Subject == "namespace" && wl != nil:
		return "namespace/" + wl.spec.Namespace
	case t.Subject == "workload" && wl != nil:
		kind, name := lowerKind(wl.spec.Kind), wl.spec.Name
		if at.pod != nil && at.pod.job != nil {
			name = at.pod.job.name
		}
		return kind + "/" + wl.spec.Namespace + "/" + name
	}
	return ""
}

func lowerKind(k WorkloadKind) string {
	switch k {
	case Job:
		return "job"
	case Deployment:
		return "deployment"
	case StatefulSet:
		return "statefulset"
	case DaemonSet:
		return "daemonset"
	}
	panic("unreachable: kinds are validated")
}
