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
