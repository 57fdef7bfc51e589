package chat_test

import (
	"context"
	"flag"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/store"
	"vedette.dev/nlq"
	"vedette.dev/nlq/answer"
	"vedette.dev/nlq/chat"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/publish"
)

var update = flag.Bool("update", false, "rewrite the wanted answers in testdata")

// now is when the snapshot of the test's cluster was captured.
var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// A film is a camera whose picture was taken before.
type film struct{ *snapshot.Snapshot }

func (f film) Take(context.Context, time.Time) (*snapshot.Snapshot, error) { return f.Snapshot, nil }

// A shelf holds one incident.
type shelf struct{}

func (shelf) List(context.Context, int) ([]analyzer.Incident, error) {
	return []analyzer.Incident{{ID: "2026-03-01-1", Subject: analyzer.GPU("gpu-01", "GPU-aaa"), Findings: []analyzer.Finding{{Subject: analyzer.Node("gpu-01")}}}}, nil
}

// A logbook holds two anomalies, one of which somebody said is none, and one that is over.
type logbook struct{}

func (logbook) List(context.Context, int) ([]anomaly.Anomaly, error) {
	hot := analyzer.Finding{Kind: analyzer.Anomaly, Subject: analyzer.GPU("gpu-01", "GPU-aaa"), Signal: "DCGM_FI_DEV_GPU_TEMP", From: now.Add(-time.Hour), Score: 0.7,
		Text: "DCGM_FI_DEV_GPU_TEMP rose to 91 °C where 65 °C was usual", Query: `DCGM_FI_DEV_GPU_TEMP{UUID="GPU-aaa"}`, Caveats: []string{"only 3h of history"}}
	marked, over := hot, hot
	marked.Marked = &analyzer.Mark{Text: "marked as no anomaly by ada"}
	over.To = now
	return []anomaly.Anomaly{{ID: 3, Finding: hot}, {ID: 2, Finding: marked}, {ID: 1, Finding: over}}, nil
}

