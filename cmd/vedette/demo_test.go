package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/series"
	"vedette.dev/collector/simulate"
)

// A notepad is a writer that can be read while it is written.
type notepad struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notepad) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notepad) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("no %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// inProcess runs the demo until the test ends and returns where its page is.
func inProcess(t *testing.T, o demoOptions) (url string) {
	t.Helper()
	o.scenario, o.listen, o.speed = "quiet", "127.0.0.1:0", 1
	var out notepad
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- demo(ctx, o, &out, logger(io.Discard, 0)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	page := regexp.MustCompile(`page +(http://\S+)`)
	eventually(t, "page", func() bool { return page.MatchString(out.String()) })
	if strings.Contains(out.String(), "%!") {
		t.Errorf("the demo greets with %s", out.String())
	}
	return page.FindStringSubmatch(out.String())[1]
}

// labelNames returns the names of the labels of each metric between two times.
func labelNames(t *testing.T, base string, from, to time.Time) map[string][]string {
	t.Helper()
	q := url.Values{"match[]": {`{__name__=~"DCGM_.+|kube_.+|node_.+|vllm.+"}`}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}}
	resp, err := http.Get(base + "/api/v1/series?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Data []map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	sets := map[string]map[string]bool{}
	for _, s := range got.Data {
		name := s["__name__"]
		if sets[name] == nil {
			sets[name] = map[string]bool{}
		}
		sets[name][strings.Join(slices.Sorted(maps.Keys(s)), " ")] = true
	}
	out := map[string][]string{}
	for name, set := range sets {
		out[name] = slices.Sorted(maps.Keys(set))
	}
	return out
}

// What was filled in must look as if it had been received: by the same names,
// with the same labels.
func TestPastLooksLikePresent(t *testing.T) {
	base := inProcess(t, demoOptions{history: time.Hour})
	c := &client{server: base}
	eventually(t, "history", func() bool {
		var s struct{ Backfill struct{ Done float64 } }
		return c.get(t.Context(), "/vedette/v1/status", &s) == nil && s.Backfill.Done == 1
	})
	now := time.Now()
	var past, present map[string][]string
	eventually(t, "past", func() bool {
		past = labelNames(t, base, now.Add(-50*time.Minute), now.Add(-40*time.Minute))
		return len(past) > 0
	})
	eventually(t, "present", func() bool {
		present = labelNames(t, base, now.Add(-10*time.Second), time.Now())
		return len(present) >= len(past)
	})
	if diff := cmp.Diff(past, present); diff != "" {
		t.Errorf("labels (-past +present):\n%s", diff)
	}
}

func TestDemoCleansUp(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Run("demo", func(t *testing.T) { inProcess(t, demoOptions{}) })
	if left, _ := filepath.Glob(filepath.Join(tmp, "vedette-demo-*")); len(left) > 0 {
		t.Errorf("the demo left %v", left)
	}
}

func TestScenario(t *testing.T) {
	sc, err := scenario(demoOptions{scenario: "demo", seed: 7})
	if err != nil || sc.Seed != 7 {
		t.Errorf("scenario %v, %v; want one with seed 7", sc, err)
	}
	if _, err := scenario(demoOptions{scenario: "no-such"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("a scenario that is not there: %v", err)
	}
}

// Before demand surges, which it does on every day of the demo, its pool is
// advised to have more than the demand of the moment asks for.
func TestDemoPools(t *testing.T) {
	sc, err := scenario(demoOptions{scenario: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	pools := demoPools(sc)
	if len(pools) != 1 || pools[0].Name != "qwen-14b" {
		t.Fatalf("the demo's pools are %+v", pools)
	}
	cfg := &Scaling{Pools: pools}
	cfg.fill()
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	w, err := simulate.New(sc, from)
	if err != nil {
		t.Fatal(err)
	}
	see := w.Cluster()
	now := from.Add(4 * 24 * time.Hour).Add(3 * time.Minute)
	demand := series.Series{Start: from, Step: time.Minute}
	started := map[string]scale.Start{}
	for at := from; !at.After(now); at = at.Add(time.Minute) {
		w.Advance(at)
		batch, err := see.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, p := range batch.Points {
			l := pointLabels(p)
			of := started[l.Get("pod")]
			when := time.Unix(int64(p.Value), 0)
			switch p.Metric {
			case "vllm:num_requests_running", "vllm:num_requests_waiting":
				if l.Get("model_name") == "qwen3-14b" {
					sum += p.Value
				}
				continue
			case "kube_pod_created":
				of.Created = when
			case "kube_pod_status_ready_time":
				of.Ready = when
			default:
				continue
			}
			if strings.HasPrefix(l.Get("pod"), "qwen-14b-") {
				started[l.Get("pod")] = of
			}
		}
		demand.Values = append(demand.Values, sum)
	}
	boot := scale.MeasureBoot(slices.Collect(maps.Values(started)))
	if !boot.Measured || boot.Time < 3*time.Minute || boot.Time > 6*time.Minute {
		t.Errorf("a unit boots for %s: %s", boot.Time, boot.Evidence)
	}
	p := pools[0]
	study, err := scale.Look(demand, scale.Pool{Capacity: p.Capacity, Min: p.Min, Max: p.Max, Boot: int(boot.Time.Minutes()) + 1}, defaultOverload)
	if err != nil {
		t.Fatal(err)
	}
	a, err := study.Advise()
	if err != nil || !a.Trust.OK || a.Added() < 2 {
		t.Errorf("four minutes before the surge it is advised: %+v, %v", a, err)
	}
}
