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
			book, want, window, q := Listed(), "", 2*time.Hour, series.Querier(nil)
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
				case "want":
					want = string(f.Data)
				}
			}
			d := &Desk{Querier: q, Book: func() *Book { return book }}
			r, err := d.Report(t.Context(), window, epoch.Add(window))
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
		hours, usd := 0.0, 0.0
		for _, row := range table {
			hours, usd = hours+row.GPUHours, usd+row.USD
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
		if unsure := slices.ContainsFunc(r.Gaps, func(g string) bool { return strings.Contains(g, "how busy") }); row.Name == Nobody || unsure && row.Name == string(Busy) {
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
