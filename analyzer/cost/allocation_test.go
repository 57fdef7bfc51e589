package cost

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// classesAt serves the case of all classes, two hours after its first sample.
func classesAt(t *testing.T) http.Handler {
	t.Helper()
	a, err := txtar.ParseFile("testdata/classes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := &Desk{Querier: loaded(t, string(a.Files[0].Data)), Book: Listed}
	return d.Allocations("prod", func() time.Time { return epoch.Add(2 * time.Hour) })
}

func allocations(t *testing.T, h http.Handler, query string) (code int, sets []map[string]*Allocation, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/allocation?"+query, nil))
	var got struct {
		Code int
		Data []map[string]*Allocation
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v in %s", query, err, w.Body)
	}
	if got.Code != w.Code {
		t.Errorf("%s: code %d in an answer with status %d", query, got.Code, w.Code)
	}
	return got.Code, got.Data, w.Body.String()
}

func TestAllocations(t *testing.T) {
	h := classesAt(t)
	for query, want := range map[string][]string{
		"window=2h&aggregate=namespace":                  {"ml 4.92h $32.14 53%", "web 6.00h $39.22 13%"},
		"window=2h&aggregate=namespace&includeIdle=true": {"__idle__ 5.08h $33.22 0%", "ml 4.92h $32.14 53%", "web 6.00h $39.22 13%"},
		"window=2h&aggregate=controllerKind,controller": {"deployment/chat 4.00h $26.14 20%", "job/train 2.00h $13.07 90%", "pod/train-1 0.92h $5.99 90%",
			"statefulset/notebook 2.00h $13.07 0%", "statefulset/spare 2.00h $13.07 0%"},
		"window=2h&aggregate=label:team":                               {"__unallocated__ 2.92h $19.06 28%", "research 2.00h $13.07 90%", "storefront 6.00h $39.22 13%"},
		"window=2h&aggregate=cluster&includeIdle=true&idleByNode=true": {"n1/__idle__ 0.00h $0.00 0%", "n2/__idle__ 5.08h $33.22 0%", "prod 10.92h $71.35 31%"},
		"window=0,7200&step=1h&aggregate=cluster":                      {"prod 5.92h $38.67 36%", "prod 5.00h $32.68 26%"},
		"window=0,7200&step=1h&aggregate=cluster&accumulate=true":      {"prod 10.92h $71.35 31%"},
	} {
		t.Run(query, func(t *testing.T) {
			_, sets, body := allocations(t, h, query)
			var got []string
			for _, set := range sets {
				for _, name := range slices.Sorted(maps.Keys(set)) {
					a := set[name]
					got = append(got, fmt.Sprintf("%s %.2fh $%.2f %.0f%%", a.Name, a.GPUHours, a.GPUCost, 100*a.GPUEfficiency))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, body)
			}
		})
	}
}

// With what nobody had, the rows are what the machines cost: GPUs, CPUs, memory.
func TestAllocationsAreTheBill(t *testing.T) {
	_, sets, _ := allocations(t, classesAt(t), "window=2h&aggregate=namespace&includeIdle=true")
	sum := 0.0
	for _, a := range sets[0] {
		sum += a.TotalCost
	}
	if want := 16. / 8 * 55.04; math.Abs(sum-want) > 1e-4 { // 16 GPU-hours of machines with 8
		t.Errorf("all rows together cost %v, the machines %v", sum, want)
	}
	web := sets[0]["web"] // three pods of 8 cores each, for two hours
	if web.CPUHours != 48 || web.CPUCores != 24 || math.Abs(web.CPUCost-48./192*55.04*0.03) > 1e-4 || web.RAMCost != 0 {
		t.Errorf("web has %v core hours, %v cores for %v USD, and memory for %v", web.CPUHours, web.CPUCores, web.CPUCost, web.RAMCost)
	}
}

// What is shared out is neither more nor less than what there was.
func TestSharedIdle(t *testing.T) {
	h := classesAt(t)
	sum := func(query string) (usd float64) {
		_, sets, _ := allocations(t, h, query)
		for _, a := range sets[0] {
			usd += a.TotalCost
		}
		return usd
	}
	apart, shared := sum("window=2h&aggregate=namespace&includeIdle=true"), sum("window=2h&aggregate=namespace&shareIdle=true")
	if math.Abs(apart-shared) > 1e-4 || apart < 100 {
		t.Errorf("%v with __idle__, %v with it shared", apart, shared)
	}
}

func TestAllocationRefusals(t *testing.T) {
	h := classesAt(t)
	for query, want := range map[string]string{
		"":                            "there is no window",
		"window=soon":                 "no window of an hour or more",
		"window=7200,0":               "no window of an hour or more",
		"window=2h&step=1m":           "steps of an hour or more",
		"window=365d&step=1h":         "1 to 100 steps",
		"window=2h&aggregate=soul":    "aggregate",
		"window=2h&includeIdle=maybe": "neither true nor false",
	} {
		if code, _, body := allocations(t, h, query); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %q", query, code, body, want)
		}
	}
}

func TestWindows(t *testing.T) {
	now := time.Date(2026, 11, 26, 17, 30, 0, 0, time.UTC) // a Thursday
	for in, want := range map[string]string{
		"today":     "2026-11-26T00:00:00Z 2026-11-26T17:30:00Z",
		"yesterday": "2026-11-25T00:00:00Z 2026-11-26T00:00:00Z",
		"week":      "2026-11-22T00:00:00Z 2026-11-26T17:30:00Z",
		"lastweek":  "2026-11-15T00:00:00Z 2026-11-22T00:00:00Z",
		"month":     "2026-11-01T00:00:00Z 2026-11-26T17:30:00Z",
		"lastmonth": "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z",
		"36h":       "2026-11-25T05:30:00Z 2026-11-26T17:30:00Z",
		"2026-01-01T00:00:00Z,2026-01-02T00:00:00Z": "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z",
		"1767225600,1767312000":                     "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z",
	} {
		w, err := parseWindow(in, now)
		if got := w.Start.Format(time.RFC3339) + " " + w.End.Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", url.QueryEscape(in), got, err, want)
		}
	}
}
