//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// aboutToRise is a demand, in PromQL, that on every day more than doubles some
// minutes after this time of it, is a little different from day to day, and trembles.
func aboutToRise() string {
	soon := time.Now().Add(8 * time.Minute).Unix()
	return fmt.Sprintf("100 + 40 * sin(vector(time() / 45000)) + time() * 7919 %% 97 / 10 + 150 * ((time() + 86400 - %d) %% 86400 < bool 7200)", soon%86400)
}

// capacityBuffer defines CapacityBuffers as far as they are touched here. The
// autoscaler's own definition is in none of the modules that are built with.
var capacityBuffer = &unstructured.Unstructured{Object: map[string]any{
	"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
	"metadata": map[string]any{"name": "capacitybuffers.autoscaling.x-k8s.io", "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, of a test"}},
	"spec": map[string]any{
		"group": "autoscaling.x-k8s.io", "scope": "Namespaced",
		"names": map[string]any{"plural": "capacitybuffers", "singular": "capacitybuffer", "kind": "CapacityBuffer", "listKind": "CapacityBufferList"},
		"versions": []any{map[string]any{"name": "v1beta1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "properties": map[string]any{
				"replicas":       map[string]any{"type": "integer", "format": "int32", "minimum": int64(0)},
				"podTemplateRef": map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}},
			}}}}}}},
	},
}}

// TestScaling: with the rights that are shipped, a real API server takes the
// balloon that a forecast asks for, by policy, and the replicas of a buffer,
// once a person has approved them.
func TestScaling(t *testing.T) {
	k := startKube(t)
	token := k.admit(t)
	k.namespace(t, "serving")
	k.install(t, capacityBuffer, "capacitybuffers")
	k.grant(t, "../deploy/server-scaling-rbac.yaml")
	buffers := k.loose(t).Resource(schema.GroupVersionResource{Group: "autoscaling.x-k8s.io", Version: "v1beta1", Resource: "capacitybuffers"}).Namespace("serving")
	if _, err := buffers.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling.x-k8s.io/v1beta1", "kind": "CapacityBuffer",
		"metadata": map[string]any{"name": "room"}, "spec": map[string]any{"replicas": int64(1), "podTemplateRef": map[string]any{"name": "llm"}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	// Three pods that took 90 s from being created to being ready, on a node that was there.
	k.namespace(t, "ml")
	if err := k.node(t.Context(), "gpu-01"); err != nil {
		t.Fatal(err)
	}
	ready := corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(time.Now().Add(90 * time.Second))}}}
	for _, name := range []string{"llm-0", "llm-1", "llm-2"} {
		k.pod(t, name, "gpu-01", "1", nil, ready)
	}

	hpa := freePort(t)
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", watching(k.config(t, k.addr, token)), fmt.Sprintf(`mode: approve
scaling:
  pools:
    - {name: llm, demand: %[1]q, capacity: 20, max: 40, boot: 15m, gpus: 8, instance: p5.48xlarge, target: {kind: balloon, name: serving/vedette-balloon, approve: policy}}
    - {name: chat, demand: %[1]q, capacity: 20, max: 40, boot: 15m, target: {kind: buffer, name: serving/room}}
    - {name: measured, demand: vector(1), capacity: 20, max: 40, pods: 'namespace="ml", pod=~"llm-.*"'}
  hpa: {listen: %[2]q, certFile: %[3]q, keyFile: %[4]q}
`, aboutToRise(), hpa, filepath.Join(k.dir, "certs", "apiserver.crt"), filepath.Join(k.dir, "certs", "apiserver.key")))

	c.within(t, "the balloon", patience, func() bool {
		_, err := k.AppsV1().Deployments("serving").Get(t.Context(), "vedette-balloon", metav1.GetOptions{})
		return err == nil
	})
	d, err := k.AppsV1().Deployments("serving").Get(t.Context(), "vedette-balloon", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	gpus := pod.Containers[0].Resources.Limits["nvidia.com/gpu"]
	if *d.Spec.Replicas < 1 || gpus.Value() != 8 || pod.PriorityClassName != "vedette-balloon" || pod.NodeSelector["node.kubernetes.io/instance-type"] != "p5.48xlarge" {
		t.Errorf("the balloon is %+v", d.Spec)
	}
	p, err := k.SchedulingV1().PriorityClasses().Get(t.Context(), "vedette-balloon", metav1.GetOptions{})
	if err != nil || p.Value != -10 {
		t.Errorf("its priority is %v, %v", p, err)
	}

	said := ""
	c.within(t, "the proposal for the buffer", patience, func() bool {
		said = c.vedette(t, "actions", "list")
		return strings.Contains(said, "scale-buffer")
	})
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); strings.Contains(line, "scale-buffer") {
			if got := c.vedette(t, "actions", "approve", f[0], "--by", "ada"); !strings.Contains(got, "of them added") {
				t.Errorf("approved, it says %s", got)
			}
		}
	}
	o, err := buffers.Get(t.Context(), "room", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); n < 2 || o.GetAnnotations()["vedette.dev/own-replicas"] != "1" {
		t.Errorf("the buffer is %v", o.Object)
	}
	c.within(t, "the boot time, which is measured a minute later at most", patience, func() bool {
		said = c.vedette(t, "scale", "list")
		return strings.Contains(said, "measured: a unit boots for 1m") && strings.Contains(said, "95 % of 3 pods were ready within 1m")
	})
	t.Log(said)

	// What the API server passes on for an HPA.
	k.aggregate(t, hpa)
	said = ""
	c.within(t, "the external metric", patience, func() bool {
		got, err := k.CoreV1().RESTClient().Get().AbsPath("/apis/external.metrics.k8s.io/v1beta1/namespaces/serving/vedette_recommended_replicas").
			Param("labelSelector", "pool=llm").DoRaw(t.Context())
		said = string(got)
		return err == nil
	})
	if !strings.Contains(said, `"metricLabels":{"pool":"llm"}`) || strings.Contains(said, `"value":"0"`) {
		t.Errorf("the API server says %s", said)
	}
}

// aggregate has the API server ask addr, on this machine, for external metrics.
func (k *kube) aggregate(t *testing.T, addr string) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.CoreV1().Services("vedette").Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "vedette"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	services := k.loose(t).Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	if _, err := services.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v1beta1.external.metrics.k8s.io"},
		"spec": map[string]any{"group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"insecureSkipTLSVerify": true, "service": map[string]any{"namespace": "vedette", "name": "vedette", "port": number}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
