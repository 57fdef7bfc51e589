package alerting

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/store"
)

const hotRule = `groups:
- name: gpu-hot
  rules:
  - alert: GPUHot
    expr: DCGM_FI_DEV_GPU_TEMP > 85
    labels: {severity: critical}
    annotations: {summary: "GPU {{ $labels.gpu }} has {{ $value }} degrees"}
`

// setup returns a manager over one rule file and a store with a hot and a cool GPU.
func setup(t *testing.T, rule string, alertmanagers ...string) (*Manager, error) {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	app := db.Appender(t.Context())
	for gpu, v := range map[string]float64{"0": 90, "1": 60} {
		if _, err := app.Append(0, labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "gpu", gpu, "UUID", "GPU-"+gpu, "Hostname", "gpu-01"), time.Now().UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	return New(Options{Storage: db.DB(), Engine: db.Engine(), Every: 50 * time.Millisecond, Alertmanagers: alertmanagers,
		Files: func() ([]string, error) { return []string{file}, nil }, ExternalURL: &url.URL{Scheme: "http", Host: "vedette"},
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
}

func TestAlertReachesAlertmanager(t *testing.T) {
	type alert struct {
		Labels, Annotations map[string]string
		GeneratorURL        string
	}
	got := make(chan alert, 1)
	am := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var as []alert
		if r.URL.Path != "/prefix/api/v2/alerts" || json.NewDecoder(r.Body).Decode(&as) != nil || len(as) == 0 {
			http.Error(w, "not alerts", http.StatusBadRequest)
			return
		}
		select {
		case got <- as[0]:
		default: // it is sent again
		}
	}))
	defer am.Close()
	m, err := setup(t, hotRule, am.URL+"/prefix")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	defer func() { stop(); <-done }()

	select {
	case a := <-got:
		if a.Labels["alertname"] != "GPUHot" || a.Labels["gpu"] != "0" || a.Annotations["summary"] != "GPU 0 has 90 degrees" || !strings.HasPrefix(a.GeneratorURL, "http://vedette/") {
			t.Errorf("Alertmanager was told %+v", a)
		}
	case <-ctx.Done():
		t.Fatal("Alertmanager was told nothing")
	}

	fs, err := m.Findings(ctx, time.Now())
	if err != nil || len(fs) != 1 {
		t.Fatalf("findings are %+v, %v", fs, err)
	}
	f := fs[0]
	if f.Subject != analyzer.GPU("gpu-01", "GPU-0") || f.Signal != "GPUHot" || f.Severity != "critical" || f.Text != "GPU 0 has 90 degrees" || f.From.IsZero() {
		t.Errorf("finding is %+v", f)
	}
	stop() // an alert is sent before its evaluation is over, and only then has the rule a state
	<-done
	if s := m.States()[RuleKey{"gpu-hot", "GPUHot"}]; s.State != "firing" {
		t.Errorf("the rule's state is %+v", s)
	}
}

func TestErrors(t *testing.T) {
	if _, err := setup(t, "groups:\n- name: a\n  ruels: []\n"); err == nil || !strings.Contains(err.Error(), "rules.yaml") || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want an error that names file and line", err)
	}
	if _, err := setup(t, hotRule, "alertmanager:9093"); err == nil || !strings.Contains(err.Error(), "alertmanager:9093") {
		t.Errorf("got %v, want an error that names the URL", err)
	}
}

func TestABadReloadKeepsTheRules(t *testing.T) {
	m, err := setup(t, hotRule)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	defer func() { stop(); <-done }()
	files, _ := m.o.Files()
	if err := os.WriteFile(files[0], []byte("groups: 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Reload(); err == nil {
		t.Error("a broken file was read")
	}
	if n := len(m.Rules.AlertingRules()); n != 1 {
		t.Errorf("%d rules stand, want the one from before", n)
	}
}
