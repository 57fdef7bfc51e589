package cluster

import (
	"fmt"
	"reflect"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kube-state-metrics/v2/pkg/builder"
	"k8s.io/kube-state-metrics/v2/pkg/metric"
	metricgen "k8s.io/kube-state-metrics/v2/pkg/metric_generator"
)

// A sample is one series and its value now.
type sample struct {
	lset labels.Labels
	v    float64
	ref  storage.SeriesRef // the storage's; 0 is not known. Only the page sets it.
}

// A generator makes kube-state-metrics' series of one kind. The zero value makes none.
type generator struct {
	families []metricgen.FamilyGenerator
	takes    reflect.Type // of objects; of others it makes nothing
}

// generatorOf returns the generator of a resource by kube-state-metrics' own
// code: its builder is asked to build stores, and what it would fill them with
// is taken instead, since the mirrors watch already. Families that
// kube-state-metrics makes only on demand are left out.
//
// show names the labels that become series kube_<kind>_labels, by resource, as
// in kube-state-metrics' flag --metric-labels-allowlist.
func generatorOf(resource string, show map[string][]string) (g generator, err error) {
	b := builder.NewBuilder()
	b.WithFamilyGeneratorFilter(metricgen.NewCompositeFamilyGeneratorFilter())
	b.WithGenerateStoresFunc(func(families []metricgen.FamilyGenerator, example any,
		_ func(clientset.Interface, string, string) cache.ListerWatcher, _ bool, _ int64) []cache.Store {
		for _, f := range families {
			if !f.OptIn {
				g.families = append(g.families, f)
			}
		}
		g.takes = reflect.TypeOf(example)
		return nil
	})
	if err := b.WithEnabledResources([]string{resource}); err != nil {
		return generator{}, fmt.Errorf("series of %s: %w", resource, err)
	}
	if err := b.WithAllowLabels(show); err != nil {
		return generator{}, fmt.Errorf("series of %s: %w", resource, err)
	}
	b.BuildStores()
	return g, nil
}

// of returns the series of an object.
func (g generator) of(obj any) []sample {
	if g.takes == nil || reflect.TypeOf(obj) != g.takes {
		return nil
	}
	var ss []sample
	b := labels.NewScratchBuilder(16)
	for i := range g.families {
		f := &g.families[i]
		for _, m := range f.Generate(obj).Metrics {
			ss = append(ss, sample{lset: labelsOf(&b, f.Name, m), v: m.Value})
		}
	}
	return ss
}

// labelsOf names one of kube-state-metrics' metrics. A label without a value is none.
func labelsOf(b *labels.ScratchBuilder, name string, m *metric.Metric) labels.Labels {
	b.Reset()
	b.Add(labels.MetricName, name)
	for i, key := range m.LabelKeys {
		if m.LabelValues[i] != "" {
			b.Add(key, m.LabelValues[i])
		}
	}
	b.Sort()
	return b.Labels()
}
