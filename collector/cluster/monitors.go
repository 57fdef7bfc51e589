package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	operatorprom "github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// monitors makes scrape jobs of the Prometheus operator's monitors, by the
// operator's own code. It lists rather than watches them: there are few, and
// they change with deployments.
type monitors struct {
	log      *slog.Logger
	client   kubernetes.Interface
	loose    dynamic.Interface
	recorder *operator.EventRecorder
	metrics  *operator.Metrics
	was      string // resource versions of the last list
}

func newMonitors(api *rest.Config, log *slog.Logger) (*monitors, error) {
	client, err := kubernetes.NewForConfig(api)
	if err != nil {
		return nil, fmt.Errorf("follow monitors: %w", err)
	}
	loose, err := dynamic.NewForConfig(api)
	if err != nil {
		return nil, fmt.Errorf("follow monitors: %w", err)
	}
	return &monitors{log: log, client: client, loose: loose,
		recorder: operator.NewEventRecorderFactory(false)(client, "vedette")(nil),
		metrics:  operator.NewMetrics(prometheus.NewRegistry())}, nil
}

// monitorsOf are the kinds of monitors.
var monitorsOf = []schema.GroupVersionResource{
	monitoringv1.SchemeGroupVersion.WithResource("servicemonitors"),
	monitoringv1.SchemeGroupVersion.WithResource("podmonitors"),
	monitoringv1.SchemeGroupVersion.WithResource("probes"),
	monitoringv1alpha1.SchemeGroupVersion.WithResource("scrapeconfigs"),
}

// jobs returns the jobs of all monitors, and whether they may have changed
// since the last call. A cluster without the operator has none.
func (m *monitors) jobs(ctx context.Context) ([]*config.ScrapeConfig, bool, error) {
	lists := map[string][]unstructured.Unstructured{}
	var versions []string
	for _, gvr := range monitorsOf {
		l, err := m.loose.Resource(gvr).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("list %s: %w", gvr.Resource, err)
		}
		lists[gvr.Resource] = slices.DeleteFunc(l.Items, m.foreign)
		for _, o := range l.Items {
			versions = append(versions, string(o.GetUID())+"@"+o.GetResourceVersion())
		}
	}
	slices.Sort(versions)
	now := strings.Join(versions, " ")
	if now == m.was {
		return nil, false, nil
	}
	cfg, err := m.generate(ctx, lists)
	if err != nil {
		return nil, false, err
	}
	m.was = now
	jobs, err := cfg.GetScrapeConfigs()
	return jobs, true, err
}

// discoveries are the ways to find targets that this program has. The others
// are of clouds and of orchestrators that a cluster of Kubernetes is not.
var discoveries = []string{"kubernetesSDConfigs", "dnsSDConfigs", "httpSDConfigs", "fileSDConfigs"}

// foreign reports whether a ScrapeConfig finds its targets in a way that this
// program does not have.
func (m *monitors) foreign(o unstructured.Unstructured) bool {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	for key := range spec {
		if strings.HasSuffix(key, "SDConfigs") && !slices.Contains(discoveries, key) {
			m.log.Warn("a monitor is left out", "kind", o.GetKind(), "namespace", o.GetNamespace(), "name", o.GetName(), "why", key+" are not supported")
			return true
		}
	}
	return false
}

// generate is what the operator would write for a Prometheus that selects every monitor.
func (m *monitors) generate(ctx context.Context, lists map[string][]unstructured.Unstructured) (*config.Config, error) {
	all := &metav1.LabelSelector{}
	p := &monitoringv1.Prometheus{} // without a namespace, "its own" is every namespace
	p.Spec.ServiceMonitorSelector, p.Spec.PodMonitorSelector, p.Spec.ProbeSelector, p.Spec.ScrapeConfigSelector = all, all, all, all
	p.Spec.ScrapeInterval, p.Spec.EvaluationInterval = "30s", "30s"
	role := monitoringv1.EndpointSliceRole // Endpoints are deprecated, and may not be listed
	p.Spec.ServiceDiscoveryRole = &role
	store := assets.NewStoreBuilder(m.client.CoreV1(), m.client.CoreV1())
	rs, err := operatorprom.NewResourceSelector(m.log, p, store, nil, m.metrics, m.recorder)
	if err != nil {
		return nil, fmt.Errorf("select monitors: %w", err)
	}
	services, err1 := rs.SelectServiceMonitors(ctx, listOf[monitoringv1.ServiceMonitor](lists["servicemonitors"]))
	pods, err2 := rs.SelectPodMonitors(ctx, listOf[monitoringv1.PodMonitor](lists["podmonitors"]))
	probes, err3 := rs.SelectProbes(ctx, listOf[monitoringv1.Probe](lists["probes"]))
	others, err4 := rs.SelectScrapeConfigs(ctx, listOf[monitoringv1alpha1.ScrapeConfig](lists["scrapeconfigs"]))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("select monitors: %w", err)
	}
	p.Namespace = "vedette" // the generator wants one; nothing in the configuration depends on it
	g, err := operatorprom.NewConfigGenerator(m.log, p, operatorprom.WithEndpointSliceSupport(), operatorprom.WithInlineTLSConfig())
	if err != nil {
		return nil, fmt.Errorf("make jobs of monitors: %w", err)
	}
	text, err := g.GenerateServerConfiguration(p, services.ValidResources(), pods.ValidResources(), probes.ValidResources(), others.ValidResources(),
		store, nil, nil, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make jobs of monitors: %w", err)
	}
	// The operator's reloader fills in which of several Prometheus this is; there is one.
	cfg, err := config.Load(strings.ReplaceAll(string(text), "$(SHARD)", "0"), m.log)
	if err != nil {
		return nil, fmt.Errorf("make jobs of monitors: %w", err)
	}
	return cfg, nil
}

// listOf gives objects in their Go type to the operator's selectors. One that
// does not have the form of its kind is passed over: the operator's own
// validation refuses it at the API server.
func listOf[T any, P interface {
	*T
	runtime.Object
}](items []unstructured.Unstructured) operatorprom.ListAllByNamespaceFn {
	return func(_ string, _ labels.Selector, found cache.AppendFunc) error {
		for _, u := range items {
			o := P(new(T))
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err == nil {
				found(o)
			}
		}
		return nil
	}
}
