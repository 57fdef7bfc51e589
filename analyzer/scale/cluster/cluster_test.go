package cluster

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/scale"
)

// api is client-go's fake; a real API server is asked in the end-to-end tests.
func api(objects ...runtime.Object) *fake.FakeDynamicClient {
	return fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		deployments: "DeploymentList", priorities: "PriorityClassList", buffers: "CapacityBufferList"}, objects...)
}

func asks(target, units string) action.Action {
	return action.Action{Target: target, Params: map[string]string{scale.Units: units, GPUs: "8", Node: "p5.48xlarge"}}
}

func get(t *testing.T, from dynamic.ResourceInterface, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := from.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func do(t *testing.T, x action.Executor, a action.Action, want string) {
	t.Helper()
	got, err := x.Execute(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func at(t *testing.T, o *unstructured.Unstructured, path ...string) any {
	t.Helper()
	v, found, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	if err != nil || !found {
		t.Fatalf("%s has no %s: %v", o.GetName(), strings.Join(path, "."), err)
	}
	return v
}

func TestBalloon(t *testing.T) {
	c := api()
	b := Balloon{c}
	do(t, b, asks("serving/warm", "0"), "there is no balloon serving/warm to take down")
	do(t, b, asks("serving/warm", "3"), "balloon serving/warm is there, with 3 pods")
	do(t, b, asks("serving/warm", "3"), "balloon serving/warm has 3 pods") // again, after a crash
	p := get(t, c.Resource(priorities), "vedette-balloon")
	if v, policy := at(t, p, "value"), at(t, p, "preemptionPolicy"); v != int64(-10) || policy != "Never" {
		t.Errorf("its priority is %v, %v", v, policy)
	}
	o := get(t, c.Resource(deployments).Namespace("serving"), "warm")
	pod := at(t, o, "spec", "template", "spec").(map[string]any)
	container := pod["containers"].([]any)[0].(map[string]any)
	if held := at(t, o, "spec", "template", "metadata", "labels").(map[string]any); held["vedette.dev/standby"] != "true" || held["app.kubernetes.io/name"] == nil {
		t.Errorf("its pods have the labels %v", held)
	}
	if pod["priorityClassName"] != "vedette-balloon" || pod["terminationGracePeriodSeconds"] != int64(0) ||
		container["resources"].(map[string]any)["limits"].(map[string]any)["nvidia.com/gpu"] != "8" ||
		pod["nodeSelector"].(map[string]any)["node.kubernetes.io/instance-type"] != "p5.48xlarge" {
		t.Errorf("its pods are %v", pod)
	}
	do(t, b, asks("serving/warm", "0"), "balloon serving/warm has 0 pods")
	if n := at(t, get(t, c.Resource(deployments).Namespace("serving"), "warm"), "spec", "replicas"); n != int64(0) {
		t.Errorf("it has %v pods, want 0", n)
	}
}

func TestForeign(t *testing.T) {
	theirs := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "llm", "namespace": "serving"}, "spec": map[string]any{"replicas": int64(4)}}}
	c := api(theirs)
	if _, err := (Balloon{c}).Execute(t.Context(), asks("serving/llm", "1")); err == nil || !strings.Contains(err.Error(), "is not Vedette's") {
		t.Errorf("got %v, want a refusal", err)
	}
	if n := at(t, get(t, c.Resource(deployments).Namespace("serving"), "llm"), "spec", "replicas"); n != int64(4) {
		t.Errorf("the workload has %v replicas now", n)
	}
}

func TestBuffer(t *testing.T) {
	theirs := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling.x-k8s.io/v1beta1", "kind": "CapacityBuffer",
		"metadata": map[string]any{"name": "room", "namespace": "serving"}, "spec": map[string]any{"replicas": int64(2)}}}
	c := api(theirs)
	b, from := Buffer{c}, c.Resource(buffers).Namespace("serving")
	replicas := func() any { return at(t, get(t, from, "room"), "spec", "replicas") }

	do(t, b, asks("serving/room", "3"), "CapacityBuffer serving/room has 5 replicas, 3 of them added")
	do(t, b, asks("serving/room", "3"), "CapacityBuffer serving/room has 5 replicas, 3 of them added") // again, after a crash
	do(t, b, asks("serving/room", "1"), "CapacityBuffer serving/room has 3 replicas, 1 of them added")

	o := get(t, from, "room") // its owner wants more, in the meantime
	if err := unstructured.SetNestedField(o.Object, int64(7), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	do(t, b, asks("serving/room", "2"), "CapacityBuffer serving/room has 9 replicas, 2 of them added")
	do(t, b, asks("serving/room", "0"), "CapacityBuffer serving/room has 7 replicas, 0 of them added")
	if n := replicas(); n != int64(7) {
		t.Errorf("it has %v replicas, want its owner's 7", n)
	}
	if notes := get(t, from, "room").GetAnnotations(); len(notes) != 0 {
		t.Errorf("notes are left: %v", notes)
	}
}

func TestRefusals(t *testing.T) {
	percent := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling.x-k8s.io/v1beta1", "kind": "CapacityBuffer",
		"metadata": map[string]any{"name": "room", "namespace": "serving"}, "spec": map[string]any{"percentage": int64(20)}}}
	c := api(percent)
	for _, tt := range []struct {
		x    action.Executor
		a    action.Action
		want string
	}{
		{Buffer{c}, asks("serving/room", "1"), "has no spec.replicas to add to"},
		{Buffer{c}, asks("serving/none", "1"), "read CapacityBuffer serving/none"},
		{Buffer{c}, asks("room", "1"), `"room" is not namespace/name`},
		{Balloon{c}, asks("serving/warm", "many"), `units "many" is not a number from 0 up`},
		{Balloon{c}, asks("serving/warm", "-1"), `units "-1" is not a number from 0 up`},
	} {
		if _, err := tt.x.Execute(t.Context(), tt.a); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.a.Target, err, tt.want)
		}
	}
}
