package otlp

import (
	"context"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// A Page is a [collector.Sink] that keeps the newest points and serves them as
// a Prometheus /metrics page, for those who would rather scrape. Events are not
// shown. The zero value is ready.
type Page struct {
	Help func(catalog.ID) string // the help text of a metric, "" is the catalog's; nil is always the catalog's

	once    sync.Once
	handler http.Handler

	mu     sync.Mutex
	points []collector.Point
}

var _ collector.Sink = (*Page)(nil)

// Push replaces what the page shows. It does not fail.
func (p *Page) Push(_ context.Context, b collector.Batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = b.Points
	return nil
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.once.Do(func() {
		reg := prometheus.NewRegistry()
		reg.MustRegister(shown{p})
		p.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	})
	p.handler.ServeHTTP(w, r)
}

func (p *Page) help(id catalog.ID) string {
	if p.Help != nil {
		if text := p.Help(id); text != "" {
			return text
		}
	}
	known, _ := catalog.Node().Metric(id)
	return known.Help
}

// shown is the page as client_golang wants it.
type shown struct{ page *Page }

// Describe implements [prometheus.Collector]: what there will be is not known beforehand.
func (shown) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s shown) Collect(out chan<- prometheus.Metric) {
	s.page.mu.Lock()
	points := s.page.points
	s.page.mu.Unlock()

	for _, p := range points {
		names, values := make([]string, len(p.Attrs)), make([]string, len(p.Attrs))
		for i, a := range p.Attrs {
			names[i], values[i] = a.Key, a.Value
		}
		desc := prometheus.NewDesc(string(p.Metric), s.page.help(p.Metric), names, nil)
		kind := prometheus.GaugeValue
		if p.Counter {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(desc, kind, p.Value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		out <- m
	}
}
