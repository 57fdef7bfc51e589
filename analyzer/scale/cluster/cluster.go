// Package cluster makes room in a Kubernetes cluster for what a forecast adds:
// a balloon, which is a Deployment of pods that do nothing and give way to any
// other, or a CapacityBuffer of the cluster's autoscaler.
//
// What a reader would get wrong: neither is a replica of the user's workload,
// which is never touched. Both have the autoscaler bring nodes up early, and
// the workload's own pods find them there.
package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/scale"
)

const (
	managedBy = "app.kubernetes.io/managed-by"
	us        = "vedette"
	named     = "app.kubernetes.io/name"
)

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	priorities  = schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"}
)

// split reads namespace/name.
func split(target string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(target, "/")
	if !ok {
		return "", "", fmt.Errorf("%q is not namespace/name", target)
	}
	return namespace, name, nil
}

// units reads how many an action sets.
func units(a action.Action) (int64, error) {
	n, err := strconv.ParseInt(a.Params[scale.Units], 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %s %q is not a number from 0 up", a.Target, scale.Units, a.Params[scale.Units])
	}
	return n, nil
}

// ours returns an object, nil where there is none. One that somebody else made
// is an error.
func ours(ctx context.Context, api dynamic.ResourceInterface, kind, name string) (*unstructured.Unstructured, error) {
	o, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	if o.GetLabels()[managedBy] != us {
		return nil, fmt.Errorf("%s %s is not Vedette's: it lacks the label %s=%s", kind, name, managedBy, us)
	}
	return o, nil
}
