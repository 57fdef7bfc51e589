package simulate

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// quotaName is what a namespace's quota for GPUs is called.
const quotaName = "gpu-quota"

// A quota is a ResourceQuota for GPUs.
type quota struct {
	meta
	spec *Quota
}

var _ object = (*quota)(nil)

func (*quota) resource() string { return "resourcequotas" }

func (o *quota) ref() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: "ResourceQuota", Namespace: o.spec.Namespace, Name: quotaName}
}

func (o *quota) encode(w *World) json.RawMessage {
	tm, om := heading(o, nil, nil)
	list := func(n int) corev1.ResourceList {
		return corev1.ResourceList{"requests.nvidia.com/gpu": *resource.NewQuantity(int64(n), resource.DecimalSI)}
	}
	return marshal(&corev1.ResourceQuota{TypeMeta: tm, ObjectMeta: om, Spec: corev1.ResourceQuotaSpec{Hard: list(o.spec.GPUs)},
		Status: corev1.ResourceQuotaStatus{Hard: list(o.spec.GPUs), Used: list(o.used(w))}})
}

// used returns the GPUs that the namespace's pods ask for.
func (o *quota) used(w *World) int {
	used := 0
	for _, p := range w.pods {
		if p.workload.spec.Namespace == o.spec.Namespace && !p.over() {
			used += p.workload.spec.GPUsPerPod
		}
	}
	return used
}

func (w *World) quota(namespace string) *quota {
	for _, o := range w.record.objects {
		if q, ok := o.(*quota); ok && q.spec.Namespace == namespace {
			return q
		}
	}
	return nil
}

// create makes a pod, where the namespace's quota lets it. The controller is
// told where not.
func (w *World) create(wl *workload, j *job, index int) bool {
	q, want := w.quota(wl.spec.Namespace), wl.spec.GPUsPerPod
	if q == nil || want == 0 {
		w.newPod(wl, j, index)
		return true
	}
	used := q.used(w)
	if used+want <= q.spec.GPUs {
		w.newPod(wl, j, index)
		w.touch(q)
		return true
	}
	controller, _ := wl.createdText(&pod{})
	w.event(wl.creator(j), "Warning", "FailedCreate", controller, "", fmt.Sprintf("Error creating: pods %q is forbidden: exceeded quota: %s, requested: requests.nvidia.com/gpu=%d, used: requests.nvidia.com/gpu=%d, limited: requests.nvidia.com/gpu=%d",
		wl.podName(w, j, index), quotaName, want, used, q.spec.GPUs))
	return false
}

// refused notes that a pod could not be made: the controller tries again, less and less often.
func (wl *workload) refused(w *World, index int) {
	wl.owed = append(wl.owed, index)
	if wl.retry == 0 {
		wl.retry = 5 * time.Second
	}
	wl.retryAt = w.now.Add(wl.retry)
	wl.retry = min(2*wl.retry, 5*time.Minute)
}

// settleDebts makes the pods that could not be made before.
func (wl *workload) settleDebts(w *World) {
	if len(wl.owed) == 0 || w.now.Before(wl.retryAt) || wl.job == nil {
		return
	}
	owed := wl.owed
	wl.owed = nil
	for _, index := range owed {
		if !w.create(wl, wl.job, index) {
			wl.refused(w, index)
		}
	}
}
