package answer

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/backtest"
	"vedette.dev/analyzer/series"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/rules"
	"vedette.dev/rules/check"
	"vedette.dev/rules/publish"
)

const (
	// maxEpisodes bounds what is listed of a rule that fires too often; Total has them all.
	maxEpisodes = 200
	// fineStep is how often a rule is evaluated that fires within two minutes:
	// at the usual minute, "for 30 seconds" would mean one minute.
	fineStep = 15 * time.Second
	// chartSamples bounds what is read to draw what a rule watches: 8 MB.
	chartSamples = 1_000_000
)

func (d *Desk) alert(ctx context.Context, a *Answer, i nlq.Alert, now time.Time, publisher string) error {
	g, err := compile.Alert(i, d.Catalog)
	if err != nil {
		return err
	}
	return d.draft(ctx, a, g, now, publisher)
}

// draft checks and back-tests g and, where there is a publisher, publishes it.
func (d *Desk) draft(ctx context.Context, a *Answer, g rules.Group, now time.Time, publisher string) error {
	g.Asked = a.Asked
	if a.goesOn {
		g.Asked += ": " + a.Readback // its own words say only what changed
	}
	g.Owner = publisher
	for i := range g.Rules {
		d.link(&g.Rules[i])
	}
	doc, err := publish.YAML(g)
	if err != nil {
		return err
	}
	r := g.Rules[0]
	a.Kind, a.Expr = KindAlert, r.Expr
	a.Alert = &AlertDraft{ID: string(g.ID), YAML: string(doc), Problems: []Problem{}}
	broken := false
	for _, f := range check.Group(g, d.Catalog) {
		broken = broken || f.Severity == check.Error
		a.Alert.Problems = append(a.Alert.Problems, Problem{Check: f.Check, Severity: string(f.Severity), Text: f.Text, From: f.From, To: f.To})
	}
	if a.Alert.Backtest, err = d.backtest(ctx, r, now); err != nil {
		// A rule that cannot be tried may still be right: its metric may only begin.
		a.Caveats = append(a.Caveats, "no back-test: "+err.Error())
	}
	if publisher == "" {
		return nil
	}
	if broken {
		a.Caveats = append(a.Caveats, "not published: the check found errors")
		return nil
	}
	return d.publish(ctx, a.Alert, g, now)
}

// link tells whoever is alerted where to look and what to do.
func (d *Desk) link(r *rules.Rule) {
	add := func(key, at string) {
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[key] = at
	}
	if d.Page != "" {
		add("dashboard_url", d.Page+"/#/rules")
	}
	if d.Runbooks != "" {
		add("runbook_url", strings.ReplaceAll(d.Runbooks, "{alert}", r.Name))
	}
}

// publish goes through the ledger, in the name of the group's owner.
func (d *Desk) publish(ctx context.Context, draft *AlertDraft, g rules.Group, now time.Time) error {
	body, err := publish.Encode(g)
	if err != nil {
		return err
	}
	e, err := d.Ledger.Do(ctx, action.Action{
		Kind: action.PublishRule, Target: string(g.ID), Params: map[string]string{"group": string(body)},
		Reason: fmt.Sprintf("%s asked: %s", g.Owner, g.Asked),
		Effect: fmt.Sprintf("rule %s is evaluated from now on", g.Rules[0].Name),
	}, g.Owner, now)
	if err != nil {
		return err
	}
	draft.Published = &e
	return nil
}

func (d *Desk) backtest(ctx context.Context, r rules.Rule, now time.Time) (*Backtest, error) {
	over := series.Range{From: now.Add(-past), To: now, Step: time.Minute}
	if r.For > 0 && r.For < 2*time.Minute {
		over.Step = fineStep
	}
	res, err := backtest.Run(ctx, d.Querier, r, over)
	if err != nil {
		return nil, err
	}
	b := &Backtest{From: res.Range.From, To: res.Range.To, Step: res.Range.Step.Seconds(), Summary: res.Summary(),
		Episodes: []backtest.Episode{}, Total: len(res.Episodes), FiringFor: res.Firing.Seconds(), Series: []ChartSeries{}, Caveats: res.Caveats}
	b.Episodes = append(b.Episodes, res.Episodes[:min(len(res.Episodes), maxEpisodes)]...)
	left, op, limit, ok := backtest.Watched(r.Expr)
	if !ok {
		return b, nil
	}
	b.Threshold = &limit
	if b.Series, err = d.watched(ctx, left, op, res); err != nil {
		b.Caveats = append(b.Caveats, fmt.Sprintf("no chart: %v", err))
	}
	if len(res.Episodes) == 0 {
		return b, nil
	}
	limits, err := backtest.Suggest(ctx, d.Querier, r, res.Range)
	if err != nil {
		b.Caveats = append(b.Caveats, fmt.Sprintf("other limits were not tried: %v", err))
	}
	for _, l := range limits {
		b.Limits = append(b.Limits, Limit{Value: l.Value, Expr: l.Expr, Episodes: l.Episodes, FiringFor: l.Firing.Seconds()})
	}
	return b, nil
}

// watched returns the series behind a rule: those that fire and those that
// come nearest to it. Each point of a line is the value nearest to firing of
// its stretch, so that no episode is lost between two points.
func (d *Desk) watched(ctx context.Context, left, op string, res backtest.Result) ([]ChartSeries, error) {
	now, err := d.Querier.Query(ctx, left, series.Instant(res.Range.To))
	if err != nil {
		return []ChartSeries{}, err
	}
	span := res.Range.To.Sub(res.Range.From)
	step := chartStep(span)
	fine := res.Range.Step
	for fine < step && int(span/fine)*max(1, len(now)) > chartSamples {
		fine *= 2
	}
	per := max(1, int(step/fine))
	ss, err := d.Querier.Query(ctx, left, series.Range{From: res.Range.From, To: res.Range.To, Step: fine})
	if err != nil {
		return []ChartSeries{}, err
	}
	sign := 1.0
	if op == "<" || op == "<=" {
		sign = -1
	}
	extreme := func(vs []float64) float64 { return furthest(vs, sign) }
	slices.SortStableFunc(ss, func(x, y series.Series) int {
		return cmp.Compare(-sign*orLow(extreme(x.Values), sign), -sign*orLow(extreme(y.Values), sign))
	})
	ss = ss[:min(len(ss), maxLines)]
	for i, s := range ss {
		var values []float64
		for stretch := range slices.Chunk(s.Values, per) {
			values = append(values, extreme(stretch))
		}
		ss[i].Values, ss[i].Step = values, time.Duration(per)*fine
	}
	return chart(ss), nil
}

// furthest returns the largest value, the smallest where sign is -1, NaN where
// there is none.
func furthest(vs []float64, sign float64) float64 {
	out := math.NaN()
	for _, v := range vs {
		if !math.IsNaN(v) && (math.IsNaN(out) || sign*v > sign*out) {
			out = v
		}
	}
	return out
}

// orLow puts a series without a value last.
func orLow(v, sign float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-int(sign))
	}
	return v
}
