package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// resourceMetrics puts points in OpenTelemetry's form, counters as counting
// since start. Points of a metric stay in their order.
func resourceMetrics(r *resource.Resource, start time.Time, points []collector.Point) *metricdata.ResourceMetrics {
	var order []catalog.ID
	data := map[catalog.ID][]metricdata.DataPoint[float64]{}
	counter := map[catalog.ID]bool{}
	for _, p := range points {
		d := metricdata.DataPoint[float64]{Attributes: attribute.NewSet(attributes(p.Attrs)...), Time: p.At, Value: p.Value}
		if p.Counter {
			d.StartTime = start
			counter[p.Metric] = true
		}
		if data[p.Metric] == nil {
			order = append(order, p.Metric)
		}
		data[p.Metric] = append(data[p.Metric], d)
	}

	ms := make([]metricdata.Metrics, 0, len(order))
	for _, id := range order {
		m := metricdata.Metrics{Name: string(id), Data: metricdata.Gauge[float64]{DataPoints: data[id]}}
		if counter[id] {
			m.Data = metricdata.Sum[float64]{DataPoints: data[id], Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
		}
		if known, ok := catalog.Node().Metric(id); ok {
			m.Unit, m.Description = string(known.Unit), known.Help
		}
		ms = append(ms, m)
	}
	return &metricdata.ResourceMetrics{Resource: r, ScopeMetrics: []metricdata.ScopeMetrics{
		{Scope: instrumentation.Scope{Name: Scope}, Metrics: ms}}}
}

func attributes(as []collector.Attr) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, len(as))
	for i, a := range as {
		kvs[i] = attribute.String(a.Key, a.Value)
	}
	return kvs
}

// A recorder makes log records of events. Only a logger of the SDK makes
// records that know their resource and scope, so it has one, and keeps what
// the logger makes instead of sending it by itself: whether it was sent must
// come back to whoever pushes.
type recorder struct {
	logger log.Logger
	made   []sdklog.Record
}

var _ sdklog.Processor = (*recorder)(nil)

func newRecorder(r *resource.Resource) *recorder {
	rec := &recorder{}
	rec.logger = sdklog.NewLoggerProvider(sdklog.WithResource(r), sdklog.WithProcessor(rec)).Logger(Scope)
	return rec
}

// of returns the records of events.
func (r *recorder) of(ctx context.Context, events []collector.Event) []sdklog.Record {
	r.made = nil
	for _, e := range events {
		var rec log.Record
		rec.SetTimestamp(e.At)
		rec.SetEventName(string(e.Kind))
		rec.SetBody(attribute.StringValue(e.Text))
		rec.AddAttributes(attributes(e.Attrs)...)
		r.logger.Emit(ctx, rec)
	}
	return r.made
}

// OnEmit implements [sdklog.Processor].
func (r *recorder) OnEmit(_ context.Context, rec *sdklog.Record) error {
	r.made = append(r.made, rec.Clone())
	return nil
}

// Enabled implements [sdklog.Processor].
func (r *recorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// Shutdown implements [sdklog.Processor].
func (r *recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdklog.Processor].
func (r *recorder) ForceFlush(context.Context) error { return nil }
