package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"vedette.dev/analyzer/action"
)

// Balloon sets how many pods a balloon has.
type Balloon struct{ API dynamic.Interface }

var _ action.Executor = Balloon{}

// What an action says of a balloon besides its size.
const (
	GPUs = "gpus" // of each pod
	Node = "node" // value of the label node.kubernetes.io/instance-type that its nodes have; none is any
)

const (
	priority = "vedette-balloon"

	// least is the lowest priority for which the cluster autoscaler still brings
	// nodes up by default, and lower than any pod's that says nothing:
	// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, expendable-pods-priority-cutoff.
	least = -10

	// pause does nothing, in 300 kB; it is what every pod's sandbox is made of.
	pause = "registry.k8s.io/pause:3.10"

	gpu = "nvidia.com/gpu"

	// standby says to a report of costs that a pod's GPUs are idle on purpose.
	standby = "vedette.dev/standby"
)

// Execute makes the Deployment and its PriorityClass where they are not there,
// and sets how many pods it has.
func (b Balloon) Execute(ctx context.Context, a action.Action) (string, error) {
	namespace, name, err := split(a.Target)
	if err != nil {
		return "", err
	}
	n, err := units(a)
	if err != nil {
		return "", err
	}
	api := b.API.Resource(deployments).Namespace(namespace)
	o, err := ours(ctx, api, "Deployment", name)
	if err != nil {
		return "", err
	}
	if o == nil {
		if n == 0 {
			return fmt.Sprintf("there is no balloon %s to take down", a.Target), nil
		}
		if err := b.class(ctx); err != nil {
			return "", err
		}
		if _, err := api.Create(ctx, balloon(namespace, name, n, a.Params), metav1.CreateOptions{FieldManager: us}); err != nil {
			return "", fmt.Errorf("make the balloon %s: %w", a.Target, err)
		}
		return fmt.Sprintf("balloon %s is there, with %d pods", a.Target, n), nil
	}
	// The API server refuses this where the object was changed since it was read.
	o.Object["spec"] = balloon(namespace, name, n, a.Params).Object["spec"]
	if _, err := api.Update(ctx, o, metav1.UpdateOptions{FieldManager: us}); err != nil {
		return "", fmt.Errorf("resize the balloon %s: %w", a.Target, err)
	}
	return fmt.Sprintf("balloon %s has %d pods", a.Target, n), nil
}

// class makes the priority that lets a balloon's pods give way to any other.
func (b Balloon) class(ctx context.Context) error {
	api := b.API.Resource(priorities)
	o, err := ours(ctx, api, "PriorityClass", priority)
	if err != nil || o != nil {
		return err
	}
	o = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
		"metadata":         map[string]any{"name": priority, "labels": map[string]any{managedBy: us}},
		"value":            int64(least),
		"preemptionPolicy": "Never", // a balloon takes nobody's place
		"description":      "Pods that keep room on GPU nodes and give way to any other.",
	}}
	if _, err := api.Create(ctx, o, metav1.CreateOptions{FieldManager: us}); err != nil {
		return fmt.Errorf("make PriorityClass %s: %w", priority, err)
	}
	return nil
}

func balloon(namespace, name string, n int64, params map[string]string) *unstructured.Unstructured {
	selector := map[string]any{named: name, managedBy: us}
	pod := map[string]any{
		"priorityClassName":             priority,
		"terminationGracePeriodSeconds": int64(0), // its place is needed now
		"automountServiceAccountToken":  false,
		"tolerations":                   []any{map[string]any{"key": gpu, "operator": "Exists"}},
		"containers": []any{map[string]any{
			"name": "pause", "image": pause,
			"resources": map[string]any{"limits": map[string]any{gpu: params[GPUs]}},
			"securityContext": map[string]any{
				"runAsNonRoot": true, "runAsUser": int64(65535), "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
				"capabilities": map[string]any{"drop": []any{"ALL"}}, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
			},
		}},
	}
	if t := params[Node]; t != "" {
		pod["nodeSelector"] = map[string]any{"node.kubernetes.io/instance-type": t}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": name, "namespace": namespace, "labels": selector},
		"spec": map[string]any{
			"replicas": n,
			"selector": map[string]any{"matchLabels": selector},
			"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{named: name, managedBy: us, standby: "true"}}, "spec": pod},
		},
	}}
}
