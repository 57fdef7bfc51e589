package proof

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

// try evaluates the rules called as r over the world, step by step, and writes
// down what came of it. It reports false where that is not what the situation
// is to show.
func try(g rules.Group, r rules.Rule, w *world, of situation) (test, bool, error) {
	ends := w.steps
	if of.fires() && r.KeepFiring > 0 {
		ends = w.steps - int(r.KeepFiring/w.step) - 2
	}
	ts := w.tracks(ends)
	for _, t := range ts {
		if slices.ContainsFunc(t.values[:len(t.values)-1], func(v float64) bool { return math.IsInf(v, 0) }) {
			return test{}, false, nil
		}
	}
	s, err := newStage(g, r, w, ts)
	if err != nil {
		return test{}, false, err
	}
	seen := s.replay(w)
	at, ok := telling(seen, w, int(r.For/w.step), r.KeepFiring > 0)
	if !ok {
		return test{}, false, nil
	}
	out := test{Name: r.Name + " " + of.text, Step: model.Duration(w.step), Series: []input{}}
	for _, t := range ts {
		out.Series = append(out.Series, input{selector(t.lset), t.text})
	}
	for _, k := range at {
		for i := range seen[k] {
			if err := s.annotate(&seen[k][i]); err != nil {
				return test{}, false, err
			}
		}
		out.Alerts = append(out.Alerts, expectation{At: model.Duration(time.Duration(k) * w.step), Name: r.Name, Alerts: seen[k]})
	}
	return out, true, nil
}

// selector writes labels with the name in front, as people do.
func selector(lset labels.Labels) string {
	name := lset.Get(labels.MetricName)
	if name == "" || !model.LegacyValidation.IsValidMetricName(name) {
		return lset.String()
	}
	return name + labels.NewBuilder(lset).Del(labels.MetricName).Labels().String()
}

// telling returns the steps at which to look: before, at and after each change.
// While ranges fill, versions of Prometheus differ in what they make of them:
// there only what holds in any is looked at.
func telling(seen [][]alert, w *world, hold int, stops bool) ([]int, bool) {
	last := len(seen) - 1
	if !w.fires() {
		return []int{last}, !slices.ContainsFunc(seen[w.warm:], func(as []alert) bool { return len(as) > 0 })
	}
	first := slices.IndexFunc(seen, func(as []alert) bool { return len(as) > 0 })
	if first < 0 || first > last-2 {
		return nil, false
	}
	var at []int
	switch ranges := w.warm > 1; {
	case !ranges && first > 0:
		at = append(at, first-1, first)
	case !ranges:
		at = append(at, first)
	case hold > 1 && hold <= first:
		at = append(at, first-hold/2) // it holds, and not for long enough
	}
	for k := max(first, w.warm) + 1; k < len(seen); k++ {
		switch {
		case len(seen[k]) > 0:
		case stops:
			return append(at, k-1, k), true
		default: // what is new is so for a while only
			return append(at, k-1), true
		}
	}
	return append(at, last), !stops
}

// A stage is where rules are evaluated over a world.
type stage struct {
	rules []staged
	query promrules.QueryFunc
}

type staged struct {
	rules.Rule
	expr parser.Expr
}

// alerting is Prometheus' own rule. Not being restored, it makes no samples of
// ALERTS, which nobody reads here.
func (s staged) alerting() *promrules.AlertingRule {
	return promrules.NewAlertingRule(s.Name, s.expr, s.For, s.KeepFiring, labels.FromMap(s.Labels), labels.FromMap(s.Annotations),
		labels.EmptyLabels(), "", false, slog.New(slog.DiscardHandler))
}

func newStage(g rules.Group, r rules.Rule, w *world, ts []track) (*stage, error) {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return w.step.Milliseconds() }})
	past := over(ts, w.step)
	asked := promrules.EngineQueryFunc(engine, past) // templates ask
	steps := map[string][]promql.Vector{}
	s := &stage{query: func(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
		if vs, ok := steps[expr]; ok {
			return vs[at.UnixMilli()/w.step.Milliseconds()], nil
		}
		return asked(ctx, expr, at)
	}}
	for _, o := range g.Rules {
		if o.Name != r.Name {
			continue
		}
		e, err := syntax.Parse(o.Expr)
		if err != nil {
			return nil, err
		}
		if !edged(e) {
			if steps[e.String()], err = throughout(engine, past, e.String(), w); err != nil {
				return &stage{}, nil // this world does not suit it: many-to-many, say
			}
		}
		s.rules = append(s.rules, staged{o, e})
	}
	return s, nil
}

