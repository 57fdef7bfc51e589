package simulate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The objects that own pods, and those that stand beside them. Each shows its
// workload as it is when it is encoded.
type (
	namespace struct {
		meta
		name string
	}
	deployment struct {
		meta
		wl *workload
	}
	replicaSet struct {
		meta
		wl         *workload
		name, hash string
	}
	statefulSet struct {
		meta
		wl *workload
	}
	daemonSet struct {
		meta
		wl *workload
	}
	autoscaler struct {
		meta
		wl     *workload
		scaled time.Time
	}
	job struct {
		meta
		wl                *workload
		name              string
		failed, succeeded int
		completed, gaveUp time.Time
	}
)

var (
	_ object = (*node)(nil)
	_ object = (*pod)(nil)
	_ object = (*namespace)(nil)
	_ object = (*deployment)(nil)
	_ object = (*replicaSet)(nil)
	_ object = (*statefulSet)(nil)
	_ object = (*daemonSet)(nil)
	_ object = (*autoscaler)(nil)
	_ object = (*job)(nil)
)

func (*namespace) resource() string   { return "namespaces" }
func (*deployment) resource() string  { return "deployments.apps" }
func (*replicaSet) resource() string  { return "replicasets.apps" }
func (*statefulSet) resource() string { return "statefulsets.apps" }
func (*daemonSet) resource() string   { return "daemonsets.apps" }
func (*autoscaler) resource() string  { return "horizontalpodautoscalers.autoscaling" }
func (*job) resource() string         { return "jobs.batch" }

func (o *namespace) ref() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: o.name}
}
func (o *deployment) ref() corev1.ObjectReference {
	return reference("apps/v1", "Deployment", o.wl, o.wl.spec.Name)
}
func (o *replicaSet) ref() corev1.ObjectReference {
	return reference("apps/v1", "ReplicaSet", o.wl, o.name)
}
func (o *statefulSet) ref() corev1.ObjectReference {
	return reference("apps/v1", "StatefulSet", o.wl, o.wl.spec.Name)
}
func (o *daemonSet) ref() corev1.ObjectReference {
	return reference("apps/v1", "DaemonSet", o.wl, o.wl.spec.Name)
}
func (o *autoscaler) ref() corev1.ObjectReference {
	return reference("autoscaling/v2", "HorizontalPodAutoscaler", o.wl, o.wl.spec.Name)
}
func (o *job) ref() corev1.ObjectReference { return reference("batch/v1", "Job", o.wl, o.name) }

func reference(version, kind string, wl *workload, name string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: version, Kind: kind, Namespace: wl.spec.Namespace, Name: name}
}

// heading returns the type and metadata of o.
func heading(o object, labels map[string]string, owner object) (metav1.TypeMeta, metav1.ObjectMeta) {
	m, ref := o.head(), o.ref()
	om := metav1.ObjectMeta{Name: ref.Name, Namespace: ref.Namespace, UID: types.UID(m.uid), ResourceVersion: fmt.Sprint(m.version),
		CreationTimestamp: metav1.NewTime(m.created), Labels: labels}
	if owner != nil {
		to, yes := owner.ref(), true
		om.OwnerReferences = []metav1.OwnerReference{{APIVersion: to.APIVersion, Kind: to.Kind, Name: to.Name,
			UID: types.UID(owner.head().uid), Controller: &yes, BlockOwnerDeletion: &yes}}
	}
	return metav1.TypeMeta{APIVersion: ref.APIVersion, Kind: ref.Kind}, om
}

func (o *namespace) encode(*World) json.RawMessage {
	tm, om := heading(o, map[string]string{"kubernetes.io/metadata.name": o.name}, nil)
	return marshal(&corev1.Namespace{TypeMeta: tm, ObjectMeta: om, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}})
}

func (o *deployment) encode(*World) json.RawMessage {
	wl := o.wl
	tm, om := heading(o, wl.labels(), nil)
	om.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	om.Generation = 1
	ready, have := int32(len(wl.readyPods())), int32(len(wl.pods))
	available := appsv1.DeploymentCondition{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable",
		Message: "Deployment has minimum availability.", LastTransitionTime: metav1.NewTime(o.created), LastUpdateTime: metav1.NewTime(o.created)}
	if ready*4 < int32(wl.replicas)*3 { // maxUnavailable is a quarter
		available.Status, available.Reason, available.Message = corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
	}
	return marshal(&appsv1.Deployment{TypeMeta: tm, ObjectMeta: om,
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(wl.replicas)), Selector: wl.selector(), Template: wl.template()},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: have, UpdatedReplicas: have, ReadyReplicas: ready, AvailableReplicas: ready,
			UnavailableReplicas: max(0, int32(wl.replicas)-ready), Conditions: []appsv1.DeploymentCondition{available}}})
}

