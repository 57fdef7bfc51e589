package external

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/series"
)

var noon = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)

type steady float64

func (q steady) Query(_ context.Context, expr string, r series.Range) ([]series.Series, error) {
	if expr == "none" {
		return nil, nil
	}
	s := series.Series{Start: r.From, Step: r.Step}
	for range r.Len() {
		s.Values = append(s.Values, float64(q))
	}
	return []series.Series{s}, nil
}

func TestHandler(t *testing.T) {
	d := &scale.Desk{Querier: steady(42)}
	for _, name := range []string{"llm", "chat", "none"} {
		d.Pools = append(d.Pools, scale.Spec{Name: name, Demand: name, Objective: 0.005, Pool: scale.Pool{Capacity: 10, Max: 9}})
	}
	if err := d.Tick(t.Context(), noon); err == nil {
		t.Error("a pool without demand was advised on")
	}
	now := noon
	h := Handler(d, func() time.Time { return now })
	const base = "/apis/external.metrics.k8s.io/v1beta1"
	const of = base + "/namespaces/serving/vedette_recommended_replicas?labelSelector="
	for _, tt := range []struct {
		path string
		age  time.Duration
		code int
		want string
	}{
		{"/apis", 0, 200, `"kind":"APIGroupList"`},
		{"/apis/external.metrics.k8s.io", 0, 200, `"preferredVersion":{"groupVersion":"external.metrics.k8s.io/v1beta1","version":"v1beta1"}`},
		{base, 0, 200, `"resources":[{"name":"vedette_recommended_replicas","singularName":"","namespaced":true,"kind":"ExternalMetricValueList","verbs":["get"]}]`},
		{of + "pool%3Dllm", 0, 200, `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[` +
			`{"metricName":"vedette_recommended_replicas","metricLabels":{"pool":"llm"},"timestamp":"2026-11-12T12:00:00Z","value":"5"}]}`},
		{of + "pool+in+(llm,chat)", 0, 200, `"metricLabels":{"pool":"chat"}`},
		{of + "pool%3Dother", 0, 200, `"items":[]`},
		{of + "pool%3Dnone", 0, 503, `"message":"there is no advice on pool none that is newer than 5m0s"`},
		{of, 0, 503, `"reason":"ServiceUnavailable"`},
		{of + "pool%3Dllm", 6 * time.Minute, 503, `there is no advice on pool llm`},
		{of + "pool+in", 0, 400, `"kind":"Status"`},
		{base + "/namespaces/serving/queue_length", 0, 404, `there is no metric \"queue_length\"`},
		{"/openapi/v2", 0, 404, `there is no /openapi/v2`},
	} {
		now = noon.Add(tt.age)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.path, nil))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.path, w.Code, w.Body, tt.code, tt.want)
		}
	}
}
