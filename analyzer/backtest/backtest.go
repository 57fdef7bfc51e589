// Package backtest says when a rule would have fired.
//
// The rule's expression is queried over the past once, and every step of the
// answer at which something can change is put before Prometheus' own alerting
// rule, so that for, keep_firing_for and templated labels mean exactly what they
// will mean. What a reader would get
// wrong: a stretch without data counts neither as firing nor as quiet. It is a
// gap, and rates are of the time that was seen.
package backtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/analyzer/series"
	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

// An Episode is one stretch of firing of one label set.
type Episode struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Labels   map[string]string `json:"labels"` // of the alert
	Peak     float64           `json:"peak"`   // the value furthest past the limit
	Standing bool              `json:"-"`      // it still fires at To, the end of the range
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
	episodes, err := p.end(ctx, res.Range)
	if err != nil {
		return Result{}, fmt.Errorf("back-test %s: %w", r.Name, err)
	}
	res.take(episodes)
	if err := res.findGaps(ctx, q, expr); err != nil {
		res.Caveats = append(res.Caveats, fmt.Sprintf("gaps in the data are not known: %v", err))
	}
	res.finish()
	res.Caveats = append(res.Caveats, doubts(r, expr)...)
	return res, nil
}

// whole makes the end of a range one of its steps, and its times UTC.
func whole(over series.Range) (series.Range, error) {
	if over.Step <= 0 {
		over.Step = defaultStep
	}
	if !over.To.After(over.From) {
		return over, fmt.Errorf("the range %s is empty", over)
	}
	over.From = over.From.UTC()
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
	e, err := syntax.Parse(text)
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

// Labels returns how many different label sets fire.
func (res Result) Labels() int {
	sets := map[string]bool{}
	for _, e := range res.Episodes {
		sets[series.Selector(e.Labels)] = true
	}
	return len(slices.Collect(maps.Keys(sets)))
}
