// Package ingest receives OTLP metrics and logs over gRPC and HTTP: metrics
// into the store, logs into the history. It owns the translation; tokens are
// checked in front of it.
//
// What a reader would get wrong: there are two translations. What our own
// agents send (its scope is [OwnScope]) already carries the ecosystem's names
// and labels and is stored as it is; anything else gets Prometheus' standard
// translation of OTLP, suffixes and all.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"vedette.dev/analyzer/history"
)

// OwnScope is the instrumentation scope of what our agents send.
const OwnScope = "vedette.dev/collector"

// A Store takes samples.
type Store interface {
	storage.Appendable
	storage.AppendableV2
}

// An Appender takes records of what happened.
type Appender interface {
	Append(ctx context.Context, rs []history.Record) error
}

// A Receiver takes in what agents send.
type Receiver struct {
	Store   Store
	History Appender
	Now     func() time.Time // when something arrived

	mu     sync.Mutex
	agents map[string]Heard
}

// Heard is when an agent was last heard of.
type Heard struct {
	Node   string
	Last   time.Time
	Period time.Duration // between its last two messages with metrics; 0 after the first
}

// Agents returns the agents heard of since the start, by node.
func (r *Receiver) Agents() []Heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	hs := make([]Heard, 0, len(r.agents))
	for _, h := range r.agents {
		hs = append(hs, h)
	}
	slices.SortFunc(hs, func(a, b Heard) int { return strings.Compare(a.Node, b.Node) })
	return hs
}

func (r *Receiver) heard(res pcommon.Resource) {
	node := text(res.Attributes(), "k8s.node.name")
	if node == "" {
		return
	}
	now := r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agents == nil {
		r.agents = map[string]Heard{}
	}
	h := Heard{Node: node, Last: now}
	if was, ok := r.agents[node]; ok {
		h.Period = now.Sub(was.Last)
	}
	r.agents[node] = h
}

// A Refusal says what of a message was not taken and why. The rest was; it
// must not be sent again.
type Refusal struct {
	Count int64
	Why   error // the first reasons
}

func (f *Refusal) add(err error) {
	const told = 3 // enough to see what is wrong; a bad agent repeats itself
	if f.Count++; f.Count <= told {
		f.Why = errors.Join(f.Why, err)
	}
}

// Metrics stores a message of metrics. An error means that nothing was stored
// and that it should be sent again.
func (r *Receiver) Metrics(ctx context.Context, md pmetric.Metrics) (Refusal, error) {
	foreign := pmetric.NewMetrics()
	var refused Refusal
	app := r.Store.Appender(ctx)
	for _, rm := range md.ResourceMetrics().All() {
		own := false
		for _, sm := range rm.ScopeMetrics().All() {
			if sm.Scope().Name() != OwnScope {
				continue
			}
			own = true
			for _, m := range sm.Metrics().All() {
				appendOwn(app, m, &refused)
			}
		}
		if own {
			r.heard(rm.Resource())
			rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool { return sm.Scope().Name() == OwnScope })
		}
		if rm.ScopeMetrics().Len() > 0 {
			rm.MoveTo(foreign.ResourceMetrics().AppendEmpty())
		}
	}
	if err := app.Commit(); err != nil {
		return refused, fmt.Errorf("store metrics: %w", err)
	}
	if err := r.foreign(ctx, foreign, &refused); err != nil {
		return refused, err
	}
	return refused, nil
}

// appendOwn appends a metric of ours: its name and attributes are the series.
func appendOwn(app storage.Appender, m pmetric.Metric, refused *Refusal) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		refused.add(fmt.Errorf("metric %s: our agents do not send a %s", m.Name(), m.Type()))
		return
	}
	for _, p := range points.All() {
		if _, err := app.Append(0, seriesLabels(m.Name(), p.Attributes()), p.Timestamp().AsTime().UnixMilli(), number(p)); err != nil {
			refused.add(fmt.Errorf("metric %s at %s: %w", m.Name(), p.Timestamp().AsTime().Format(time.RFC3339), err))
		}
	}
}

func seriesLabels(name string, attrs pcommon.Map) labels.Labels {
	b := labels.NewScratchBuilder(attrs.Len() + 1)
	b.Add(labels.MetricName, name)
	for k, v := range attrs.All() {
		if s := v.AsString(); s != "" { // an empty label is no label
			b.Add(k, s)
		}
	}
	b.Sort()
	return b.Labels()
}

func number(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// promoted lists the resource attributes that become labels of foreign
// metrics, so that they can be joined with ours.
var promoted = []string{"k8s.node.name", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "host.name"}

// foreign stores what others send, by Prometheus' own translation.
func (r *Receiver) foreign(ctx context.Context, md pmetric.Metrics, refused *Refusal) error {
	if md.ResourceMetrics().Len() == 0 {
		return nil
	}
	app := r.Store.AppenderV2(ctx)
	conv := prometheusremotewrite.NewPrometheusConverter(app)
	_, err := conv.FromMetrics(ctx, md, prometheusremotewrite.Settings{
		AddMetricSuffixes:         true,
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{PromoteResourceAttributes: promoted}),
		LookbackDelta:             5 * time.Minute,
	})
	if err != nil { // what could be translated has been appended
		refused.add(fmt.Errorf("translate metrics: %w", err))
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("store metrics: %w", err)
	}
	return nil
}

// text returns the string value of an attribute, or "".
func text(attrs pcommon.Map, key string) string {
	if v, ok := attrs.Get(key); ok {
		return v.AsString()
	}
	return ""
}
