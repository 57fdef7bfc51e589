package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/store"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A shelf keeps records, or fails.
type shelf struct {
	kept []history.Record
	err  error
}

func (s *shelf) Append(_ context.Context, rs []history.Record) error {
	if s.err == nil {
		s.kept = append(s.kept, rs...)
	}
	return s.err
}

func receiver(t *testing.T) (*Receiver, *store.Local, *shelf) {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &shelf{}
	return &Receiver{Store: db, History: s, Now: func() time.Time { return noon }}, db, s
}

// metrics is one gauge and one counter of one scope.
func metrics(scope string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("k8s.node.name", "gpu-01")
	rm.Resource().Attributes().PutStr("service.name", "train")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	g := sm.Metrics().AppendEmpty()
	g.SetName("DCGM_FI_DEV_GPU_TEMP")
	g.SetUnit("Cel")
	fill(g.SetEmptyGauge().DataPoints().AppendEmpty(), 61)
	c := sm.Metrics().AppendEmpty()
	c.SetName("DCGM_FI_DEV_PCIE_REPLAY_COUNTER")
	c.SetEmptySum().SetIsMonotonic(true)
	c.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	fill(c.Sum().DataPoints().AppendEmpty(), 7)
	return md
}

func fill(p pmetric.NumberDataPoint, v float64) {
	p.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	p.SetDoubleValue(v)
	p.Attributes().PutStr("gpu", "0")
	p.Attributes().PutStr("Hostname", "gpu-01")
	p.Attributes().PutStr("pod", "") // an empty label is none
}

// stored lists the series there are.
func stored(t *testing.T, db *store.Local) string {
	t.Helper()
	ss, err := db.Query(t.Context(), `{__name__=~".+"}`, series.Instant(noon))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range ss {
		names = append(names, s.String())
	}
	return strings.Join(names, " ")
}

func TestOwnMetricsKeepTheirNames(t *testing.T) {
	r, db, _ := receiver(t)
	if refused, err := r.Metrics(t.Context(), metrics(OwnScope)); err != nil || refused.Count != 0 {
		t.Fatal(refused, err)
	}
	want := `DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-01",gpu="0"} DCGM_FI_DEV_PCIE_REPLAY_COUNTER{Hostname="gpu-01",gpu="0"}`
	if got := stored(t, db); got != want {
		t.Errorf("stored %s\nwant   %s", got, want)
	}
	if as := r.Agents(); len(as) != 1 || as[0].Node != "gpu-01" || !as[0].Last.Equal(noon) {
		t.Errorf("agents are %+v", as)
	}
}

