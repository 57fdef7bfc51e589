package operator_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"vedette.dev/rules/publish/operator"
	"vedette.dev/rules/publish/publishtest"
)

var resource = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules"}

func cluster(objects ...runtime.Object) *fake.FakeDynamicClient {
	return fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{resource: "PrometheusRuleList"}, objects...)
}

// TestTarget uses client-go's fake; a real API server is asked in the end-to-end tests.
func TestTarget(t *testing.T) {
	api := cluster()
	target := &operator.Target{API: api, Namespace: "monitoring", Labels: map[string]string{"release": "kube-prometheus-stack"}}
	publishtest.Target(t, target, func() int {
		n := 0
		for _, a := range api.Actions() {
			if a.GetVerb() != "get" {
				n++
			}
		}
		return n
	})
	o, err := api.Resource(resource).Namespace("monitoring").Get(t.Context(), "gpu-hot", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if l := o.GetLabels(); l["release"] != "kube-prometheus-stack" || l["app.kubernetes.io/managed-by"] != "vedette" {
		t.Errorf("its labels are %v", l)
	}
	if a := o.GetAnnotations(); a["vedette.dev/owner"] != "ada" || a["vedette.dev/asked"] != "hot GPUs?" {
		t.Errorf("its annotations are %v", a)
	}
}

// TestForeign: what somebody else made is left alone.
func TestForeign(t *testing.T) {
	theirs := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
		"metadata": map[string]any{"name": "gpu-hot", "namespace": "monitoring"}, "spec": map[string]any{"groups": []any{}}}}
	target := &operator.Target{API: cluster(theirs), Namespace: "monitoring"}
	if err := target.Put(t.Context(), publishtest.Group("85")); err == nil || !strings.Contains(err.Error(), "is not Vedette's") {
		t.Errorf("got %v, want a refusal", err)
	}
}
