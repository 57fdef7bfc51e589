package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Typed is an API object with its source.
type Typed[T any] struct {
	Object T
	Source string
}

// Pods returns the pods, in the order of Objects.
func (s *Snapshot) Pods() []Typed[corev1.Pod] { return typed[corev1.Pod](s, "pods") }

// Nodes returns the nodes.
func (s *Snapshot) Nodes() []Typed[corev1.Node] { return typed[corev1.Node](s, "nodes") }

// Jobs returns the jobs.
func (s *Snapshot) Jobs() []Typed[batchv1.Job] { return typed[batchv1.Job](s, "jobs.batch") }

// Deployments returns the deployments.
func (s *Snapshot) Deployments() []Typed[appsv1.Deployment] {
	return typed[appsv1.Deployment](s, "deployments.apps")
}

// ReplicaSets returns the replica sets.
func (s *Snapshot) ReplicaSets() []Typed[appsv1.ReplicaSet] {
	return typed[appsv1.ReplicaSet](s, "replicasets.apps")
}

// StatefulSets returns the stateful sets.
func (s *Snapshot) StatefulSets() []Typed[appsv1.StatefulSet] {
	return typed[appsv1.StatefulSet](s, "statefulsets.apps")
}

// DaemonSets returns the daemon sets.
func (s *Snapshot) DaemonSets() []Typed[appsv1.DaemonSet] {
	return typed[appsv1.DaemonSet](s, "daemonsets.apps")
}

// Services returns the services.
func (s *Snapshot) Services() []Typed[corev1.Service] { return typed[corev1.Service](s, "services") }

// Endpoints returns the endpoints.
func (s *Snapshot) Endpoints() []Typed[corev1.Endpoints] {
	return typed[corev1.Endpoints](s, "endpoints")
}

// ConfigMaps returns the config maps.
func (s *Snapshot) ConfigMaps() []Typed[corev1.ConfigMap] {
	return typed[corev1.ConfigMap](s, "configmaps")
}

// Secrets returns the secrets; their values are never captured.
func (s *Snapshot) Secrets() []Typed[corev1.Secret] { return typed[corev1.Secret](s, "secrets") }

// ServiceAccounts returns the service accounts.
func (s *Snapshot) ServiceAccounts() []Typed[corev1.ServiceAccount] {
	return typed[corev1.ServiceAccount](s, "serviceaccounts")
}

// Claims returns the persistent volume claims.
func (s *Snapshot) Claims() []Typed[corev1.PersistentVolumeClaim] {
	return typed[corev1.PersistentVolumeClaim](s, "persistentvolumeclaims")
}

// Volumes returns the persistent volumes.
func (s *Snapshot) Volumes() []Typed[corev1.PersistentVolume] {
	return typed[corev1.PersistentVolume](s, "persistentvolumes")
}

// StorageClasses returns the storage classes.
func (s *Snapshot) StorageClasses() []Typed[storagev1.StorageClass] {
	return typed[storagev1.StorageClass](s, "storageclasses.storage.k8s.io")
}

// Quotas returns the resource quotas.
func (s *Snapshot) Quotas() []Typed[corev1.ResourceQuota] {
	return typed[corev1.ResourceQuota](s, "resourcequotas")
}

// Autoscalers returns the horizontal pod autoscalers.
func (s *Snapshot) Autoscalers() []Typed[autoscalingv2.HorizontalPodAutoscaler] {
	return typed[autoscalingv2.HorizontalPodAutoscaler](s, "horizontalpodautoscalers.autoscaling")
}

// Namespaces returns the namespaces.
func (s *Snapshot) Namespaces() []Typed[corev1.Namespace] {
	return typed[corev1.Namespace](s, "namespaces")
}

// NetworkPolicies returns the network policies.
func (s *Snapshot) NetworkPolicies() []Typed[networkingv1.NetworkPolicy] {
	return typed[networkingv1.NetworkPolicy](s, "networkpolicies.networking.k8s.io")
}

// Ingresses returns the ingresses.
func (s *Snapshot) Ingresses() []Typed[networkingv1.Ingress] {
	return typed[networkingv1.Ingress](s, "ingresses.networking.k8s.io")
}