// replay returns the alerts that fire at each step, without annotations: to
// expand those costs more than all the rest, and few alerts are looked at.
func (s *stage) replay(w *world) [][]alert {
	var rs []*promrules.AlertingRule
	for _, o := range s.rules {
		o.Annotations = nil
		rs = append(rs, o.alerting())
	}
	out := make([][]alert, w.steps)
	for k := range out {
		out[k] = []alert{}
		at := time.Unix(0, 0).Add(time.Duration(k) * w.step).UTC()
		for i, rule := range rs {
			if _, err := rule.Eval(context.Background(), 0, at, s.query, &url.URL{}, 0); err != nil {
				return out // two alerts with the same labels, say
			}
			for _, a := range rule.ActiveAlerts() {
				if a.State != promrules.StateFiring {
					continue
				}
				said := at
				if !a.KeepFiringSince.IsZero() {
					said = a.KeepFiringSince.Add(-w.step)
				}
				out[k] = append(out[k], alert{Labels: unnamed(a), by: s.rules[i], said: said})
			}
		}
		slices.SortFunc(out[k], func(a, b alert) int { return compareText(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels)) })
	}
	return out
}

// annotate fills in the annotations of an alert: those of the step at which its
// condition was last true.
func (s *stage) annotate(a *alert) error {
	once := a.by
	once.For = 0
	rule := once.alerting()
	if _, err := rule.Eval(context.Background(), 0, a.said, s.query, &url.URL{}, 0); err != nil {
		return err
	}
	for _, b := range rule.ActiveAlerts() {
		if maps.Equal(unnamed(b), a.Labels) {
			a.Annotations = b.Annotations.Map()
		}
	}
	return nil
}

// unnamed are the labels of an alert as promtool's tests have them.
func unnamed(a *promrules.Alert) map[string]string {
	out := a.Labels.Map()
	delete(out, labels.AlertName)
	return out
}

// edged reports whether e reads the start or the end of its query, which for a
// rule are the moment of each evaluation.
func edged(e parser.Expr) bool {
	return strings.Contains(e.String(), "@ start()") || strings.Contains(e.String(), "@ end()")
}

// throughout evaluates expr at every step in one go: a hundred times faster
// than one after the other.
func throughout(engine *promql.Engine, past storage.Queryable, expr string, w *world) ([]promql.Vector, error) {
	ctx := context.Background()
	last := time.Unix(0, 0).Add(time.Duration(w.steps-1) * w.step)
	q, err := engine.NewRangeQuery(ctx, past, nil, expr, time.Unix(0, 0), last, w.step)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	out := make([]promql.Vector, w.steps)
	for _, s := range m {
		for _, p := range s.Floats {
			k := p.T / w.step.Milliseconds()
			out[k] = append(out[k], promql.Sample{T: p.T, F: p.F, Metric: s.Metric})
		}
	}
	return out, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// over makes tracks something that can be queried.
func over(ts []track, step time.Duration) storage.Queryable {
	q := &querier{}
	for _, t := range ts {
		var ss []chunks.Sample
		for k, v := range t.values {
			if math.IsInf(v, 1) {
				v = math.Float64frombits(value.StaleNaN)
			} else if math.IsNaN(v) {
				continue
			}
			ss = append(ss, sample{(time.Duration(k) * step).Milliseconds(), v})
		}
		q.series = append(q.series, storage.NewListSeries(t.lset, ss))
	}
	slices.SortFunc(q.series, func(a, b *storage.SeriesEntry) int { return labels.Compare(a.Lset, b.Lset) })
	return storage.QueryableFunc(func(_, _ int64) (storage.Querier, error) { return q, nil })
}

type sample struct {
	ms int64
	v  float64
}

func (s sample) ST() int64                     { return 0 }
func (s sample) T() int64                      { return s.ms }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// A querier answers from a handful of series.
type querier struct {
	storage.LabelQuerier
	series []*storage.SeriesEntry
}

func (q *querier) Close() error { return nil }

func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	set := &found{at: -1}
	for _, s := range q.series {
		if !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(s.Lset.Get(m.Name)) }) {
			set.series = append(set.series, s)
		}
	}
	return set
}

type found struct {
	series []*storage.SeriesEntry
	at     int
}

func (f *found) Next() bool                        { f.at++; return f.at < len(f.series) }
func (f *found) At() storage.Series                { return f.series[f.at] }
func (f *found) Err() error                        { return nil }
func (f *found) Warnings() annotations.Annotations { return nil }
