package api_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/account"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/alerting"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/api"
	"vedette.dev/analyzer/incident"
	"vedette.dev/analyzer/store"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/publish"
)

var update = flag.Bool("update", false, "rewrite what testdata wants")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fill stores a node of two GPUs: one throttled by heat, one lost.
func fill(t *testing.T, db *store.Local) {
	t.Helper()
	app := db.DB().Appender(t.Context())
	add := func(at time.Time, v float64, kv ...string) {
		if _, err := app.Append(0, labels.FromStrings(kv...), at.UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	gpu := func(at time.Time, index, metric string, v float64) {
		add(at, v, "__name__", metric, "Hostname", "gpu-01", "gpu", index, "UUID", "GPU-"+index, "pci_bus_id", "00000000:4"+index+":00.0", "modelName", "H100", "namespace", "ml", "pod", "train-0")
	}
	for i := range 40 {
		at := noon.Add(time.Duration(i-39) * 15 * time.Second)
		add(at, 1, "__name__", "kube_node_info", "node", "gpu-01")
		add(at, 1, "__name__", "kube_node_labels", "node", "gpu-01", "label_node_kubernetes_io_instance_type", "p5.48xlarge", "label_eks_amazonaws_com_nodegroup", "gpu")
		add(at, 1, "__name__", "kube_node_spec_unschedulable", "node", "gpu-01")
		gpu(at, "0", "DCGM_FI_DEV_GPU_TEMP", 91)
		gpu(at, "0", "DCGM_FI_DEV_GPU_UTIL", 97)
		gpu(at, "0", "DCGM_FI_DEV_FB_USED", 60000)
		gpu(at, "0", "DCGM_FI_DEV_FB_FREE", 20000)
		gpu(at, "0", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", 0x40)
		if i < 20 {
			gpu(at, "1", "DCGM_FI_DEV_GPU_TEMP", 60)
		} else {
			add(at, 1, "__name__", "vedette_gpu_lost", "Hostname", "gpu-01", "gpu", "1", "UUID", "GPU-1")
			add(at, 1, "__name__", "vedette_xid_errors_total", "Hostname", "gpu-01", "pci_bus_id", "00000000:41:00.0", "xid", "79")
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

// serve returns everything behind one handler: an open incident, a proposal,
// a published rule.
func serve(t *testing.T) http.Handler {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	fill(t, db)
	dir := &publish.Dir{Path: t.TempDir()}
	if err := dir.Publish(t.Context(), rules.Group{ID: "hot", Owner: "ada", Asked: "alert when hot", Rules: []rules.Rule{{Name: "Hot", Expr: "DCGM_FI_DEV_GPU_TEMP > 85"}}}); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	alerts, err := alerting.New(alerting.Options{Storage: db.DB(), Engine: db.Engine(), Files: dir.Files, Every: time.Minute,
		ExternalURL: &url.URL{Scheme: "http", Host: "vedette"}, Logger: slog.New(slog.DiscardHandler), Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	book, err := incident.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	gpu := analyzer.GPU("gpu-01", "GPU-1")
	if _, err := book.Record(t.Context(), []analyzer.Finding{{Kind: analyzer.Alert, Subject: gpu, Signal: "GPULost", From: noon, Severity: "critical", Text: "GPU 1 is lost", Query: "vedette_gpu_lost"}},
		analyzer.Report{}, noon); err != nil {
		t.Fatal(err)
	}
	bank := &detectors{}
	anomalies, err := anomaly.Open(t.TempDir(), bank)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { anomalies.Close() })
	bank.find(t, anomalies)
	ledger, err := action.Open(t.TempDir(), action.Approve, map[action.Kind]action.Executor{
		action.CordonNode: action.ExecutorFunc(func(_ context.Context, a action.Action) (string, error) { return "cordoned " + a.Target, nil }),
		action.UndoRule: action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) {
			_, err := dir.Undo(ctx, rules.ID(a.Target))
			return "withdrawn", err
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	for _, node := range []string{"node/gpu-01", "node/gpu-02"} {
		if _, err := ledger.Propose(t.Context(), action.Action{Kind: action.CordonNode, Target: node, Reason: "Xid 79", Effect: "no new pods"}, noon); err != nil {
			t.Fatal(err)
		}
	}
	own := &api.Routes{Querier: db, Book: book, Anomalies: anomalies, Ledger: ledger, Rules: &publish.Everywhere{Dir: dir}, Alerting: alerts, Explain: account.Plain{}, Markdown: account.Markdown,
		Status: func(context.Context) (api.Status, error) {
			return api.Status{Version: "v1", Agents: []api.Agent{}}, nil
		},
		Now: func() time.Time { return noon }}
	prom := &api.Prometheus{Store: db, Alerting: alerts, Catalog: catalog.Builtin(), Version: "v1", Started: noon,
		Logger: slog.New(slog.DiscardHandler), Gatherer: registry, Registerer: prometheus.NewRegistry()}
	mux := http.NewServeMux()
	mux.Handle("/vedette/v1/", own.Handler())
	mux.Handle("/api/v1/", prom.Handler())
	return mux
}

// detectors find that a GPU is hot, and that another was.
type detectors struct{ found []analyzer.Finding }

func (d *detectors) Findings(context.Context, time.Time) ([]analyzer.Finding, error) {
	return d.found, nil
}
func (d *detectors) Heed([]analyzer.Mark) {}

func (d *detectors) find(t *testing.T, j *anomaly.Journal) {
	t.Helper()
	for i, gpu := range []string{"GPU-1", "GPU-0"} {
		at := noon.Add(time.Duration(i-1) * time.Hour)
		d.found = []analyzer.Finding{{Kind: analyzer.Anomaly, Subject: analyzer.GPU("gpu-01", gpu), Signal: "DCGM_FI_DEV_GPU_TEMP", From: at, Last: at.Add(time.Minute), Severity: "info", Score: 0.7,
			Text: "DCGM_FI_DEV_GPU_TEMP rose to 91 °C where 65 °C was usual", Query: `DCGM_FI_DEV_GPU_TEMP{UUID="` + gpu + `"}`, Caveats: []string{"only 3h0m0s of history"},
			Ways: []analyzer.Way{{Channel: analyzer.Past, Series: `DCGM_FI_DEV_GPU_TEMP{UUID="` + gpu + `"}`, Off: 26, Least: 8, Unit: "°C"}}}}
		if _, err := j.Findings(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoutes makes the calls of testdata/routes.txtar in order. Each file is
// named METHOD PATH, holds what is sent, and is followed by what is answered.
func TestRoutes(t *testing.T) {
	const file = "testdata/routes.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t)
	for i := 0; i+1 < len(ar.Files); i += 2 {
		method, path, _ := strings.Cut(ar.Files[i].Name, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(string(ar.Files[i].Data))))
		got := fmt.Sprintf("%d %s\n%s", w.Code, w.Header().Get("Content-Type"), indent(t, w.Body.Bytes()))
		if *update {
			ar.Files[i+1].Data = []byte(got)
			continue
		}
		if diff := cmp.Diff(string(ar.Files[i+1].Data), got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// indent writes JSON over several lines, and anything else as it is.
func indent(t *testing.T, body []byte) string {
	t.Helper()
	var v any
	if json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}