// IngressClasses returns the ingress classes.
func (s *Snapshot) IngressClasses() []Typed[networkingv1.IngressClass] {
	return typed[networkingv1.IngressClass](s, "ingressclasses.networking.k8s.io")
}

// Budgets returns the pod disruption budgets.
func (s *Snapshot) Budgets() []Typed[policyv1.PodDisruptionBudget] {
	return typed[policyv1.PodDisruptionBudget](s, "poddisruptionbudgets.policy")
}

// A Certificate is what we read of one of cert-manager's: https://cert-manager.io/docs/reference/api-docs/
type Certificate struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName string   `json:"secretName"`
		DNSNames   []string `json:"dnsNames"`
	} `json:"spec"`
	Status struct {
		NotAfter  *metav1.Time `json:"notAfter"`
		NotBefore *metav1.Time `json:"notBefore"`
	} `json:"status"`
}

// Certificates returns cert-manager's certificates.
func (s *Snapshot) Certificates() []Typed[Certificate] {
	return typed[Certificate](s, certificates)
}

// A Custom is what we read of an object whose kind is not Kubernetes' own, such as a RayJob.
type Custom struct {
	Kind              string `json:"kind"`
	metav1.ObjectMeta `json:"metadata"`
	Status            json.RawMessage `json:"status"` // in a form of its own
}

const certificates = "certificates.cert-manager.io"

// Customs returns the objects of kinds that are not Kubernetes' own, by
// resource; what its working groups define beside it (x-k8s.io) is among them,
// certificates have an accessor of their own.
func (s *Snapshot) Customs() []Typed[Custom] {
	var all []Typed[Custom]
	for _, resource := range slices.Sorted(maps.Keys(s.Objects)) {
		_, group, _ := strings.Cut(resource, ".")
		if resource != certificates && strings.Contains(group, ".") && (!strings.HasSuffix(group, ".k8s.io") || strings.HasSuffix(group, ".x-k8s.io")) {
			all = append(all, typed[Custom](s, resource)...)
		}
	}
	return all
}

// Problems decodes every object that has a typed accessor and names those
// whose JSON does not fit; the accessors leave them out.
func (s *Snapshot) Problems() []string {
	s.Pods()
	s.Nodes()
	s.Jobs()
	s.Deployments()
	s.ReplicaSets()
	s.StatefulSets()
	s.DaemonSets()
	s.Services()
	s.Endpoints()
	s.ConfigMaps()
	s.Secrets()
	s.ServiceAccounts()
	s.Claims()
	s.Volumes()
	s.StorageClasses()
	s.Quotas()
	s.Autoscalers()
	s.NetworkPolicies()
	s.Namespaces()
	s.Ingresses()
	s.IngressClasses()
	s.Budgets()
	s.Certificates()

	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.broken))
}

// Pod returns the pod that r is a revision of, where it is one and its name is
// wanted: a history has many revisions of the same pods.
func (r Revision) Pod(wanted func(namespace, name string) bool) (*corev1.Pod, bool) {
	if !bytes.Contains(r.Raw, []byte(`"Pod"`)) {
		return nil, false
	}
	if n, err := decode[named](r.Raw); err != nil || !wanted(n.Metadata.Namespace, n.Metadata.Name) {
		return nil, false
	}
	p, err := decode[corev1.Pod](r.Raw)
	return &p, err == nil && p.Kind == "Pod"
}

func typed[T any](s *Snapshot, resource string) []Typed[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list, ok := s.decoded[resource].([]Typed[T]); ok {
		return list
	}
	list := make([]Typed[T], 0, len(s.Objects[resource]))
	for _, o := range s.Objects[resource] {
		x, err := decode[T](o.Raw)
		if err != nil {
			s.broken = append(s.broken, fmt.Sprintf("%s: %v", o.Source, err))
			continue
		}
		list = append(list, Typed[T]{x, o.Source})
	}
	if s.decoded == nil {
		s.decoded = map[string]any{}
	}
	s.decoded[resource] = list
	return list
}
