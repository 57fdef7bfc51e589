package cost

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer/series"
)

var update = flag.Bool("update", false, "rewrite the wanted reports in testdata")

// epoch is the first sample of every case; there is one every five minutes. A
// case is about two hours of them, unless its file window says otherwise.
var epoch = time.Unix(0, 0).UTC()

// loaded answers from series as promqltest writes them.
func loaded(t *testing.T, text string) series.Querier {
	t.Helper()
	db := promqltest.LoadedStorage(t, "load 5m\n  "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")+"\n")
	t.Cleanup(func() { db.Close() })
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true})
	return querier(func(ctx context.Context, expr string, r series.Range) ([]series.Series, error) {
		at := r
		if r.Step == 0 {
			at = series.Range{From: r.To, To: r.To, Step: time.Minute}
		}
		q, err := engine.NewRangeQuery(ctx, db, nil, expr, at.From, at.To, at.Step)
		if err != nil {
			return nil, err
		}
		defer q.Close()
		m, err := q.Exec(ctx).Matrix()
		var out []series.Series
		for _, s := range m {
			vs := missing(at.Len())
			for _, p := range s.Floats {
				vs[(p.T-at.From.UnixMilli())/at.Step.Milliseconds()] = p.F
			}
			out = append(out, series.Series{Labels: s.Metric.Map(), Start: at.From, Step: r.Step, Values: vs})
		}
		return out, err
	})
}

type querier func(ctx context.Context, expr string, r series.Range) ([]series.Series, error)

func (q querier) Query(ctx context.Context, expr string, r series.Range) ([]series.Series, error) {
	return q(ctx, expr, r)
}