// used is a day of the same nodes, in which the second GPU of each is held and
// does nothing.
func used(t *testing.T) *store.Local {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	app := db.DB().Appender(t.Context())
	for at := now.Add(-24 * time.Hour); !at.After(now); at = at.Add(5 * time.Minute) {
		add := func(v float64, kv ...string) {
			if _, err := app.Append(0, labels.FromStrings(kv...), at.UnixMilli(), v); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []string{"1", "2"} {
			add(1, "__name__", "kube_node_labels", "node", "gpu-0"+n, "label_node_kubernetes_io_instance_type", "p5.48xlarge", "label_topology_kubernetes_io_region", "us-east-1")
			for gpu := range 2 {
				for metric, v := range map[string]float64{"DCGM_FI_DEV_FB_USED": 40000, "DCGM_FI_DEV_FB_FREE": 40000, "DCGM_FI_PROF_SM_ACTIVE": 0.9 * float64(1-gpu)} {
					add(v, "__name__", metric, "Hostname", "gpu-0"+n, "gpu", strconv.Itoa(gpu), "UUID", "GPU-"+n+strconv.Itoa(gpu), "modelName", "NVIDIA H100 80GB HBM3", "namespace", "ml", "pod", "train-"+n)
				}
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// past is a week of two nodes of two GPUs, sample by sample: a GPU that gets
// too hot on two afternoons, and a disk that fills.
func past(t *testing.T) *store.Local {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	const week = 7 * 24 * time.Hour
	app := db.DB().Appender(t.Context())
	add := func(at time.Time, v float64, kv ...string) {
		if _, err := app.Append(0, labels.FromStrings(kv...), at.UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	for i, from := 0, now.Add(-week); ; i++ {
		at := from.Add(time.Duration(i) * 2 * time.Minute)
		if at.After(now) {
			break
		}
		hour := at.Sub(from).Hours()
		for node := range 2 {
			name := "gpu-0" + strconv.Itoa(node+1)
			for gpu := range 2 {
				id := strconv.Itoa(gpu)
				temp := 60 + 5*math.Sin(hour*math.Pi/12) + float64(3*node+gpu)
				if node == 1 && gpu == 1 && (hour > 40 && hour < 41 || hour > 88 && hour < 88.5) {
					temp = 88 + float64(i%3)
				}
				add(at, temp, "__name__", "DCGM_FI_DEV_GPU_TEMP", "Hostname", name, "gpu", id, "UUID", "GPU-"+name+"-"+id, "modelName", "NVIDIA H100 80GB HBM3", "namespace", "ml", "pod", "train-"+strconv.Itoa(node))
			}
			disk := []string{"device", "/dev/nvme0n1", "fstype", "xfs", "instance", name, "mountpoint", "/"}
			add(at, 1e12*(1-(0.3+float64(node)*0.65*at.Sub(from).Hours()/week.Hours())), append([]string{"__name__", "node_filesystem_avail_bytes"}, disk...)...)
			add(at, 1e12, append([]string{"__name__", "node_filesystem_size_bytes"}, disk...)...)
		}
		if i%5000 == 4999 {
			if err := app.Commit(); err != nil {
				t.Fatal(err)
			}
			app = db.DB().Appender(t.Context())
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// fallen is the snapshot of a cluster of which a GPU fell off the bus.
func fallen(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	a, err := txtar.ParseFile("../../analyzer/diagnose/testdata/gpu-fell-off-bus.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// diary is a past in which a deployment got a new image.
type diary struct{}

func (diary) Changes(_ context.Context, from, to time.Time) ([]history.Change, error) {
	api := analyzer.Subject{Kind: "deployment", Namespace: "ml", Name: "api"}
	node := analyzer.Subject{Kind: "node", Name: "gpu-01"}
	return []history.Change{
		{At: from.Add(time.Minute), Subject: api, What: "spec.replicas was 2, is 3", Source: "history#7"},
		{At: to.Add(-time.Minute), Subject: node, What: "spec.unschedulable is true", Source: "history#9"},
	}, nil
}

// siren is one hot GPU, and a target that is down, of which alerts fire.
type siren struct{}

func (siren) Firing() []map[string]string {
	return []map[string]string{
		{"alertname": "GPUTooHot", "Hostname": "gpu-02", "gpu": "1", "severity": "critical"},
		{"alertname": "TargetDown", "instance": "gpu-02", "job": "node", "severity": "warning"},
	}
}

func desk(t *testing.T) (*answer.Desk, *publish.Dir) {
	t.Helper()
	dir := &publish.Dir{Path: t.TempDir()}
	ledger, err := action.Open(t.TempDir(), action.Observe, map[action.Kind]action.Executor{
		action.PublishRule: action.ExecutorFunc(func(ctx context.Context, a action.Action) (string, error) {
			g, err := publish.Decode([]byte(a.Params["group"]))
			if err != nil {
				return "", err
			}
			return "published", dir.Publish(ctx, g)
		}),
		action.SilenceAlerts: action.ExecutorFunc(func(context.Context, action.Action) (string, error) { return "silent", nil }),
		action.EndSilence:    action.ExecutorFunc(func(context.Context, action.Action) (string, error) { return "told again", nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	words := catalog.Builtin()
	return &answer.Desk{Engine: &grammar.Engine{Catalog: words}, Catalog: words, Querier: past(t), Costs: &cost.Desk{Querier: used(t), Book: cost.Listed}, Camera: film{fallen(t)}, Past: diary{}, Book: shelf{}, Anomalies: logbook{}, Ledger: ledger, Alerts: siren{}, Published: dir,
		Page: "https://vedette.example", Runbooks: "https://runbooks.example/{alert}"}, dir
}

// TestAnswers asks the questions of testdata/answers.txtar; each is followed
// by its answer as a terminal shows it.
func TestAnswers(t *testing.T) {
	const file = "testdata/answers.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, dir := desk(t)
	for i := 0; i+1 < len(ar.Files); i += 2 {
		text := strings.TrimSpace(string(ar.Files[i].Data))
		a, err := d.Ask(t.Context(), nlq.Question{Text: text, Now: now})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var b strings.Builder
		chat.Text(&b, a)
		if *update {
			ar.Files[i+1].Data = []byte(b.String())
			continue
		}
		if diff := cmp.Diff(string(ar.Files[i+1].Data), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if gs, err := dir.Groups(); err != nil || len(gs) > 0 {
		t.Errorf("words alone published %v, %v", gs, err)
	}
}

func TestPublish(t *testing.T) {
	d, dir := desk(t)
	const text = "alert when GPU temperature is above 85 for 5 minutes"
	for range 2 { // the second time changes nothing
		a, err := d.Publish(t.Context(), nlq.Question{Text: text, Now: now}, "ada")
		if err != nil || a.Alert == nil || a.Alert.Published == nil || a.Alert.Published.State != action.Done {
			t.Fatalf("got %+v, %v; want a published rule", a.Alert, err)
		}
	}
	gs, err := dir.Groups()
	if err != nil || len(gs) != 1 {
		t.Fatalf("groups %v, %v; want one", gs, err)
	}
	if g := gs[0]; g.Owner != "ada" || g.Asked != text || g.Revision != 1 {
		t.Errorf("owner %q, asked %q, revision %d; want ada, the words, 1", g.Owner, g.Asked, g.Revision)
	}
	a, err := d.Publish(t.Context(), nlq.Question{Text: "which GPUs are hotter than 80 degrees", Now: now}, "ada")
	if err != nil || len(a.Caveats) == 0 || a.Alert != nil {
		t.Errorf("publishing a query: %+v, %v; want it answered and said that nothing is published", a, err)
	}
}
