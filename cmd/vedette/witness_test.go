package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/store"
	"vedette.dev/nlq"
)

// asked is a model that says replies over OpenAI's protocol, one a call.
func asked(t *testing.T, replies ...string) (address string) {
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		say := replies[0]
		replies = replies[min(1, len(replies)-1):]
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"role": "assistant", "content": say}, "finish_reason": "stop"}},
			"usage": map[string]int{"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}})
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1"
}

// running is a service with a model, whose GPU fell off the bus ten minutes ago.
func running(t *testing.T, reports, address string) *service {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "server.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `apiVersion: vedette.dev/v1
kind: ServerConfig
data: %s
listen: {http: "127.0.0.1:0", otlp: "127.0.0.1:0"}
kubernetes: {disabled: true}
model: {provider: openai, address: %q, name: some-model, reports: %s, transcript: %s}
`, dir, address, reports, filepath.Join(dir, "transcript")), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(cfg, slog.New(slog.DiscardHandler), extras{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	lost := time.Now().Add(-10 * time.Minute)
	if err := s.past.Append(t.Context(), []history.Record{{Kind: history.KernelLine, At: lost, Subject: analyzer.Node("gpu-01"),
		Text: "NVRM: Xid (PCI:0000:4e:00): 79, pid=4711, name=python, GPU has fallen off the bus."}}); err != nil {
		t.Fatal(err)
	}
	record(t, s.db, lost)
	return s
}

// record stores what a GPU measured until it was lost.
func record(t *testing.T, db *store.Local, lost time.Time) {
	t.Helper()
	app := db.DB().Appender(t.Context())
	for at := lost.Add(-15 * time.Minute); at.Before(lost); at = at.Add(15 * time.Second) {
		if _, err := app.Append(0, labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "Hostname", "gpu-01", "gpu", "0", "UUID", "GPU-0", "pci_bus_id", "00000000:4E:00.0", "modelName", "H100"), at.UnixMilli(), 60); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

const (
	looks = `{"act":"look","at":"logs","of":"node/gpu-01","holding":"","metric":"","hours":2,"cause":"","cites":[]}`
	ends  = `{"act":"done","at":"","of":"","holding":"","metric":"","hours":0,"cause":"","cites":[]}`
	truth = `{"sentences":[{"cites":["C1","E1"],"says":"A GPU of node gpu-01 fell off the PCIe bus (Xid 79)."},{"cites":["C1"],"says":"All is healthy."}]}`
	only  = `{"sentences":[{"cites":["C1","E1"],"says":"A GPU of node gpu-01 fell off the PCIe bus (Xid 79)."}]}`
)

// Where the configuration lets it, the model of the service tells of what somebody
// asks the reason of, and of an incident; what it said is written down.
func TestServiceWitness(t *testing.T) {
	s := running(t, "investigate", asked(t, looks, ends, truth, only, only, looks, ends, only, ends, only))
	a, err := s.desk.Ask(t.Context(), nlq.Question{Text: "what is wrong with the cluster", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if a.Why == nil || a.Why.Model == nil {
		t.Fatalf("no model told: %+v", a)
	}
	m := a.Why.Model
	if a.Why.Report.Diagnoses[0].Cause != "gpu-fell-off-bus" || len(m.Told) != 1 || len(m.Dropped) != 1 || len(m.Looked) != 1 || m.Looked[0] != "logs of node/gpu-01 over 2 h: 1" {
		t.Errorf("it told %+v", m)
	}
	found := []analyzer.Finding{{Kind: analyzer.Alert, Subject: analyzer.GPU("gpu-01", "GPU-0"), Signal: "GPULost", From: time.Now(), Text: "GPU 0 is lost"}}
	ins, err := s.book.Record(t.Context(), found, a.Why.Report, time.Now())
	if err != nil || len(ins) != 1 {
		t.Fatal(ins, err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = s.cfg.Listen.HTTP // it is there under its own name only
		s.http.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	for _, more := range [][]string{nil, {"--explain"}, {"--investigate"}} {
		var out, errs strings.Builder
		code := run(t.Context(), append([]string{"--server", srv.URL, "incidents", "show", ins[0].ID}, more...), nil, &out, &errs)
		if told := strings.Contains(out.String(), "## In the words of the model openai/some-model"); code != exitDone || told != (more != nil) || !strings.Contains(out.String(), "# Incident") {
			t.Errorf("incidents show %v: %d %s %s", more, code, out.String(), errs.String())
		}
		if looked := strings.Contains(out.String(), "logs of node/gpu-01 over 2 h: 1"); looked != slices.Contains(more, "--investigate") {
			t.Errorf("incidents show %v: %s", more, out.String())
		}
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"--server", srv.URL, "ask", "what is wrong with the cluster"}, nil, &out, &errs); code != exitDone || !strings.Contains(out.String(), "In the words of the model") {
		t.Errorf("ask: %d %s %s", code, out.String(), errs.String())
	}
	log, err := os.ReadFile(s.cfg.Model.Transcript)
	if err != nil || strings.Count(string(log), "=== ") != 10 || !strings.Contains(string(log), "All is healthy.") {
		t.Errorf("the transcript holds %d calls, %v", strings.Count(string(log), "=== "), err)
	}
}

// A model that may tell may not look, and what becomes of its sentences is counted.
func TestServiceWitnessTells(t *testing.T) {
	s := running(t, "explain", asked(t, truth, only))
	a, err := s.desk.Ask(t.Context(), nlq.Question{Text: "what is wrong with the cluster", Now: time.Now()})
	if err != nil || a.Why == nil || a.Why.Model == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := s.narrator()(t.Context(), analyzer.Incident{ID: "some"}, true); err == nil || !strings.Contains(err.Error(), "may not look") {
		t.Errorf("err is %v", err)
	}
	got := map[string]float64{}
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; m.GetCounter() != nil {
			got[f.GetName()] = m.GetCounter().GetValue()
		}
	}
	if got["vedette_model_told_total"] != 1 || got["vedette_model_dropped_total"] != 1 {
		t.Errorf("told %v, dropped %v", got["vedette_model_told_total"], got["vedette_model_dropped_total"])
	}
}

// A model that may read questions may not read reports.
func TestServiceWitnessOff(t *testing.T) {
	s := running(t, "none", asked(t, only))
	a, err := s.desk.Ask(t.Context(), nlq.Question{Text: "what is wrong with the cluster", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if a.Why == nil || a.Why.Model != nil || s.narrator() != nil || s.line.Usage().Calls != 0 {
		t.Errorf("it was asked: %+v", a.Why)
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, httptest.NewRequest("GET", "http://"+s.cfg.Listen.HTTP+"/vedette/v1/incidents/none/report.md?explain=model", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("an incident that there is not: %d %s", w.Code, w.Body)
	}
}