func (o *replicaSet) encode(*World) json.RawMessage {
	wl := o.wl
	labels := wl.labels()
	labels["pod-template-hash"] = o.hash
	tm, om := heading(o, labels, wl.owner)
	ready := int32(len(wl.readyPods()))
	return marshal(&appsv1.ReplicaSet{TypeMeta: tm, ObjectMeta: om,
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(wl.replicas)), Selector: wl.selector(), Template: wl.template()},
		Status: appsv1.ReplicaSetStatus{Replicas: int32(len(wl.pods)), FullyLabeledReplicas: int32(len(wl.pods)), ReadyReplicas: ready,
			AvailableReplicas: ready, ObservedGeneration: 1}})
}

func (o *statefulSet) encode(*World) json.RawMessage {
	wl := o.wl
	tm, om := heading(o, wl.labels(), nil)
	ready := int32(len(wl.readyPods()))
	return marshal(&appsv1.StatefulSet{TypeMeta: tm, ObjectMeta: om,
		Spec:   appsv1.StatefulSetSpec{Replicas: new(int32(wl.replicas)), ServiceName: wl.spec.Name, Selector: wl.selector(), Template: wl.template()},
		Status: appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: int32(len(wl.pods)), ReadyReplicas: ready, AvailableReplicas: ready}})
}

func (o *daemonSet) encode(*World) json.RawMessage {
	wl := o.wl
	tm, om := heading(o, wl.labels(), nil)
	ready, all := int32(len(wl.readyPods())), int32(len(wl.pods))
	return marshal(&appsv1.DaemonSet{TypeMeta: tm, ObjectMeta: om, Spec: appsv1.DaemonSetSpec{Selector: wl.selector(), Template: wl.template()},
		Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: all, CurrentNumberScheduled: all, NumberReady: ready, NumberAvailable: ready,
			NumberUnavailable: all - ready, UpdatedNumberScheduled: all}})
}

func (o *autoscaler) encode(*World) json.RawMessage {
	wl, d := o.wl, o.wl.spec.Demand
	tm, om := heading(o, nil, nil)
	to := wl.owner.ref()
	aim := resource.NewQuantity(int64(AimedLoad*d.PerReplica), resource.DecimalSI)
	status := autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: int32(len(wl.pods)), DesiredReplicas: int32(wl.replicas)}
	if !o.scaled.IsZero() {
		status.LastScaleTime = new(metav1.NewTime(o.scaled))
	}
	limited := autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionFalse,
		Reason: "DesiredWithinRange", Message: "the desired count is within the acceptable range"}
	if wl.demand.limited {
		limited.Status, limited.Reason, limited.Message = corev1.ConditionTrue, "TooManyReplicas", "the desired replica count is more than the maximum replica count"
	}
	status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{limited}
	return marshal(&autoscalingv2.HorizontalPodAutoscaler{TypeMeta: tm, ObjectMeta: om,
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: to.APIVersion, Kind: to.Kind, Name: to.Name},
			MinReplicas:    new(int32(d.Min)), MaxReplicas: int32(d.Max),
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "vllm:num_requests_running"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: aim}}}}},
		Status: status})
}

func (o *job) encode(*World) json.RawMessage {
	wl := o.wl
	tm, om := heading(o, wl.labels(), nil)
	n, mode := int32(wl.spec.Replicas), batchv1.IndexedCompletion
	active, ready := o.count()
	status := batchv1.JobStatus{Active: active, Ready: &ready, Failed: int32(o.failed), Succeeded: int32(o.succeeded),
		StartTime: new(metav1.NewTime(o.created))}
	if !o.completed.IsZero() {
		status.CompletionTime = new(metav1.NewTime(o.completed))
		status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "CompletionsReached",
			LastTransitionTime: metav1.NewTime(o.completed), LastProbeTime: metav1.NewTime(o.completed)}}
	}
	if !o.gaveUp.IsZero() {
		status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded",
			Message: "Job has reached the specified backoff limit", LastTransitionTime: metav1.NewTime(o.gaveUp), LastProbeTime: metav1.NewTime(o.gaveUp)}}
	}
	template := wl.template()
	template.Labels["batch.kubernetes.io/job-name"] = o.name
	spec := batchv1.JobSpec{Parallelism: &n, Completions: &n, CompletionMode: &mode, Template: template, BackoffLimitPerIndex: new(int32(8))}
	if wl.spec.Retries > 0 {
		spec.BackoffLimitPerIndex, spec.BackoffLimit = nil, new(int32(wl.spec.Retries))
	}
	if wl.spec.Profile == Batch {
		spec.TTLSecondsAfterFinished = new(int32(jobTTL / time.Second))
	}
	return marshal(&batchv1.Job{TypeMeta: tm, ObjectMeta: om, Spec: spec, Status: status})
}

