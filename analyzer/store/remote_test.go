package store_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer/api"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/store"
	"vedette.dev/rules/catalog"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, o store.Options) *store.Local {
	t.Helper()
	l, err := store.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// fill stores for each GPU as many samples as it says, one a step from noon on,
// that count from 0.
func fill(t *testing.T, l *store.Local, step time.Duration, gpus map[string]int) {
	t.Helper()
	for i := range slices.Max(slices.Collect(maps.Values(gpus))) {
		app := l.Appender(t.Context())
		for gpu, n := range gpus {
			if i >= n {
				continue
			}
			if _, err := app.Append(0, labels.FromStrings("__name__", "temp", "gpu", gpu), noon.Add(time.Duration(i)*step).UnixMilli(), float64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// engine serves l by Prometheus' own HTTP API.
func engine(t *testing.T, l *store.Local) http.Handler {
	t.Helper()
	reg := prometheus.NewRegistry()
	return (&api.Prometheus{Store: l, Catalog: catalog.Builtin(), Gatherer: reg, Registerer: reg}).Handler()
}

// What is elsewhere is read as if it were here: over days, beside what is
// here, and only what was asked for.
func TestRemote(t *testing.T) {
	there := open(t, store.Options{})
	fill(t, there, 6*time.Hour, map[string]int{"0": 30, "1": 3}) // seven days
	srv := httptest.NewServer(engine(t, there))
	defer srv.Close()
	r, err := store.Dial(srv.URL, nil, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	here := open(t, store.Options{Beside: r})
	fill(t, here, 6*time.Hour, map[string]int{"2": 3})

	week := series.Range{From: noon, To: noon.Add(29 * 6 * time.Hour), Step: 6 * time.Hour}
	for _, expr := range []string{`temp{gpu="0"}`, `temp{gpu=~"0|1"}`, `sum(temp{gpu!="2"})`, `count_over_time(temp{gpu="0"}[3d])`} {
		want, err := there.Query(t.Context(), expr, week)
		if err != nil {
			t.Fatal(err)
		}
		got, err := here.Query(t.Context(), expr, week)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
			t.Errorf("%s is not the same from here (-there +here):\n%s", expr, diff)
		}
	}
	got, err := here.Query(t.Context(), "temp", series.Instant(noon.Add(12*time.Hour)))
	if err != nil || len(got) != 3 {
		t.Errorf("of three GPUs are seen %v, %v", got, err)
	}
	values, err := here.LabelValues(t.Context(), "gpu", noon)
	if diff := cmp.Diff([]string{"0", "1", "2"}, values); diff != "" || err != nil {
		t.Errorf("label values %v (-want +got):\n%s", err, diff)
	}

	var heard []string
	tap := func(ref uint64, lset labels.Labels, ms int64, v float64) {
		heard = append(heard, fmt.Sprint(lset.Get("gpu"), "=", v))
	}
	if err := r.Since(t.Context(), []string{"temp", "other"}, noon, noon.Add(12*time.Hour), tap); err != nil {
		t.Fatal(err)
	}
	slices.Sort(heard)
	if diff := cmp.Diff([]string{"0=1", "0=2", "1=1", "1=2"}, heard); diff != "" {
		t.Errorf("heard since noon (-want +got):\n%s", diff)
	}
}

// An engine elsewhere that is away costs what is there, and is told.
func TestRemoteAway(t *testing.T) {
	there := open(t, store.Options{})
	fill(t, there, time.Minute, map[string]int{"0": 3})
	api, away := engine(t, there), true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		api.ServeHTTP(w, r)
	}))
	defer srv.Close()
	var last error
	r, err := store.Dial(srv.URL, nil, func(err error) { last = err })
	if err != nil {
		t.Fatal(err)
	}
	here := open(t, store.Options{Beside: r})
	fill(t, here, time.Minute, map[string]int{"1": 3})
	got, err := here.Query(t.Context(), "temp", series.Instant(noon))
	if err != nil || len(got) != 1 || got[0].Labels["gpu"] != "1" {
		t.Errorf("while it is away: %v, %v; want what is here", got, err)
	}
	if last == nil || !strings.Contains(last.Error(), "503") {
		t.Errorf("told %v, want the status", last)
	}
	away = false
	if got, err = here.Query(t.Context(), "temp", series.Instant(noon)); err != nil || len(got) != 2 || last != nil {
		t.Errorf("when it is back: %v, %v, told %v", got, err, last)
	}
}
