package cluster

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus/client_golang/prometheus"
)

var quiet = slog.New(slog.DiscardHandler)

// TestTargets: what Prometheus' discovery says of a pod or a service, and what
// becomes of it in each job. A case of testdata/targets.txtar is the discovered
// labels, without their prefix, and the wanted targets.
func TestTargets(t *testing.T) {
	cfg, err := annotated(quiet)
	if err != nil {
		t.Fatal(err)
	}
	a, err := txtar.ParseFile("testdata/targets.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(a.Files); i += 2 {
		in, want := a.Files[i], &a.Files[i+1]
		var got strings.Builder
		for _, job := range cfg.ScrapeConfigs {
			b := labels.NewBuilder(labels.FromStrings(model.MetricsPathLabel, job.MetricsPath, model.SchemeLabel, job.Scheme))
			for line := range strings.Lines(string(in.Data)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				if key != "__address__" {
					key = "__meta_kubernetes_" + key
				}
				b.Set(key, value)
			}
			services := b.Get("__meta_kubernetes_service_name") != ""
			if services != (job.JobName == "services") || !relabel.ProcessBuilder(b, job.RelabelConfigs...) {
				continue
			}
			fmt.Fprintf(&got, "%s: %s://%s%s", job.JobName, b.Get(model.SchemeLabel), b.Get(model.AddressLabel), b.Get(model.MetricsPathLabel))
			kept := b.Labels().MatchLabels(true, "namespace", "service", "pod", "container", "node").Map()
			for _, key := range slices.Sorted(maps.Keys(kept)) {
				fmt.Fprintf(&got, " %s=%s", key, kept[key])
			}
			got.WriteByte('\n')
		}
		if diff := cmp.Diff(string(want.Data), got.String()); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", in.Name, diff)
		}
		want.Data = []byte(got.String())
	}
	if *update {
		if err := os.WriteFile("testdata/targets.txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What is told already is not read a second time.
func TestWorth(t *testing.T) {
	s := &Scraper{Covered: func(node string) bool { return node == "gpu-01" }}
	target := func(node, name string) *targetgroup.Group {
		return &targetgroup.Group{Source: node + name, Labels: model.LabelSet{"__meta_kubernetes_pod_node_name": model.LabelValue(node),
			"__meta_kubernetes_pod_label_app_kubernetes_io_name": model.LabelValue(name)}, Targets: []model.LabelSet{{"__address__": "192.0.2.1:9"}}}
	}
	in := map[string][]*targetgroup.Group{"pods": {target("gpu-01", "dcgm-exporter"), target("gpu-02", "dcgm-exporter"), target("gpu-01", "vllm"),
		target("gpu-02", "kube-state-metrics"), target("gpu-01", "prometheus-node-exporter")}}
	var got []string
	for _, g := range s.worth(in)["pods"] {
		if len(g.Targets) > 0 {
			got = append(got, g.Source)
		}
	}
	if diff := cmp.Diff([]string{"gpu-02dcgm-exporter", "gpu-01vllm"}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if len(s.worth(in)["pods"]) != 5 {
		t.Error("a group that has nothing left is not told as empty: its targets would stay")
	}
}

// Monitors become jobs as the operator would make them; a bad one costs itself.
func TestMonitors(t *testing.T) {
	m := &monitors{log: quiet, client: fake.NewClientset(), metrics: operator.NewMetrics(prometheus.NewRegistry()), recorder: operator.NewFakeRecorder(10, nil)}
	read := func(text string) unstructured.Unstructured { return *object(t, text).(*unstructured.Unstructured) }
	cfg, err := m.generate(t.Context(), map[string][]unstructured.Unstructured{
		"podmonitors": {read(`
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {namespace: ml, name: vllm}
spec: {selector: {matchLabels: {app: vllm}}, podMetricsEndpoints: [{port: http, path: /metrics, interval: 15s}]}`), read(`
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {namespace: ml, name: secret-is-missing}
spec: {selector: {}, podMetricsEndpoints: [{port: http, bearerTokenSecret: {name: nothing, key: token}}]}`)},
		"servicemonitors": {read(`
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {namespace: gpu-operator, name: dcgm}
spec: {namespaceSelector: {any: true}, selector: {matchLabels: {app: dcgm}}, endpoints: [{port: gpu-metrics, honorLabels: true, tlsConfig: {insecureSkipVerify: true}, scheme: https}]}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range cfg.ScrapeConfigs {
		b := labels.NewBuilder(labels.FromStrings("__address__", "10.0.0.7:8000", "__meta_kubernetes_namespace", "ml", "__meta_kubernetes_pod_name", "a",
			"__meta_kubernetes_pod_container_port_name", "http", "__meta_kubernetes_endpointslice_port_name", "gpu-metrics"))
		for _, key := range []string{"pod_label", "service_label"} {
			b.Set("__meta_kubernetes_"+key+"_app", map[string]string{"pod_label": "vllm", "service_label": "dcgm"}[key])
			b.Set("__meta_kubernetes_"+key+"present_app", "true")
		}
		kept := relabel.ProcessBuilder(b, j.RelabelConfigs...)
		got = append(got, fmt.Sprint(j.JobName, " ", j.Scheme, " ", j.ScrapeInterval, " ", j.HonorLabels, " ", kept, " ", b.Get("pod")))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"podMonitor/ml/vllm/0 http 15s false true a", "serviceMonitor/gpu-operator/dcgm/0 https 30s true true a"}, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	if !m.foreign(read("{apiVersion: monitoring.coreos.com/v1alpha1, kind: ScrapeConfig, metadata: {name: c}, spec: {consulSDConfigs: []}}")) ||
		m.foreign(read("{apiVersion: monitoring.coreos.com/v1alpha1, kind: ScrapeConfig, metadata: {name: c}, spec: {staticConfigs: [], httpSDConfigs: []}}")) {
		t.Error("which discoveries are supported is not as it says")
	}
}
