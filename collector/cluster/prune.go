package cluster

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"vedette.dev/rules/secret"
)

// restless are annotations that change by the second and say nothing, or that
// repeat the whole object.
var restless = []string{
	"kubectl.kubernetes.io/last-applied-configuration",     // the object once more
	"control-plane.alpha.kubernetes.io/leader",             // renewed every two seconds
	"cluster-autoscaler.kubernetes.io/last-updated",        // every ten seconds
	"deprecated.daemonset.template.generation",             // the generation once more
	"endpoints.kubernetes.io/last-change-trigger-time",     // the time of the change once more
	"volume.kubernetes.io/selected-node-last-updated-time", // the time of the change once more
}

// prune takes out of an object what is not kept of it: bookkeeping that
// changes without anything having happened, so that a revision is a change,
// and what may be secret.
func prune(o runtime.Object) {
	acc, err := meta.Accessor(o)
	if err != nil {
		return
	}
	acc.SetManagedFields(nil)
	acc.SetResourceVersion("")
	if as := acc.GetAnnotations(); as != nil {
		for _, key := range restless {
			delete(as, key)
		}
		acc.SetAnnotations(as)
	}
	switch o := o.(type) {
	case *corev1.Node:
		o.Status.Images = nil // some ten KiB each, anew after each pull
		for i := range o.Status.Conditions {
			o.Status.Conditions[i].LastHeartbeatTime = metav1.Time{} // every five minutes
		}
	case *corev1.Pod:
		redactSpec(&o.Spec)
	case *corev1.ReplicationController:
		if o.Spec.Template != nil {
			redactSpec(&o.Spec.Template.Spec)
		}
	case *appsv1.Deployment:
		redactSpec(&o.Spec.Template.Spec)
	case *appsv1.ReplicaSet:
		redactSpec(&o.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		redactSpec(&o.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		redactSpec(&o.Spec.Template.Spec)
	case *batchv1.Job:
		redactSpec(&o.Spec.Template.Spec)
	case *batchv1.CronJob:
		redactSpec(&o.Spec.JobTemplate.Spec.Template.Spec)
	case *unstructured.Unstructured:
		redactTree(o.Object)
	case *corev1.ConfigMap:
		for key := range o.Data {
			o.Data[key] = secret.Hidden
		}
		for key := range o.BinaryData {
			o.BinaryData[key] = nil
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.Status.CurrentMetrics = nil // every 15 seconds; they are series
	}
}

// redactSpec hides the values of variables whose names say that they are secret.
func redactSpec(p *corev1.PodSpec) {
	for _, cs := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for _, c := range cs {
			for i := range c.Env {
				if c.Env[i].Value != "" && secret.Named(c.Env[i].Name) {
					c.Env[i].Value = secret.Hidden
				}
			}
		}
	}
}

// redactTree does what redactSpec does to an object whose type is not known:
// in it, whatever has a name and a value is a variable.
func redactTree(v any) {
	switch v := v.(type) {
	case map[string]any:
		name, named := v["name"].(string)
		if value, ok := v["value"].(string); ok && named && value != "" && secret.Named(name) {
			v["value"] = secret.Hidden
		}
		for _, x := range v {
			redactTree(x)
		}
	case []any:
		for _, x := range v {
			redactTree(x)
		}
	}
}

// changedAt is when an object became what it is, as far as it says so itself.
// The API server keeps the time at which each writer last changed a value; a
// deletion counts from when it was asked for, not from when it is due.
func changedAt(acc metav1.Object, o runtime.Object) time.Time {
	if e, ok := o.(*corev1.Event); ok {
		return happenedAt(e)
	}
	at := acc.GetCreationTimestamp().Time
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	for _, f := range acc.GetManagedFields() {
		if f.Time != nil {
			later(f.Time.Time)
		}
	}
	if d := acc.GetDeletionTimestamp(); d != nil {
		var grace time.Duration
		if s := acc.GetDeletionGracePeriodSeconds(); s != nil {
			grace = time.Duration(*s) * time.Second
		}
		later(d.Add(-grace))
	}
	return at.UTC()
}

// happenedAt is when an event was last seen.
func happenedAt(e *corev1.Event) time.Time {
	at := e.CreationTimestamp.Time
	times := []time.Time{e.FirstTimestamp.Time, e.LastTimestamp.Time, e.EventTime.Time}
	if e.Series != nil {
		times = append(times, e.Series.LastObservedTime.Time)
	}
	for _, t := range times {
		if t.After(at) {
			at = t
		}
	}
	return at.UTC()
}
