package backtest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"

	"vedette.dev/analyzer/series"
	"vedette.dev/rules"
)

// A Limit is how often a rule would have fired with another limit.
type Limit struct {
	Value    float64
	Expr     string // the rule's expression with this limit
	Episodes int
	Firing   time.Duration // of all episodes, added up
	Longest  time.Duration
}

const (
	// Suggest keeps what it reads, to try every limit on it: 40 MB.
	suggestBudget = 5_000_000

	// So many other limits are worth reading.
	mostLimits = 5
)

// shares of the values that a limit worth trying leaves on the quiet side.
var shares = [...]float64{0.9, 0.97, 0.99, 0.997, 0.999, 0.9999}

// Suggest tries other limits for a rule of the form X op number on the values
// X had in over, and returns a few that would have fired otherwise, by value,
// each a round number; the rule's own limit is not among them. Only <, <=, >
// and >= have a side to move to; for any other form it returns nothing.
func Suggest(ctx context.Context, q series.Querier, r rules.Rule, over series.Range) ([]Limit, error) {
	over, err := whole(over)
	if err != nil {
		return nil, fmt.Errorf("suggest limits for %s: %w", r.Name, err)
	}
	expr, err := parse(r.Expr)
	if err != nil {
		return nil, fmt.Errorf("suggest limits for %s: %w", r.Name, err)
	}
	x, op, limit, ok := watched(expr)
	if !ok || op == "==" || op == "!=" {
		return nil, nil
	}

	early := preroll(r, over)
	var steps []promql.Vector
	var values []float64
	read := 0
	reached, err := walk(ctx, q, x.String(), early, suggestBudget, func(_ context.Context, _ time.Time, v promql.Vector) error {
		steps = append(steps, slices.Clone(v))
		for _, s := range v {
			values = append(values, s.F)
		}
		read += len(v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("suggest limits for %s: %w", r.Name, err)
	}
	if reached.Before(over.To) {
		return nil, fmt.Errorf("suggest limits for %s: %q returns more than %d samples", r.Name, x, suggestBudget)
	}

	try := func(limit float64) (Limit, error) {
		other := r
		other.Expr = fmt.Sprintf("%s %s %s", x, op, format(limit))
		return count(ctx, other, op, limit, steps, early, over)
	}
	own, err := try(limit)
	if err != nil {
		return nil, fmt.Errorf("suggest limits for %s: %w", r.Name, err)
	}
	var out []Limit
	for _, v := range limits(values, op, limit) {
		l, err := try(v)
		if err != nil {
			return nil, fmt.Errorf("suggest limits for %s: %w", r.Name, err)
		}
		if l.Episodes != own.Episodes && !slices.ContainsFunc(out, func(o Limit) bool { return o.Episodes == l.Episodes }) {
			out = append(out, l)
		}
	}
	out = out[max(0, len(out)-mostLimits):] // the rarer firing
	slices.SortFunc(out, func(a, b Limit) int { return compare(a.Value, b.Value) })
	return out, nil
}

// count replays steps under one limit.
func count(ctx context.Context, r rules.Rule, op string, limit float64, steps []promql.Vector, early, over series.Range) (Limit, error) {
	expr, err := parse(r.Expr)
	if err != nil {
		return Limit{}, err
	}
	p := newReplay(r, expr, op)
	var vector promql.Vector
	for i, all := range steps {
		vector = vector[:0]
		for _, s := range all {
			if holds(s.F, op, limit) {
				vector = append(vector, s)
			}
		}
		if err := p.step(ctx, early.From.Add(time.Duration(i)*early.Step), vector); err != nil {
			return Limit{}, err
		}
	}
	episodes, err := p.end(ctx, over)
	if err != nil {
		return Limit{}, err
	}
	var res Result
	res.take(episodes)
	return Limit{Value: limit, Expr: r.Expr, Episodes: len(res.Episodes), Firing: res.Firing, Longest: res.Longest}, nil
}

// limits returns round numbers in the tail of the values that op points to,
// from the laxest to the strictest.
func limits(values []float64, op string, own float64) []float64 {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	low := op == "<" || op == "<="
	at := func(share float64) float64 {
		if low {
			share = 1 - share
		}
		return values[int(math.Round(share*float64(len(values)-1)))]
	}
	unit := roundUnit(values[len(values)-1] - values[0])
	var out []float64
	for _, share := range shares {
		v := at(share)
		if unit > 0 {
			n := math.Ceil(v / unit)
			if low {
				n = math.Floor(v / unit)
			}
			// By the quotient where the unit is a fraction, so that 0.94 is 0.94.
			if v = n * unit; unit < 1 {
				v = n / math.Round(1/unit)
			}
		}
		if v != own && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// roundUnit returns a unit of 1, 2 or 5 times a power of ten of which about
// fifty fit in span.
func roundUnit(span float64) float64 {
	if span <= 0 || math.IsInf(span, 0) {
		return 0
	}
	raw := span / 50
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, n := range [...]float64{1, 2, 5} {
		if n*power >= raw*0.999 {
			return n * power
		}
	}
	return 10 * power
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
