// Package backtest says when a rule would have fired.
//
// The rule's expression is queried over the past once, and every step of the
// answer is put before Prometheus' own alerting rule, so that for, keep_firing_for
// and templated labels mean exactly what they will mean. What a reader would get
// wrong: a stretch without data counts neither as firing nor as quiet. It is a
// gap, and rates are of the time that was seen.
package backtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"

	"vedette.dev/analyzer/series"
	"vedette.dev/rules"
)

// An Episode is one stretch of firing of one label set.
type Episode struct {
	From, To time.Time
	Labels   map[string]string // of the alert
	Peak     float64           // the value furthest past the limit
	Standing bool              // it still fires at To, the end of the range
}

// Duration returns how long the episode fires.
func (e Episode) Duration() time.Duration { return e.To.Sub(e.From) }

// A Result is when a rule would have fired.
type Result struct {
	Rule     rules.Rule
	Range    series.Range
	Episodes []Episode     // by start, then labels
	Firing   time.Duration // of all episodes, added up
	Longest  time.Duration
	PerDay   float64       // episodes per day of data, 0 where there is no data
	Flaps    int           // episodes that began soon after the same alert had ended
	Gaps     time.Duration // time without any sample of the metrics of the expression
	Caveats  []string
}

const (
	// defaultStep is how often Prometheus evaluates rules unless told otherwise.
	defaultStep = time.Minute

	// An alert that comes back within this time has not been away: whoever was
	// woken is still at it.
	flapWithin = 10 * time.Minute
)

// Run says when r would have fired in over, were it evaluated every Step; a
// Step of 0 is a minute. What began before the range and reaches into it is
// seen: the query starts as much earlier as the rule remembers.
func Run(ctx context.Context, q series.Querier, r rules.Rule, over series.Range) (Result, error) {
	over, err := whole(over)
	if err != nil {
		return Result{}, fmt.Errorf("back-test %s: %w", r.Name, err)
	}
	expr, err := parse(r.Expr)
	if err != nil {
		return Result{}, fmt.Errorf("back-test %s: %w", r.Name, err)
	}
	_, op, _, _ := watched(expr)
	p := newReplay(r, expr, op)
	reached, err := walk(ctx, q, expr.String(), preroll(r, over), budget, p.step)
	if err != nil {
		return Result{}, fmt.Errorf("back-test %s: %w", r.Name, err)
	}

	res := Result{Rule: r, Range: over}
	if reached.Before(over.To) {
		if reached.Before(over.From) {
			return Result{}, fmt.Errorf("back-test %s: %q returns more than %d samples before the range begins", r.Name, r.Expr, budget)
		}
		res.Range.To = reached
		res.Caveats = append(res.Caveats, fmt.Sprintf("only up to %s: the expression returns more than %d samples", reached.UTC().Format(time.RFC3339), budget))
	}
	res.take(p.end(res.Range))
	if err := res.findGaps(ctx, q, expr); err != nil {
		res.Caveats = append(res.Caveats, fmt.Sprintf("gaps in the data are not known: %v", err))
	}
	res.finish()
	res.Caveats = append(res.Caveats, doubts(r, expr)...)
	return res, nil
}

// whole makes the end of a range one of its steps.
func whole(over series.Range) (series.Range, error) {
	if over.Step <= 0 {
		over.Step = defaultStep
	}
	if !over.To.After(over.From) {
		return over, fmt.Errorf("the range %s is empty", over)
	}
	over.To = over.From.Add(time.Duration(over.Len()-1) * over.Step)
	return over, nil
}

// preroll starts a range as much earlier as the rule remembers.
func preroll(r rules.Rule, over series.Range) series.Range {
	steps := (r.For + r.KeepFiring + over.Step - 1) / over.Step
	over.From = over.From.Add(-steps * over.Step)
	return over
}

func parse(text string) (parser.Expr, error) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	if t := e.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, fmt.Errorf("expression %q is a %s: a rule needs an instant vector or a scalar", text, t)
	}
	return e, nil
}

func (res *Result) take(es []Episode) {
	res.Episodes = es
	ended := map[string]time.Time{}
	for _, e := range es {
		res.Firing += e.Duration()
		res.Longest = max(res.Longest, e.Duration())
		key := series.Selector(e.Labels)
		if before, ok := ended[key]; ok && e.From.Sub(before) <= flapWithin {
			res.Flaps++
		}
		ended[key] = e.To
	}
}

