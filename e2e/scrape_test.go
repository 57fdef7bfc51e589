//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// metricsPage serves a metrics page of one series until the test ends, and
// returns its host and port.
func metricsPage(t *testing.T, series string) (host, port string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, series)
	}))
	t.Cleanup(s.Close)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// TestScrape: a pod that announces its page, one that a PodMonitor names and
// one that a ServiceMonitor names are read; so is what a file names.
func TestScrape(t *testing.T) {
	k := startKube(t)
	token := k.admit(t)
	k.namespace(t, "ml")
	k.define(t, "podmonitors", "PodMonitor")
	k.define(t, "servicemonitors", "ServiceMonitor")

	host, port := metricsPage(t, "vllm:num_requests_waiting{model_name=\"m\"} 7")
	k.serving(t, "annotated", host, port, map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": port})
	host, port = metricsPage(t, "nv_inference_request_success 11")
	k.serving(t, "monitored", host, port, nil)
	_, servicePort := metricsPage(t, "shop_orders 13")
	_, filePort := metricsPage(t, "of_a_file 17")
	file := write(t, filepath.Join(t.TempDir(), "prometheus.yml"), fmt.Sprintf("scrape_configs:\n- job_name: other\n  scrape_interval: 1s\n  static_configs: [{targets: ['127.0.0.1:%s']}]\n", filePort))

	k.create(t, "podmonitors", fmt.Sprintf(`{"apiVersion":"monitoring.coreos.com/v1","kind":"PodMonitor","metadata":{"name":"triton","namespace":"ml"},
		"spec":{"selector":{"matchLabels":{"app":"monitored"}},"podMetricsEndpoints":[{"port":"http","interval":"1s","honorLabels":true}]}}`))
	// An EndpointSlice may not lead to loopback, where the page is: the monitor's relabeling does.
	k.create(t, "servicemonitors", fmt.Sprintf(`{"apiVersion":"monitoring.coreos.com/v1","kind":"ServiceMonitor","metadata":{"name":"shop","namespace":"ml"},
		"spec":{"selector":{"matchLabels":{"app":"shop"}},"endpoints":[{"port":"http","interval":"1s","relabelings":[{"targetLabel":"__address__","replacement":"127.0.0.1:%s"}]}]}}`, servicePort))
	k.service(t, "shop")

	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", watching(k.config(t, k.addr, token))+fmt.Sprintf("scrape: {files: [%q]}\n", file))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("read are %v", c.query("up"))
		}
	})
	for _, want := range []string{
		`vllm:num_requests_waiting{namespace="ml", pod="annotated", model_name="m"} == 7`,
		`nv_inference_request_success{namespace="ml", pod="monitored"} == 11`,
		`shop_orders{namespace="ml", service="shop"} == 13`,
		`of_a_file{job="other"} == 17`,
		`up{job="pods", pod="annotated"} == 1`,
	} {
		c.within(t, want, patience, func() bool { return len(c.query(want)) == 1 })
	}
	if strings.Contains(c.output(), "level=ERROR") || strings.Contains(c.output(), " fails") {
		t.Errorf("it complains:\n%s", c.output())
	}
}

var monitoring = schema.GroupVersion{Group: "monitoring.coreos.com", Version: "v1"}

func (k *kube) loose(t *testing.T) dynamic.Interface {
	t.Helper()
	d, err := dynamic.NewForConfig(&rest.Config{Host: "https://" + k.addr, BearerToken: "root", TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// define makes a kind of custom resource that takes any fields.
func (k *kube) define(t *testing.T, plural, kind string) {
	t.Helper()
	crd := &unstructured.Unstructured{}
	if err := crd.UnmarshalJSON(fmt.Appendf(nil, `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%s.%s"},
		"spec":{"group":"%[2]s","scope":"Namespaced","names":{"plural":"%[1]s","kind":"%[3]s"},"versions":[{"name":"v1","served":true,"storage":true,
		"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`, plural, monitoring.Group, kind)); err != nil {
		t.Fatal(err)
	}
	k.install(t, crd, plural)
}

// install makes a kind of custom resource and waits until there may be some.
func (k *kube) install(t *testing.T, crd *unstructured.Unstructured, plural string) {
	t.Helper()
	crds := k.loose(t).Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := crds.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	kind := schema.GroupVersionResource{Group: group, Version: versions[0].(map[string]any)["name"].(string), Resource: plural}
	k.server.within(t, "the kind "+plural, patience, func() bool {
		_, err := k.loose(t).Resource(kind).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
}

func (k *kube) create(t *testing.T, plural, text string) {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.loose(t).Resource(monitoring.WithResource(plural)).Namespace(o.GetNamespace()).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// serving makes a running pod with a port named http, at an address.
func (k *kube) serving(t *testing.T, name, host, port string, annotations map[string]string) {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ml", Labels: map[string]string{"app": name}, Annotations: annotations}}
	var number int32
	fmt.Sscan(port, &number)
	p.Spec.NodeName = "cpu-01"
	p.Spec.Containers = []corev1.Container{{Name: "main", Image: "registry.example/server:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: number}}}}
	made, err := k.CoreV1().Pods("ml").Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: host, PodIPs: []corev1.PodIP{{IP: host}}}
	if _, err := k.CoreV1().Pods("ml").UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// service makes a service with one endpoint that nobody can reach.
func (k *kube) service(t *testing.T, name string) {
	t.Helper()
	labels := map[string]string{"app": name}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ml", Labels: labels}}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
	if _, err := k.CoreV1().Services("ml").Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	portName, port, ready := "http", int32(80), true
	e := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: name + "-1", Namespace: "ml", Labels: map[string]string{discoveryv1.LabelServiceName: name, "app": name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.10"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}}}
	if _, err := k.DiscoveryV1().EndpointSlices("ml").Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
