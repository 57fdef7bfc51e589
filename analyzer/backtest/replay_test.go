package backtest_test

import (
	stdcmp "cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"

	"vedette.dev/analyzer/backtest"
	"vedette.dev/analyzer/series"
	"vedette.dev/rules"
)

// A back-test leaves out the steps at which nothing can change. The judge is
// the plain way: a query and an evaluation of Prometheus' rule for each step.
func TestAsEveryStepEvaluated(t *testing.T) {
	const steps = 120
	r := rand.New(rand.NewPCG(1, 2))
	db := open(t)
	app := db.DB().Appender(t.Context())
	for gpu := range 4 {
		ls := labels.FromStrings("__name__", "m", "gpu", fmt.Sprint(gpu))
		state := 0.0
		for i := range steps {
			at := start.Add(time.Duration(i) * time.Minute).UnixMilli()
			v := 5 + state + float64(r.IntN(3))/10
			switch r.IntN(20) {
			case 0, 1, 2:
				state = float64(r.IntN(9)) - 4
			case 3:
				v = math.Float64frombits(value.StaleNaN)
			case 4:
				continue // a missed scrape
			}
			if _, err := app.Append(0, ls, at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}

	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	minutes := func() time.Duration { return time.Duration(max(0, r.IntN(12)-3)) * time.Minute }
	fired := 0
	for range 40 {
		rule := rules.Rule{Name: "R", For: minutes(), KeepFiring: minutes(),
			Expr:   pick(`m > 6`, `m < 4`, `m{gpu!="2"} >= 5`, `m != 5`, `max(m) > 8`, `absent(m{gpu="1"})`, `avg_over_time(m[3m]) > 6`, `count(m > 6) > 1`, `m`),
			Labels: map[string]string{"severity": pick("page", "of {{ $labels.gpu }}", `{{ if gt $value 6.0 }}page{{ else }}ticket{{ end }}`)}}
		over := series.Range{From: start.Add(20 * time.Minute), To: start.Add((steps - 1) * time.Minute),
			Step: []time.Duration{30 * time.Second, time.Minute, 7 * time.Minute}[r.IntN(3)]}
		res, err := backtest.Run(t.Context(), db, rule, over)
		if err != nil {
			t.Fatal(err)
		}
		want := plainly(t, db, rule, over)
		fired += len(want)
		if diff := cmp.Diff(want, res.Episodes); diff != "" {
			t.Errorf("%+v by %s (-want +got):\n%s", rule, over.Step, diff)
		}
	}
	if fired < 100 {
		t.Errorf("%d episodes in all: this compares nothing", fired)
	}
}

func plainly(t *testing.T, q series.Querier, r rules.Rule, over series.Range) []backtest.Episode {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	var now promql.Vector
	rule := promrules.NewAlertingRule(r.Name, expr, r.For, r.KeepFiring, labels.FromMap(r.Labels), labels.EmptyLabels(), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	query := func(context.Context, string, time.Time) (promql.Vector, error) { return now, nil }
	over.To = over.From.Add(time.Duration(over.Len()-1) * over.Step)
	early := (r.For + r.KeepFiring + over.Step - 1) / over.Step
	_, op, _, _ := backtest.Watched(r.Expr)

	var out []backtest.Episode
	open := map[string]backtest.Episode{}
	for at := over.From.Add(-early * over.Step); !at.After(over.To); at = at.Add(over.Step) {
		ss, err := q.Query(t.Context(), r.Expr, series.Instant(at))
		if err != nil {
			t.Fatal(err)
		}
		now = nil
		for _, s := range ss {
			now = append(now, promql.Sample{Metric: labels.FromMap(s.Labels), F: s.Values[0]})
		}
		if _, err := rule.Eval(t.Context(), 0, at, query, &url.URL{}, 0); err != nil {
			t.Fatal(err)
		}
		was := open
		open = map[string]backtest.Episode{}
		for _, a := range rule.ActiveAlerts() {
			if a.State != promrules.StateFiring {
				continue
			}
			e, ok := was[a.Labels.String()]
			if !ok {
				e = backtest.Episode{From: at, Labels: a.Labels.Map(), Peak: a.Value}
			}
			e.To, e.Standing = over.To, true
			if strings.HasPrefix(op, "<") {
				e.Peak = min(e.Peak, a.Value)
			} else {
				e.Peak = max(e.Peak, a.Value)
			}
			open[a.Labels.String()] = e
			delete(was, a.Labels.String())
		}
		for _, e := range was {
			e.To, e.Standing = at, false
			out = append(out, e)
		}
	}
	for _, e := range open {
		out = append(out, e)
	}
	out = slices.DeleteFunc(out, func(e backtest.Episode) bool { return !e.To.After(over.From) || e.From.After(over.To) })
	for i := range out {
		if out[i].From.Before(over.From) {
			out[i].From = over.From
		}
	}
	slices.SortFunc(out, func(a, b backtest.Episode) int {
		return stdcmp.Or(a.From.Compare(b.From), strings.Compare(series.Selector(a.Labels), series.Selector(b.Labels)))
	})
	return out
}
