package store

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer/series"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func openStore(t *testing.T, dir string, o Options) *Local {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func temp(gpu string) labels.Labels {
	return labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "gpu", gpu)
}

// put appends values by the minute from noon on; NaN is no sample.
func put(t *testing.T, l *Local, lset labels.Labels, values ...float64) {
	t.Helper()
	app := l.Appender(context.Background())
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if _, err := app.Append(0, lset, noon.Add(time.Duration(i)*time.Minute).UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestQuery(t *testing.T) {
	l := openStore(t, t.TempDir(), Options{})
	put(t, l, temp("1"), 60, 61, 62)
	put(t, l, temp("0"), 50, 51, 52)

	r := series.Range{From: noon, To: noon.Add(2 * time.Minute), Step: time.Minute}
	got, err := l.Query(t.Context(), "DCGM_FI_DEV_GPU_TEMP > 50", r)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := []series.Series{
		{Labels: temp("0").Map(), Start: noon, Step: time.Minute, Values: []float64{nan, 51, 52}},
		{Labels: temp("1").Map(), Start: noon, Step: time.Minute, Values: []float64{60, 61, 62}},
	}
	sameNaN := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
	if diff := cmp.Diff(want, got, sameNaN); diff != "" {
		t.Errorf("range (-want +got):\n%s", diff)
	}

	got, err = l.Query(t.Context(), "sum(DCGM_FI_DEV_GPU_TEMP)", series.Instant(noon.Add(time.Minute)))
	if err != nil || len(got) != 1 || got[0].Values[0] != 112 {
		t.Errorf("instant: got %v, %v; want 112", got, err)
	}
	got, err = l.Query(t.Context(), "1 + 1", series.Instant(noon))
	if err != nil || len(got) != 1 || got[0].Values[0] != 2 {
		t.Errorf("scalar: got %v, %v; want 2", got, err)
	}
	if _, err = l.Query(t.Context(), "sum(", series.Instant(noon)); err == nil || !strings.Contains(err.Error(), `query "sum("`) {
		t.Errorf("got %v, want an error that names the query", err)
	}
}

func TestLateSamplesAreTaken(t *testing.T) {
	l := openStore(t, t.TempDir(), Options{})
	nan := math.NaN()
	put(t, l, temp("0"), nan, nan, nan, 53) // what an agent sends after an outage
	put(t, l, temp("0"), 50, 51, 52)
	got, err := l.Query(t.Context(), "sum_over_time(DCGM_FI_DEV_GPU_TEMP[10m])", series.Instant(noon.Add(5*time.Minute)))
	if err != nil || len(got) != 1 || got[0].Values[0] != 50+51+52+53 {
		t.Errorf("got %v, %v; want all four samples", got, err)
	}
}

func TestTapHearsWhatIsStored(t *testing.T) {
	var heard []float64
	l := openStore(t, t.TempDir(), Options{Tap: func(_ uint64, lset labels.Labels, ms int64, v float64) {
		if lset.Get("gpu") != "0" {
			t.Errorf("labels are %s", lset)
		}
		heard = append(heard, v)
	}})
	app := l.Appender(t.Context())
	app.Append(0, temp("0"), noon.UnixMilli(), 99)
	app.Rollback()
	put(t, l, temp("0"), 50, 51)
	if diff := cmp.Diff([]float64{50, 51}, heard); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	l := openStore(t, t.TempDir(), Options{})
	put(t, l, temp("0"), 70)
	from := noon.Add(-24 * time.Hour)
	f, err := l.Fill(t.Context(), from, noon)
	if err != nil {
		t.Fatal(err)
	}
	for at := from; at.Before(noon); at = at.Add(2 * time.Minute) {
		if err := f.Append(t.Context(), temp("0"), at.UnixMilli(), 60); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := l.db.Dir()
	if err := l.Close(); err != nil { // opening reads blocks at once; running does every few seconds
		t.Fatal(err)
	}
	again := openStore(t, dir, Options{})
	got, err := again.Query(t.Context(), "count_over_time(DCGM_FI_DEV_GPU_TEMP[25h])", series.Instant(noon))
	if err != nil || len(got) != 1 || got[0].Values[0] != 24*30+1 {
		t.Errorf("got %v, %v; want 721 samples", got, err)
	}
}

// A store whose process was killed has what was committed, and opens.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("VEDETTE_TEST_KILL"); dir != "" {
		l, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		put(t, l, temp("0"), 50, 51, 52)
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		select {}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "VEDETTE_TEST_KILL="+dir)
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "FAIL") {
		t.Fatalf("the child was to be killed: %v\n%s", err, out)
	}
	l := openStore(t, dir, Options{})
	got, err := l.Query(t.Context(), "count_over_time(DCGM_FI_DEV_GPU_TEMP[1h])", series.Instant(noon.Add(10*time.Minute)))
	if err != nil || len(got) != 1 || got[0].Values[0] != 3 {
		t.Errorf("after the kill: got %v, %v; want the three samples", got, err)
	}
}

func TestOpenErrorsNameTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held := t.TempDir()
	openStore(t, held, Options{})
	for what, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "x"), "held by another": held, "where nobody writes": "/proc/vedette"} {
		l, err := Open(dir, Options{})
		if err == nil {
			l.Close()
			t.Errorf("%s: opened", what)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %q does not name %s", what, err, dir)
		}
	}
}
