package backtest

import (
	"context"
	"fmt"
	"log/slog"
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

// A replay puts the steps of a query's answer before an alerting rule. As long
// as the same series come back and no duration runs out, no alert can change
// but in its value: such steps are put before the rule as one, the last of
// them, with the worst value of each series.
type replay struct {
	rule   *promrules.AlertingRule
	expr   string
	low    bool // the lower the value the worse
	every  bool // labels are made by templates, maybe of the value or the time: no step is like another
	vector promql.Vector
	open   map[uint64]*Episode
	closed []Episode

	held   promql.Vector // the series of the last step, with their worst values since it was evaluated
	heldAt time.Time     // the last step that is not evaluated; zero where all are
	until  time.Time     // when a duration runs out; zero is never
}

func newReplay(r rules.Rule, expr parser.Expr, op string) *replay {
	p := &replay{
		// Annotations change nothing about when it fires and are left out. A rule
		// that is not restored returns no samples of ALERTS: nothing reads them.
		rule: promrules.NewAlertingRule(r.Name, expr, r.For, r.KeepFiring, labels.FromMap(r.Labels), labels.EmptyLabels(),
			labels.EmptyLabels(), "", false, slog.New(slog.DiscardHandler)),
		expr: expr.String(),
		low:  op == "<" || op == "<=",
		open: map[uint64]*Episode{},
	}
	for _, v := range r.Labels {
		p.every = p.every || strings.Contains(v, "{{")
	}
	return p
}

// step takes the next step, at at, where the expression returns vector.
func (p *replay) step(ctx context.Context, at time.Time, vector promql.Vector) error {
	if p.sameAs(at, vector) {
		for i, s := range vector {
			p.held[i].F = p.worse(p.held[i].F, s.F)
		}
		p.heldAt = at
		return nil
	}
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	p.held = append(p.held[:0], vector...)
	return p.evaluate(ctx, at, vector)
}

// sameAs reports whether nothing but values can differ from the step before.
func (p *replay) sameAs(at time.Time, vector promql.Vector) bool {
	if p.every && len(vector) > 0 || !p.until.IsZero() && !at.Before(p.until) {
		return false
	}
	return slices.EqualFunc(p.held, vector, func(a, b promql.Sample) bool { return labels.Equal(a.Metric, b.Metric) })
}

// worse returns the value that is further past the limit.
func (p *replay) worse(a, b float64) float64 {
	if p.low && b < a || !p.low && b > a {
		return b
	}
	return a
}

// catchUp evaluates the rule for the steps that are held.
func (p *replay) catchUp(ctx context.Context) error {
	if p.heldAt.IsZero() {
		return nil
	}
	at := p.heldAt
	p.heldAt = time.Time{}
	return p.evaluate(ctx, at, p.held)
}

// evaluate evaluates the rule at at, where its expression returns vector.
func (p *replay) evaluate(ctx context.Context, at time.Time, vector promql.Vector) error {
	p.vector = vector
	if _, err := p.rule.Eval(ctx, 0, at, p.query, &url.URL{}, 0); err != nil {
		return fmt.Errorf("evaluate at %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	p.until = time.Time{}
	firing := map[uint64]bool{}
	p.rule.ForEachActiveAlert(func(a *promrules.Alert) {
		switch {
		case a.State == promrules.StatePending:
			p.runsOut(a.ActiveAt.Add(p.rule.HoldDuration()))
		case a.State == promrules.StateFiring:
			if !a.KeepFiringSince.IsZero() {
				p.runsOut(a.KeepFiringSince.Add(p.rule.KeepFiringFor()))
			}
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

// runsOut notes that a duration runs out at at.
func (p *replay) runsOut(at time.Time) {
	if p.until.IsZero() || at.Before(p.until) {
		p.until = at
	}
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
	e.Peak = p.worse(e.Peak, a.Value)
}

// end returns the episodes that lie in over, cut to it.
func (p *replay) end(ctx context.Context, over series.Range) ([]Episode, error) {
	if err := p.catchUp(ctx); err != nil {
		return nil, err
	}
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
	return all, nil
}