// count returns how many of o's pods have not ended, and how many are ready.
func (o *job) count() (active, ready int32) {
	for _, p := range o.wl.pods {
		if p.job != o || p.over() {
			continue
		}
		active++
		if p.ready {
			ready++
		}
	}
	return active, ready
}

func (wl *workload) labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": wl.spec.Name}
}

func (wl *workload) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: wl.labels()}
}

func (wl *workload) template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: wl.labels()}, Spec: wl.podSpec()}
}

// What a pod asks for beside GPUs, for each of those: an eighth of a p5.48xlarge, less what the system needs.
const (
	milliCPUsPerGPU = 20_000
	memoryPerGPU    = 200 << 30
	milliCPUsPlain  = 250 // of what has no GPU
	memoryPlain     = 1 << 30
	milliCPUsSlice  = 1_500 // of a slice: a 56th of a p4de.24xlarge
	memorySlice     = 16 << 30
)

// poolLabel is the label of a node that says which pool it is of.
const poolLabel = "eks.amazonaws.com/nodegroup"

// asks returns what a pod asks for in thousandths of a CPU and in bytes.
func (wl *workload) asks() (milliCPUs, memory int64) {
	switch {
	case wl.spec.MIG != "":
		return milliCPUsSlice, memorySlice
	case wl.spec.GPUsPerPod == 0 && !wl.balloon():
		return milliCPUsPlain, memoryPlain
	}
	share := int64(max(1, wl.spec.GPUsPerPod))
	return share * milliCPUsPerGPU, share * memoryPerGPU
}

// wantsGPUs reports whether the pods ask for GPUs, or for slices of them.
func (wl *workload) wantsGPUs() bool { return wl.spec.GPUsPerPod > 0 || wl.spec.MIG != "" }

// gpuResource returns under what name a pod asks for GPUs, and for how many.
func (wl *workload) gpuResource() (name corev1.ResourceName, n int) {
	if wl.spec.MIG != "" {
		return corev1.ResourceName("nvidia.com/mig-" + wl.spec.MIG), 1
	}
	return "nvidia.com/gpu", wl.spec.GPUsPerPod
}

func (wl *workload) podSpec() corev1.PodSpec {
	name, gpus := wl.gpuResource()
	cpus, memory := wl.asks()
	request := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(cpus, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
	}
	limits := corev1.ResourceList{corev1.ResourceMemory: request[corev1.ResourceMemory]}
	if gpus > 0 {
		request[name] = *resource.NewQuantity(int64(gpus), resource.DecimalSI)
		limits[name] = request[name]
	}
	restart := corev1.RestartPolicyAlways
	if wl.spec.Kind == Job {
		restart = corev1.RestartPolicyNever
	}
	spec := corev1.PodSpec{RestartPolicy: restart, SchedulerName: "default-scheduler", ServiceAccountName: "default",
		Tolerations: []corev1.Toleration{{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
		Containers: []corev1.Container{{Name: wl.container(), Image: wl.spec.Image, ImagePullPolicy: corev1.PullIfNotPresent,
			Resources: corev1.ResourceRequirements{Requests: request, Limits: limits}}}}
	if wl.spec.Pool != "" {
		spec.NodeSelector = map[string]string{poolLabel: wl.spec.Pool}
	}
	if wl.spec.Intolerant {
		spec.Tolerations = nil
	}
	if wl.spec.Kind == DaemonSet {
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	for _, key := range wl.spec.Tolerates {
		spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	for _, name := range slices.Sorted(maps.Keys(wl.spec.Env)) {
		spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: name, Value: wl.spec.Env[name]})
	}
	if wl.spec.Priority != 0 {
		spec.Priority, spec.PriorityClassName, spec.PreemptionPolicy = &wl.spec.Priority, wl.priorityClass(), new(corev1.PreemptNever)
	}
	return spec
}

func (wl *workload) priorityClass() string {
	if wl.spec.Priority == 0 {
		return ""
	}
	return fmt.Sprintf("priority-%d", wl.spec.Priority)
}
