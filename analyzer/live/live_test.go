package live_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/live"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/store"
)

var noon = time.Date(2026, 11, 22, 12, 0, 7, 0, time.UTC)

const xid79 = "NVRM: Xid (PCI:0000:4e:00): 79, pid=4711, name=python, GPU has fallen off the bus."

func open(t *testing.T) (*store.Local, *history.Log) {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	past, err := history.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { past.Close() })
	return db, past
}

// A running system whose kernel log and metrics say that a GPU fell off the
// bus is diagnosed as a captured one would be, and the same a moment later.
func TestDiagnoseTheRunningSystem(t *testing.T) {
	db, past := open(t)

	lost := noon.Add(-5 * time.Minute)
	app := db.DB().Appender(t.Context())
	for at := noon.Add(-20 * time.Minute); !at.After(noon.Add(time.Minute)); at = at.Add(15 * time.Second) {
		for gpu, bus := range map[int]string{0: "00000000:4E:00.0", 1: "00000000:4F:00.0"} {
			if gpu == 0 && at.After(lost) {
				continue
			}
			ls := labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "Hostname", "gpu-01", "gpu", fmt.Sprint(gpu), "UUID", fmt.Sprint("GPU-", gpu), "pci_bus_id", bus, "modelName", "H100")
			if _, err := app.Append(0, ls, at.UnixMilli(), 60); err != nil {
				t.Fatal(err)
			}
		}
		for _, node := range []string{"gpu-01", "gpu-02"} {
			if _, err := app.Append(0, labels.FromStrings("__name__", "vedette_source_up", "source", "kmsg", "instance", node), at.UnixMilli(), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	const configs = "kubeletconfigurations.kubelet.config.k8s.io" // what agents say of kubelets is no API server
	if err := past.Append(t.Context(), []history.Record{{Kind: history.KernelLine, At: lost, Subject: analyzer.Node("gpu-01"), Text: xid79},
		{Kind: history.KubeObject, At: noon.Add(-time.Hour), Subject: analyzer.Subject{Kind: "kubeletconfiguration", Name: "gpu-01"}, Text: `{"kind":"KubeletConfiguration","metadata":{"name":"gpu-01"},"maxPods":110}`,
			Attrs: map[string]string{history.AttrResource: configs, history.AttrVerb: "ADDED"}}}); err != nil {
		t.Fatal(err)
	}

	camera := &live.Camera{Querier: db, History: past, Metrics: facts.Metrics(), Cluster: snapshot.Cluster{Name: "prod"}}
	var onsets []time.Time
	for _, now := range []time.Time{noon, noon.Add(23 * time.Second)} {
		s, err := camera.Take(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Kernel["gpu-02"]; !ok {
			t.Error("a quiet kernel log counts as not captured")
		}
		if os := s.Objects[configs]; len(os) != 1 || os[0].Source == "" {
			t.Errorf("the kubelet's configuration is %+v, want one that can be cited", os)
		}
		r, err := live.Diagnoser{Camera: camera}.Diagnose(t.Context(), nil, now)
		if err != nil || len(r.Diagnoses) != 1 || r.Diagnoses[0].Cause != "gpu-fell-off-bus" || r.Diagnoses[0].Subject != analyzer.GPU("gpu-01", "GPU-0") {
			t.Fatalf("report %+v, %v; want that GPU-0 fell off the bus", r, err)
		}
		for _, e := range r.Diagnoses[0].Evidence {
			if strings.HasPrefix(e.Source, "query#DCGM_FI_DEV_GPU_TEMP") {
				onsets = append(onsets, e.At)
			}
		}
		if !strings.Contains(strings.Join(r.Unseen, "\n"), "Kubernetes objects") {
			t.Errorf("it does not say that no API server is watched: %q", r.Unseen)
		}
	}
	if len(onsets) != 2 || !onsets[0].Equal(onsets[1]) {
		t.Errorf("the end of the metrics is at %v: it moves with the clock", onsets)
	}
	samePacked(t, camera)
}

// samePacked takes a snapshot over HTTP, reads it back from its file and wants
// the report of the live one: only the sources are the file's.
func samePacked(t *testing.T, camera *live.Camera) {
	t.Helper()
	w := httptest.NewRecorder()
	camera.Handler(func() time.Time { return noon }).ServeHTTP(w, httptest.NewRequest("GET", "/vedette/v1/snapshot", nil))
	file := filepath.Join(t.TempDir(), "s.tar.gz")
	if err := os.WriteFile(file, w.Body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	packed, err := snapshot.Read(file)
	if err != nil {
		t.Fatalf("read what %d %s holds: %v", w.Code, w.Header().Get("Content-Type"), err)
	}
	s, err := camera.Take(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	want, got := diagnose.Diagnose(s, analyzer.Subject{}), diagnose.Diagnose(packed, analyzer.Subject{})
	sourceless := cmpopts.IgnoreFields(analyzer.Evidence{}, "Source")
	if d := cmp.Diff(want, got, sourceless); d != "" {
		t.Errorf("report (-live +read back):\n%s", d)
	}
}

// A snapshot may be asked to go further back, and to be of one namespace; it has
// no secrets. What cannot be meant is refused.
func TestHandlerQuery(t *testing.T) {
	db, past := open(t)
	pod := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":%q},"spec":{"containers":[{"name":"main","args":["--token=XYZZY12345"]}]},"status":{}}`
	var rs []history.Record
	for _, ns := range []string{"ml", "shop"} {
		rs = append(rs, history.Record{Kind: history.KubeObject, At: noon.Add(-time.Hour), Subject: analyzer.Subject{Kind: "pod", Namespace: ns, Name: "a"}, Text: fmt.Sprintf(pod, "a", ns),
			Attrs: map[string]string{history.AttrResource: "pods", history.AttrVerb: "DELETED"}})
	}
	if err := past.Append(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	camera := &live.Camera{Querier: db, History: past, Metrics: facts.Metrics()}
	ask := func(query string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		camera.Handler(func() time.Time { return noon }).ServeHTTP(w, httptest.NewRequest("GET", "/vedette/v1/snapshot"+query, nil))
		return w
	}
	for query, want := range map[string]int{"": 0, "?since=2h": 2, "?since=2h&namespace=ml": 1} {
		s, err := snapshot.Unpack(ask(query).Body)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.History) != want || !s.Redacted {
			t.Errorf("%q: %d revisions, redacted %v; want %d", query, len(s.History), s.Redacted, want)
		}
		for _, r := range s.History {
			if strings.Contains(string(r.Raw), "XYZZY") {
				t.Errorf("%q: it holds %s", query, r.Raw)
			}
		}
	}
	for _, query := range []string{"?since=yesterday", "?since=-1h", "?since=1000h"} {
		if w := ask(query); w.Code != 400 || !strings.Contains(w.Body.String(), "since") {
			t.Errorf("%q is answered with %d %s", query, w.Code, w.Body)
		}
	}
}

// What cannot be read is an error and is said in the snapshot; the rest is there.
func TestAClosedHistoryCostsOnlyItself(t *testing.T) {
	db, past := open(t)
	past.Close()
	camera := &live.Camera{Querier: db, History: past, Metrics: facts.Metrics()}
	s, err := camera.Take(t.Context(), noon)
	if err == nil || s == nil || !strings.Contains(strings.Join(s.Unseen, "\n"), "events: ") {
		t.Errorf("snapshot %+v, error %v; want both, and the events among the unseen", s, err)
	}
}

// What is watched in vain is said, so that nothing counts as absent for being unseen.
func TestWatchedInVain(t *testing.T) {
	db, past := open(t)
	app := db.Appender(t.Context())
	for source, up := range map[string]float64{"kube": 1, "kube/pods": 0, "kube/nodes": 1} {
		if _, err := app.Append(0, labels.FromStrings("__name__", "vedette_source_up", "source", source, "instance", "prod"), noon.UnixMilli(), up); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	s, err := (&live.Camera{Querier: db, History: past, Metrics: facts.Metrics()}).Take(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if unseen := strings.Join(s.Unseen, "\n"); !strings.Contains(unseen, "pods of now: the API server does not show them") || strings.Contains(unseen, "nodes of now") {
		t.Errorf("unseen is\n%s", unseen)
	}
}
