package backtest

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/analyzer/series"
)

const (
	// Prometheus refuses a range query of more steps.
	maxSteps = 11_000

	// The first piece is small, because how many series come back is not known.
	firstSteps = 1_000

	// A piece should bring about this many samples: 16 MB.
	pieceSamples = 2_000_000

	// A back-test reads this many samples and then stops: a minute of querying.
	budget = 50_000_000
)

// walk queries expr over a range, in pieces, and calls do for every step with
// what the expression returns there, until the range ends or more than most
// samples have come back. It returns the last step that do was called for. A
// vector is good only during the call.
func walk(ctx context.Context, q series.Querier, expr string, over series.Range, most int,
	do func(ctx context.Context, at time.Time, v promql.Vector) error) (time.Time, error) {
	steps, read := firstSteps, 0
	var reached time.Time
	for from := over.From; !from.After(over.To); {
		piece := series.Range{From: from, To: from.Add(time.Duration(steps-1) * over.Step), Step: over.Step}
		if piece.To.After(over.To) {
			piece.To = over.To
		}
		ss, err := q.Query(ctx, expr, piece)
		if err != nil {
			return reached, fmt.Errorf("query %q over %s: %w", expr, piece, err)
		}
		if err := eachStep(ctx, ss, piece, do); err != nil {
			return reached, err
		}
		reached = piece.To
		read += len(ss) * piece.Len()
		if read > most {
			return reached, nil
		}
		steps = min(max(pieceSamples/max(1, len(ss)), 60), maxSteps)
		from = piece.To.Add(over.Step)
	}
	return reached, nil
}

func eachStep(ctx context.Context, ss []series.Series, r series.Range, do func(context.Context, time.Time, promql.Vector) error) error {
	metrics := make([]labels.Labels, len(ss))
	for i, s := range ss {
		metrics[i] = labels.FromMap(s.Labels)
	}
	vector := make(promql.Vector, 0, len(ss))
	for n := range r.Len() {
		at := r.From.Add(time.Duration(n) * r.Step)
		vector = vector[:0]
		for i, s := range ss {
			if n < len(s.Values) && !math.IsNaN(s.Values[n]) {
				vector = append(vector, promql.Sample{Metric: metrics[i], T: at.UnixMilli(), F: s.Values[n]})
			}
		}
		if err := do(ctx, at, vector); err != nil {
			return err
		}
	}
	return nil
}

// findGaps adds up the steps at which none of the expression's metrics has a
// sample. An expression that asks for absence has no gaps: they are its subject.
func (res *Result) findGaps(ctx context.Context, q series.Querier, expr parser.Expr) error {
	present := presence(expr)
	if present == "" {
		return nil
	}
	_, err := walk(ctx, q, present, res.Range, budget, func(_ context.Context, at time.Time, v promql.Vector) error {
		if len(v) == 0 && at.Before(res.Range.To) {
			res.Gaps += res.Range.Step
		}
		return nil
	})
	return err
}

// presence returns an expression that has a value wherever one of the metrics
// of expr has a sample, "" where that says nothing.
func presence(expr parser.Expr) string {
	absence := false
	var found parser.Expr
	seen := map[string]bool{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.Call:
			absence = absence || n.Func.Name == "absent" || n.Func.Name == "absent_over_time"
		case *parser.VectorSelector:
			s := &parser.VectorSelector{Name: n.Name, LabelMatchers: n.LabelMatchers, OriginalOffset: n.OriginalOffset}
			if seen[s.String()] {
				return nil
			}
			seen[s.String()] = true
			var one parser.Expr = &parser.AggregateExpr{Op: parser.GROUP, Expr: s}
			if found == nil {
				found = one
				return nil
			}
			found = &parser.BinaryExpr{Op: parser.LOR, LHS: found, RHS: one, VectorMatching: &parser.VectorMatching{Card: parser.CardManyToMany}}
		}
		return nil
	})
	if absence || found == nil {
		return ""
	}
	return found.String()
}
