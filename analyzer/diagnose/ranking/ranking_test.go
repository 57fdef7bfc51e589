package ranking

import (
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
)

var start = time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)

func service(name string) analyzer.Subject {
	return analyzer.Subject{Kind: "service", Namespace: "shop", Name: name}
}

// steps is a series that is at low for half an hour and at high for ten minutes.
func steps(metric, of, stat string, low, high float64) snapshot.Series {
	m := snapshot.Series{Labels: map[string]string{"__name__": metric, "namespace": "shop", "service": of, "stat": stat}}
	for i := range 40 {
		v := low
		if i >= 30 {
			v = high
		}
		m.Samples = append(m.Samples, snapshot.Sample{At: start.Add(time.Duration(i) * time.Minute), Value: v})
	}
	return m
}

func TestSlowest(t *testing.T) {
	s := &snapshot.Snapshot{Edges: []snapshot.Edge{
		{From: service("front"), To: service("cart"), Kind: snapshot.Calls},
		{From: service("cart"), To: service("db"), Kind: snapshot.Calls},
	}}
	for of, by := range map[string]float64{"front": 2.1, "cart": 2.0, "db": 1.9, "other": 9} {
		s.Metrics = append(s.Metrics, steps("vedette_service_latency_seconds", of, "mean", 0.1, 0.1+by), steps("vedette_service_requests", of, "", 100, 100))
	}
	g := topology.New(s)
	if r, ok := Slowest(s, g, []analyzer.Subject{service("front")}, time.Time{}); !ok || r.Service != service("db") {
		t.Errorf("got %v, %v, want db: the others wait for it, and nobody asked about one that they do not call", r.Service, ok)
	}
	if r, ok := Failing(s, g, []analyzer.Subject{service("front")}, time.Time{}); ok {
		t.Errorf("%v fails, want none: nobody measured it", r.Service)
	}
}

func TestHungry(t *testing.T) {
	for _, tt := range []struct {
		cores, throttled float64
		want             bool
	}{{3, 0.5, true}, {1.5, 0.5, false}, {3, 0.1, false}} {
		s := &snapshot.Snapshot{Metrics: []snapshot.Series{
			steps("vedette_service_cpu_cores", "db", "", 1, tt.cores), steps("vedette_service_cpu_throttled_ratio", "db", "", 0, tt.throttled)}}
		if _, got := Hungry(s, service("db")); got != tt.want {
			t.Errorf("with %v cores for one and %v throttled: got %v, want %v", tt.cores, tt.throttled, got, tt.want)
		}
	}
}