func (res *Result) finish() {
	span := res.Range.To.Sub(res.Range.From)
	seen := span - res.Gaps
	if seen > 0 {
		res.PerDay = float64(len(res.Episodes)) / seen.Hours() * 24
	}
	switch {
	case seen <= 0:
		res.Caveats = append(res.Caveats, "no data in this time: whether it would have fired is not known")
	case res.Gaps > 0:
		res.Caveats = append(res.Caveats, fmt.Sprintf("no data for %s of %s", words(res.Gaps), words(span)))
	}
}

// doubts are what a replay of queries cannot show.
func doubts(r rules.Rule, expr parser.Expr) []string {
	var out []string
	for _, v := range r.Labels {
		if strings.Contains(v, "{{") && strings.Contains(v, "query") {
			out = append(out, "a label of the rule is made by a query, which is not run here")
			break
		}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok && (s.Timestamp != nil || s.StartOrEnd != 0) {
			out = append(out, fmt.Sprintf("%s is pinned to one moment by @", s))
		}
		return nil
	})
	return out
}

// A replay puts the steps of a query's answer before an alerting rule.
type replay struct {
	rule   *promrules.AlertingRule
	expr   string
	low    bool // the lower the value the worse
	vector promql.Vector
	open   map[uint64]*Episode
	closed []Episode
}

func newReplay(r rules.Rule, expr parser.Expr, op string) *replay {
	return &replay{
		// Annotations change nothing about when it fires and are left out.
		rule: promrules.NewAlertingRule(r.Name, expr, r.For, r.KeepFiring, labels.FromMap(r.Labels), labels.EmptyLabels(),
			labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler)),
		expr: expr.String(),
		low:  op == "<" || op == "<=",
		open: map[uint64]*Episode{},
	}
}

// step evaluates the rule at at, where its expression returns vector.
func (p *replay) step(ctx context.Context, at time.Time, vector promql.Vector) error {
	if len(vector) == 0 && len(p.open) == 0 && p.rule.ActiveAlertsCount() == 0 {
		return nil // nothing can change
	}
	p.vector = vector
	if _, err := p.rule.Eval(ctx, 0, at, p.query, &url.URL{}, 0); err != nil {
		return fmt.Errorf("evaluate at %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	firing := map[uint64]bool{}
	p.rule.ForEachActiveAlert(func(a *promrules.Alert) {
		if a.State == promrules.StateFiring {
			h := a.Labels.Hash()
			firing[h] = true
			p.fire(h, a, at)
		}
	})
	for h, e := range p.open {
		if !firing[h] {
			e.To = at
			p.closed = append(p.closed, *e)
			delete(p.open, h)
		}
	}
	return nil
}

// query answers the rule's own expression. Templates may ask others: those
// have no answer here, and the template says so.
func (p *replay) query(_ context.Context, expr string, _ time.Time) (promql.Vector, error) {
	if expr != p.expr {
		return nil, fmt.Errorf("query %q is not run in a back-test", expr)
	}
	return p.vector, nil
}

func (p *replay) fire(h uint64, a *promrules.Alert, at time.Time) {
	e, ok := p.open[h]
	if !ok {
		p.open[h] = &Episode{From: at, Labels: a.Labels.Map(), Peak: a.Value}
		return
	}
	if p.low && a.Value < e.Peak || !p.low && a.Value > e.Peak {
		e.Peak = a.Value
	}
}

// end returns the episodes that lie in over, cut to it.
func (p *replay) end(over series.Range) []Episode {
	all := p.closed
	for _, e := range p.open {
		e.To, e.Standing = over.To, true
		all = append(all, *e)
	}
	all = slices.DeleteFunc(all, func(e Episode) bool { return !e.To.After(over.From) || e.From.After(over.To) })
	for i := range all {
		if all[i].From.Before(over.From) {
			all[i].From = over.From
		}
	}
	slices.SortFunc(all, func(a, b Episode) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return strings.Compare(series.Selector(a.Labels), series.Selector(b.Labels))
	})
	return all
}

// Labels returns how many different label sets fire.
func (res Result) Labels() int {
	sets := map[string]bool{}
	for _, e := range res.Episodes {
		sets[series.Selector(e.Labels)] = true
	}
	return len(slices.Collect(maps.Keys(sets)))
}
