package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"vedette.dev/analyzer/action"
)

// Buffer sets how many replicas a CapacityBuffer that somebody made has: theirs
// and those that a forecast adds.
type Buffer struct{ API dynamic.Interface }

var _ action.Executor = Buffer{}

// buffers are beta since Kubernetes' autoscaler 1.35:
// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/proposals/buffers.md
var buffers = schema.GroupVersionResource{Group: "autoscaling.x-k8s.io", Version: "v1beta1", Resource: "capacitybuffers"}

// What is noted at a buffer while there is more than its owner asked for.
const (
	own = "vedette.dev/own-replicas" // what its owner asked for
	set = "vedette.dev/set-replicas" // what was made of that; another number there is its owner's again
)

// Execute patches spec.replicas. With nothing added the buffer is as its owner left it.
func (b Buffer) Execute(ctx context.Context, a action.Action) (string, error) {
	namespace, name, err := split(a.Target)
	if err != nil {
		return "", err
	}
	added, err := units(a)
	if err != nil {
		return "", err
	}
	api := b.API.Resource(buffers).Namespace(namespace)
	o, err := api.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read CapacityBuffer %s: %w", a.Target, err)
	}
	theirs, err := ownReplicas(o)
	if err != nil {
		return "", fmt.Errorf("CapacityBuffer %s: %w", a.Target, err)
	}
	notes := map[string]any{own: strconv.FormatInt(theirs, 10), set: strconv.FormatInt(theirs+added, 10)}
	if added == 0 {
		notes = map[string]any{own: nil, set: nil}
	}
	patch, err := json.Marshal(map[string]any{
		// Who changed it since it was read is not overruled: the server refuses another version.
		"metadata": map[string]any{"resourceVersion": o.GetResourceVersion(), "annotations": notes},
		"spec":     map[string]any{"replicas": theirs + added},
	})
	if err != nil {
		return "", err
	}
	if _, err := api.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: us}); err != nil {
		return "", fmt.Errorf("resize CapacityBuffer %s: %w", a.Target, err)
	}
	return fmt.Sprintf("CapacityBuffer %s has %d replicas, %d of them added", a.Target, theirs+added, added), nil
}

// ownReplicas returns how many replicas the owner of a buffer asked for.
func ownReplicas(o *unstructured.Unstructured) (int64, error) {
	n, found, err := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if err != nil || !found {
		return 0, fmt.Errorf("it has no spec.replicas to add to")
	}
	notes := o.GetAnnotations()
	if notes[set] != strconv.FormatInt(n, 10) {
		return n, nil
	}
	theirs, err := strconv.ParseInt(notes[own], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("annotation %s: %w", own, err)
	}
	return theirs, nil
}