func TestForeignMetricsAreTranslated(t *testing.T) {
	r, db, _ := receiver(t)
	if _, err := r.Metrics(t.Context(), metrics("somebody/else")); err != nil {
		t.Fatal(err)
	}
	got := stored(t, db)
	for _, want := range []string{"DCGM_FI_DEV_GPU_TEMP_celsius{", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER_total{", `k8s_node_name="gpu-01"`, "target_info{"} {
		if !strings.Contains(got, want) {
			t.Errorf("stored %s\nwithout %s", got, want)
		}
	}
	if len(r.Agents()) != 0 {
		t.Error("somebody else counts as an agent")
	}
}

func TestTooLateIsRefusedByName(t *testing.T) {
	r, _, _ := receiver(t)
	if _, err := r.Metrics(t.Context(), metrics(OwnScope)); err != nil {
		t.Fatal(err)
	}
	late := metrics(OwnScope)
	for _, m := range late.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Type() == pmetric.MetricTypeGauge {
			m.Gauge().DataPoints().At(0).SetTimestamp(pcommon.NewTimestampFromTime(noon.Add(-26 * time.Hour)))
		}
	}
	refused, err := r.Metrics(t.Context(), late)
	if err != nil || refused.Count != 1 || !strings.Contains(refused.Why.Error(), "DCGM_FI_DEV_GPU_TEMP") {
		t.Errorf("got %+v, %v; want one refusal that names the metric", refused, err)
	}
}

func logs(event, body string, attrs map[string]any) plog.Logs {
	ld := plog.NewLogs()
	lr := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	lr.SetEventName(event)
	lr.Body().SetStr(body)
	lr.Attributes().FromRaw(attrs)
	return ld
}

func TestLogs(t *testing.T) {
	pod := map[string]any{"k8s.namespace.name": "ml", "k8s.pod.name": "train-0"}
	for _, tt := range []struct {
		name, event, body string
		attrs             map[string]any
		kind, subject     string // "" refused
	}{
		{"kernel line", "kernel", "NVRM: Xid", map[string]any{"k8s.node.name": "gpu-01"}, "kernel", "node/gpu-01"},
		{"event", "k8s.event", `{"kind":"Event","involvedObject":{"kind":"Pod","namespace":"ml","name":"train-0"}}`, nil, "k8s.event", "pod/ml/train-0"},
		{"object", "k8s.object", `{"kind":"Node","metadata":{"name":"gpu-01"}}`, map[string]any{"k8s.resource.name": "nodes"}, "k8s.object", "node/gpu-01"},
		{"object of a kubelet", "k8s.object", `{"kind":"KubeletConfiguration","metadata":{"name":"gpu-01"},"maxPods":110}`, map[string]any{"k8s.resource.name": "kubeletconfigurations.kubelet.config.k8s.io"}, "k8s.object", "kubeletconfiguration/gpu-01"},
		{"line of a pod", "log", "NCCL timeout", pod, "log", "pod/ml/train-0"},
		{"somebody else's log", "", "hello", pod, "log", "pod/ml/train-0"},
		{"about nothing", "log", "hello", nil, "", ""},
		{"not an object", "k8s.object", "{", nil, "", ""},
		{"event about nothing", "k8s.event", "{}", nil, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, s := receiver(t)
			refused, err := r.Logs(t.Context(), logs(tt.event, tt.body, tt.attrs))
			if err != nil {
				t.Fatal(err)
			}
			if tt.kind == "" {
				if refused.Count != 1 || len(s.kept) != 0 {
					t.Errorf("it was kept: %+v", s.kept)
				}
				return
			}
			if len(s.kept) != 1 {
				t.Fatalf("kept %d records, refused %+v", len(s.kept), refused)
			}
			if got := s.kept[0]; string(got.Kind) != tt.kind || got.Subject.String() != tt.subject || !got.At.Equal(noon) || got.Text != tt.body {
				t.Errorf("kept %+v", got)
			}
		})
	}
}

func TestHTTP(t *testing.T) {
	proto, err := pmetricotlp.NewExportRequestFromMetrics(metrics(OwnScope)).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(proto)
	z.Close()
	var bomb bytes.Buffer
	z = gzip.NewWriter(&bomb)
	z.Write(make([]byte, MaxMessage+1))
	z.Close()
	asJSON, err := plogotlp.NewExportRequestFromLogs(logs("kernel", "x", map[string]any{"k8s.node.name": "a"})).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, kind, encoding string
		body                       []byte
		want                       int
	}{
		{"protobuf", "/v1/metrics", "application/x-protobuf", "", proto, 200},
		{"gzip", "/v1/metrics", "application/x-protobuf", "gzip", zipped.Bytes(), 200},
		{"JSON", "/v1/logs", "application/json; charset=utf-8", "", asJSON, 200},
		{"broken", "/v1/metrics", "application/x-protobuf", "", []byte("{"), 400},
		{"not gzip", "/v1/metrics", "application/x-protobuf", "gzip", proto, 400},
		{"too large unpacked", "/v1/metrics", "application/x-protobuf", "gzip", bomb.Bytes(), 400},
		{"another type", "/v1/metrics", "text/plain", "", proto, 415},
		{"another encoding", "/v1/metrics", "application/x-protobuf", "br", proto, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, _ := receiver(t)
			req := httptest.NewRequest(http.MethodPost, tt.path, bytes.NewReader(tt.body))
			req.Header.Set("Content-Type", tt.kind)
			req.Header.Set("Content-Encoding", tt.encoding)
			w := httptest.NewRecorder()
			r.Handler().ServeHTTP(w, req)
			if w.Code != tt.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestAFullDiskMeansSendAgain(t *testing.T) {
	r, _, s := receiver(t)
	s.err = errors.New("no space left on device")
	body, _ := plogotlp.NewExportRequestFromLogs(logs("kernel", "x", map[string]any{"k8s.node.name": "a"})).MarshalProto()
	req := httptest.NewRequest(http.MethodPost, "/v1/logs", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/x-protobuf")
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no space left") {
		t.Errorf("got %d %s, want 503 with the reason", w.Code, w.Body)
	}
}
