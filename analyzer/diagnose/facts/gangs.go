package facts

import "vedette.dev/analyzer"

// gangKeys are the labels and annotations by which pods say that they are only
// of use together. Each names the gang within its namespace.
var gangKeys = []string{
	"pod-group.scheduling.sigs.k8s.io",      // label: https://github.com/kubernetes-sigs/scheduler-plugins/tree/master/pkg/coscheduling
	"scheduling.x-k8s.io/pod-group",         // label, its later name: the same
	"scheduling.k8s.io/group-name",          // annotation: https://volcano.sh/en/docs/podgroup/
	"pod-group-name",                        // annotation: https://github.com/NVIDIA/KAI-Scheduler/blob/main/docs/batch/README.md
	"jobset.sigs.k8s.io/jobset-name",        // label and annotation: https://jobset.sigs.k8s.io/docs/reference/jobset.v1alpha2/
	"kueue.x-k8s.io/pod-group-name",         // label: https://kueue.sigs.k8s.io/docs/reference/labels-and-annotations/
	"leaderworkerset.sigs.k8s.io/group-key", // label: https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/
	"training.kubeflow.org/job-name",        // label: https://www.kubeflow.org/docs/components/trainer/legacy-v1/user-guides/pytorch/
	"ray.io/cluster",                        // label: https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/config.html
}

// A gang is pods that need one another: those of one workload, or those that
// name the same group.
type gang struct{ key, namespace, name string }

func (w *World) gangs(p *pod) []gang {
	var all []gang
	if top := w.Workload(p.subject); top != p.subject {
		all = append(all, gang{top.Kind, top.Namespace, top.Name})
	}
	for _, k := range gangKeys {
		for _, named := range []map[string]string{p.Labels, p.Annotations} {
			if name := named[k]; name != "" {
				all = append(all, gang{k, p.Namespace, name})
			}
		}
	}
	return all
}

// incomplete returns the gangs of which a pod has no place: the others of them
// stand idle until it has one, and are not to be ended for it.
func (w *World) incomplete() map[gang]analyzer.Subject {
	all := map[gang]analyzer.Subject{}
	for _, f := range w.Called("pod-unscheduled", "pod-gated", "pod-ignored") {
		p := w.pods[f.Subject]
		if p == nil || !f.Standing {
			continue
		}
		for _, g := range w.gangs(p) {
			all[g] = p.subject
		}
	}
	return all
}

// waitsForItsOwn reports whether p is of an incomplete gang.
func (w *World) waitsForItsOwn(p *pod, incomplete map[gang]analyzer.Subject) bool {
	for _, g := range w.gangs(p) {
		if of, ok := incomplete[g]; ok && of != p.subject {
			return true
		}
	}
	return false
}
