package facts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
)

// components are the parts of Kubernetes that run as pods of a node, by the
// value of the label that installers give them, and the fact that one does not run.
var components = map[string]string{"kube-proxy": "unit-kube-proxy-down", "kube-scheduler": "unit-kube-scheduler-down",
	"flannel": networkDown, "kube-flannel": networkDown, "calico-node": networkDown, "cilium": networkDown, "weave-net": networkDown, "antrea-agent": networkDown}

// networkDown is that a node's part of the network plug-in does not run, which it serves pods' sandboxes with.
const networkDown = "unit-network-down"

// readComponents records parts of Kubernetes whose pod on a node does not run,
// under the names of their units: what follows does not depend on who starts them.
func (w *World) readComponents() {
	for _, p := range w.order {
		fact := components[componentOf(p)]
		if fact == "" || p.gone || p.Spec.NodeName == "" || p.ready() || running(p) || w.now.Sub(w.down(p)) <= graceOf(p) {
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(p.Spec.NodeName), Name: fact, At: w.down(p), Standing: true, Source: p.source,
			Text: fmt.Sprintf("its %s does not run: %s is not ready%s", componentOf(p), p.Name, waiting(p))}, Kind: ObjectKind, Weight: 2, Detail: map[string]string{"pod": p.subject.String()}})
	}
}

// graceOf returns how long a pod may not run without being down: one that never
// ran may be pulling its image on a new node.
func graceOf(p *pod) time.Duration {
	if slices.ContainsFunc(p.Status.ContainerStatuses, func(cs corev1.ContainerStatus) bool { return cs.RestartCount > 0 || cs.State.Terminated != nil }) {
		return readyGrace
	}
	return startupGrace
}

// down returns since when a pod does not run: it says when it last stopped,
// which one that ends again and again has done ever since it was made, or since
// the kubelet makes it wait.
func (w *World) down(p *pod) time.Time {
	var restarts int32
	for _, cs := range p.Status.ContainerStatuses {
		restarts = max(restarts, cs.RestartCount)
	}
	if p.since().Sub(p.CreationTimestamp.Time) <= time.Duration(restarts)*longestBackOff {
		return p.CreationTimestamp.Time
	}
	for _, e := range w.events[p.subject] {
		if e.Reason == "BackOff" && e.Times() >= manyRestarts && w.now.Sub(e.Latest()) <= restartMemory && e.Onset().Before(p.since()) {
			return e.Onset()
		}
	}
	return p.since()
}

// running reports whether all containers of the pod run: one that is not ready
// then is on a node that nobody hears of, or starts.
func running(p *pod) bool {
	return len(p.Status.ContainerStatuses) > 0 && !slices.ContainsFunc(p.Status.ContainerStatuses, func(cs corev1.ContainerStatus) bool { return cs.State.Running == nil })
}

// componentOf returns the part of Kubernetes that a pod is: kubeadm and those
// who follow it label static pods "component" and kube-proxy "k8s-app"; OpenShift says "app".
func componentOf(p *pod) string {
	if !strings.HasPrefix(p.Namespace, "kube-") && !strings.HasPrefix(p.Namespace, "openshift-") && p.Namespace != "calico-system" {
		return ""
	}
	for _, key := range []string{"component", "k8s-app", "app", "app.kubernetes.io/name"} {
		if name := strings.TrimPrefix(p.Labels[key], "openshift-"); components[name] != "" {
			return name
		}
	}
	for _, name := range []string{"kube-proxy", "kube-scheduler"} {
		if own := slices.ContainsFunc(p.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Node" || o.Name == name }); own && strings.HasPrefix(p.Name, name+"-") {
			return name
		}
	}
	return ""
}
