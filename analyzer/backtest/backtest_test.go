package backtest_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer/backtest"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/store"
	"vedette.dev/rules"
)

var update = flag.Bool("update", false, "rewrite what testdata wants")

// start is the first sample of every case; samples are a minute apart.
var start = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func open(t testing.TB) *store.Local {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// load reads series in Prometheus' test notation, a line each, and returns the
// time of the last sample.
func load(t *testing.T, text string) (*store.Local, time.Time) {
	t.Helper()
	db, last := open(t), start
	app := db.DB().Appender(t.Context())
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		ls, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(line)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			at := start.Add(time.Duration(i) * time.Minute)
			if !v.Omitted {
				if _, err := app.Append(0, ls, at.UnixMilli(), v.Value); err != nil {
					t.Fatal(err)
				}
			}
			if at.After(last) {
				last = at
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db, last
}

// ruleOf reads "EXPR", "EXPR for 5m" or "EXPR for 5m keep 10m".
func ruleOf(t *testing.T, text string) rules.Rule {
	t.Helper()
	text = strings.TrimSpace(text)
	duration := func(word string) time.Duration {
		before, after, ok := strings.Cut(text, " "+word+" ")
		if !ok {
			return 0
		}
		d, err := model.ParseDuration(after)
		if err != nil {
			t.Fatal(err)
		}
		text = before
		return time.Duration(d)
	}
	keep := duration("keep")
	hold := duration("for")
	return rules.Rule{Name: "Case", Expr: text, For: hold, KeepFiring: keep}
}

// TestCases runs testdata/cases.txtar: a rule, the samples, and what comes of it.
func TestCases(t *testing.T) {
	const file = "testdata/cases.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+2 < len(ar.Files); i += 3 {
		t.Run(ar.Files[i].Name, func(t *testing.T) {
			db, last := load(t, string(ar.Files[i+1].Data))
			r := ruleOf(t, string(ar.Files[i].Data))
			over := series.Range{From: start, To: last, Step: time.Minute}
			got := result(t, db, r, over)
			if *update {
				ar.Files[i+2].Data = []byte(got)
				return
			}
			if diff := cmp.Diff(string(ar.Files[i+2].Data), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", r.Expr, diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func result(t *testing.T, q series.Querier, r rules.Rule, over series.Range) string {
	t.Helper()
	var b strings.Builder
	res, err := backtest.Run(t.Context(), q, r, over)
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	fmt.Fprintf(&b, "it %s; %d label sets, %.1f a day, %d flaps, gaps %s\n", res.Summary(), res.Labels(), res.PerDay, res.Flaps, res.Gaps)
	for _, e := range res.Episodes {
		fmt.Fprintf(&b, "%s to %s peak %g %s\n", e.From.UTC().Format("15:04"), e.To.UTC().Format("15:04"), e.Peak, series.Selector(e.Labels))
	}
	for _, c := range res.Caveats {
		fmt.Fprintf(&b, "caveat: %s\n", c)
	}
	limits, err := backtest.Suggest(t.Context(), q, r, over)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range limits {
		fmt.Fprintf(&b, "at %g: %d times, %s\n", l.Value, l.Episodes, l.Firing)
	}
	return b.String()
}

// Prometheus' own replay is the judge: what fires is what an evaluation each
// minute would have made fire, wherever the query was cut into pieces.
func TestLongRangeIsTheSameInPieces(t *testing.T) {
	db := open(t)
	app := db.DB().Appender(t.Context())
	ls := labels.FromStrings("__name__", "m", "gpu", "0")
	const n = 5000 // more steps than the first piece
	for i := range n {
		v := 0.0
		if i%500 >= 490 {
			v = 1
		}
		if _, err := app.Append(0, ls, start.Add(time.Duration(i)*time.Minute).UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	res, err := backtest.Run(t.Context(), db, rules.Rule{Name: "R", Expr: "m > 0", For: 3 * time.Minute},
		series.Range{From: start, To: start.Add((n - 1) * time.Minute), Step: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Episodes) != n/500 {
		t.Fatalf("%d episodes, want %d", len(res.Episodes), n/500)
	}
	for i, e := range res.Episodes {
		want := start.Add(time.Duration(i*500+493) * time.Minute)
		if !e.From.Equal(want) {
			t.Errorf("episode %d begins at %s, want %s", i, e.From.UTC(), want)
		}
	}
}

func TestErrors(t *testing.T) {
	db := open(t)
	over := series.Range{From: start, To: start.Add(time.Hour), Step: time.Minute}
	for expr, want := range map[string]string{"up >": "up >", "rate(x[5m])[1h:]": "matrix", `"text"`: "string"} {
		if _, err := backtest.Run(t.Context(), db, rules.Rule{Name: "R", Expr: expr}, over); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", expr, err, want)
		}
	}
	if _, err := backtest.Run(t.Context(), db, rules.Rule{Name: "R", Expr: "up"}, series.Range{From: start, To: start}); err == nil {
		t.Error("an empty range was back-tested")
	}
}

// BenchmarkRun is a back-test of 64 GPUs over 7 days at 15 s.
func BenchmarkRun(b *testing.B) {
	db := open(b)
	const gpus, days = 64, 7
	from, to := start, start.Add(days*24*time.Hour)
	f, err := db.Fill(b.Context(), from, to)
	if err != nil {
		b.Fatal(err)
	}
	sets := make([]labels.Labels, gpus)
	for g := range sets {
		sets[g] = labels.FromStrings("__name__", "DCGM_FI_DEV_GPU_TEMP", "gpu", fmt.Sprint(g%8), "Hostname", fmt.Sprint("gpu-", g/8))
	}
	for i, at := 0, from; at.Before(to); i, at = i+1, at.Add(15*time.Second) {
		for g, ls := range sets {
			if err := f.Append(b.Context(), ls, at.UnixMilli(), 70+15*math.Sin(float64(i)/1000+float64(g))); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := f.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	for { // the block is taken up within seconds
		ss, err := db.Query(b.Context(), "count(DCGM_FI_DEV_GPU_TEMP)", series.Instant(to.Add(-time.Minute)))
		if err != nil {
			b.Fatal(err)
		}
		if len(ss) == 1 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for b.Loop() {
		res, err := backtest.Run(b.Context(), db, rules.Rule{Name: "R", Expr: "DCGM_FI_DEV_GPU_TEMP > 80", For: 5 * time.Minute}, series.Range{From: from, To: to, Step: 15 * time.Second})
		if err != nil || len(res.Episodes) == 0 {
			b.Fatal(err, len(res.Episodes))
		}
	}
}