// TestReports makes the report of every case in testdata.
func TestReports(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			book, want, window, q, compare := Listed(), "", 2*time.Hour, series.Querier(nil), false
			for _, f := range a.Files {
				switch f.Name {
				case "series":
					q = loaded(t, string(f.Data))
				case "prices.yaml":
					path := filepath.Join(t.TempDir(), "prices.yaml")
					if err := os.WriteFile(path, f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
					own, err := ReadOwn(path)
					if err != nil {
						t.Fatal(err)
					}
					if book, err = book.Owning(own); err != nil {
						t.Fatal(err)
					}
				case "window":
					if window, err = time.ParseDuration(strings.TrimSpace(string(f.Data))); err != nil {
						t.Fatal(err)
					}
				case "compare": // with the window before
					compare = true
				case "want":
					want = string(f.Data)
				}
			}
			d := &Desk{Querier: q, Book: func() *Book { return book }}
			report, end := d.Report, epoch.Add(window)
			if compare {
				report, end = d.Compared, end.Add(window)
			}
			r, err := report(t.Context(), window, end)
			if err != nil {
				t.Fatal(err)
			}
			adds(t, r)
			if filepath.Base(file) != "mig.txtar" && filepath.Base(file) != "shared.txtar" { // their queries count GPUs that are seen, whole ones
				shows(t, q, r)
			}
			md, err := Markdown(r)
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(string(md), "\n## Queries")
			if *update {
				a.Files[len(a.Files)-1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// adds holds the law of a report: every table is the whole.
func adds(t *testing.T, r Report) {
	t.Helper()
	for _, table := range [][]Row{r.Classes, r.Namespace, r.Team, r.Workload, r.Pool} {
		hours, usd, rest := 0.0, 0.0, 0.0
		for _, row := range table {
			hours, usd, rest = hours+row.GPUHours, usd+row.USD, rest+row.CPU+row.Memory
		}
		if len(table) > 0 && table[0].Name != r.Classes[0].Name && math.Abs(rest-r.Rest) > 1e-6 { // a class is of GPUs
			t.Errorf("%v has CPUs and memory for %v USD, the machines' are %v", table, rest, r.Rest)
		}
		if math.Abs(hours-r.Total.GPUHours) > 1e-6 || math.Abs(usd-r.Total.USD) > 1e-6 {
			t.Errorf("%v is %v GPU-hours and %v USD, the whole is %v and %v", table, hours, usd, r.Total.GPUHours, r.Total.USD)
		}
	}
}

// shows runs the query beside every figure: it must give the figure.
func shows(t *testing.T, q series.Querier, r Report) {
	t.Helper()
	rows := []Row{}
	for _, table := range [][]Row{r.Classes, r.Namespace, r.Team, r.Workload} {
		rows = append(rows, table...)
	}
	for _, row := range rows {
		if unsure := slices.ContainsFunc(r.Gaps, func(g string) bool { return strings.Contains(g, "how busy") }); row.GPUHours == 0 || row.Name == Nobody || unsure && row.Name == string(Busy) {
			continue // nobody's hours are also those of lost GPUs, which have no sample; and busy is also what nothing is known of
		}
		ss, err := q.Query(t.Context(), row.Query, series.Instant(r.To))
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if len(ss) != 1 || math.Abs(ss[0].Values[0]-row.GPUHours) > 1e-6 {
			t.Errorf("%s: %v GPU-hours, and %s gives %v", row.Name, row.GPUHours, row.Query, ss)
		}
	}
}

// A price says when it is old.
func TestStale(t *testing.T) {
	a, err := txtar.ParseFile("testdata/classes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(t.Context(), loaded(t, string(a.Files[0].Data)), 2*time.Hour, epoch.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC)
	if r := Account(f, Listed(), day.AddDate(0, 0, 90)); len(r.Warnings) != 0 {
		t.Errorf("after 90 days: %q", r.Warnings)
	}
	want := []string{"the price of p5.48xlarge on demand is of 2026-07-20, 91 days ago: it may not be true any more"}
	if r := Account(f, Listed(), day.AddDate(0, 0, 91)); !slices.Equal(want, r.Warnings) {
		t.Errorf("after 91 days: %q, want %q", r.Warnings, want)
	}
}

func TestStepFor(t *testing.T) {
	for _, tt := range []struct {
		window time.Duration
		gpus   int
		want   time.Duration
	}{{time.Hour, 8, 5 * time.Minute}, {7 * 24 * time.Hour, 2000, 5 * time.Minute}, {7*24*time.Hour + 1, 8, 10 * time.Minute}, {30 * 24 * time.Hour, 8, 30 * time.Minute},
		{7 * 24 * time.Hour, 10000, 30 * time.Minute}, {maxWindow, 8, time.Hour}, {maxWindow, 100000, time.Hour}} {
		if got := stepFor(tt.window, tt.gpus); got != tt.want {
			t.Errorf("%v of %d GPUs in steps of %v, want %v", tt.window, tt.gpus, got, tt.want)
		}
	}
}

// Names are data: none is run by a browser or by a program for tables.
func TestNamesAreNames(t *testing.T) {
	r := Report{Total: Row{Name: "all", GPUHours: 1}, Workload: []Row{{Name: "=cmd()"}, {Name: "<script>a|b"}}}
	csv, err := CSV(r)
	if err != nil || !strings.Contains(string(csv), ",workload,'=cmd(),") {
		t.Errorf("%s, %v", csv, err)
	}
	html, err := HTML(r)
	if err != nil || strings.Contains(string(html), "<script>") || !strings.Contains(string(html), "&lt;script&gt;a|b") {
		t.Errorf("%s, %v", html, err)
	}
	md, err := Markdown(r)
	if err != nil || !strings.Contains(string(md), `| &lt;script>a\|b |`) {
		t.Errorf("%s, %v", md, err)
	}
}

// A window of which little is known is nothing to compare with.
func TestNothingBefore(t *testing.T) {
	a, err := txtar.ParseFile("testdata/classes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := &Desk{Querier: loaded(t, string(a.Files[0].Data)), Book: Listed}
	r, err := d.Compared(t.Context(), 2*time.Hour, epoch.Add(2*time.Hour))
	if err != nil || r.Before != nil || !slices.Contains(r.Gaps, "of the 2h before only 4 % was seen, so that nothing is compared") {
		t.Errorf("before is %+v, gaps are %q, %v", r.Before, r.Gaps, err)
	}
}
