package answer

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
)

// maxRows bounds a table that people read.
const maxRows = 100

func (d *Desk) query(ctx context.Context, a *Answer, l nlq.Lookup, now time.Time) error {
	expr, err := compile.Lookup(l, d.Catalog)
	if err != nil {
		return err
	}
	a.Kind, a.Expr = KindQuery, expr
	q := &QueryResult{At: now.UTC(), Unit: string(l.Measure.Unit(d.Catalog)), Rows: []Row{}}
	a.Query = q
	over := series.Instant(now)
	if l.Since > 0 {
		over = series.Range{From: now.Add(-l.Since), To: now, Step: chartStep(l.Since)}
	}
	ss, err := d.Querier.Query(ctx, expr, over)
	if err != nil {
		return fmt.Errorf("query %q: %w", expr, err)
	}
	q.fill(ss, l.Top < 0)
	if l.Since > 0 {
		q.Series = chart(ss[:min(len(ss), maxLines)])
	}
	if q.Total > 0 {
		return nil
	}
	return d.explainNothing(ctx, a, l, now)
}

// fill lists the newest values of ss, sorted.
func (q *QueryResult) fill(ss []series.Series, lowFirst bool) {
	sortByNewest(ss, lowFirst)
	for _, s := range ss {
		r := Row{Labels: s.Labels}
		if _, v, ok := s.Last(); ok {
			r.Value = number(v)
		}
		q.Rows = append(q.Rows, r)
	}
	q.Total = len(q.Rows)
	q.Rows = q.Rows[:min(q.Total, maxRows)]
}

// explainNothing tells a metric that nobody sends from one of which nothing
// matches: both have no series, and only one is good news.
func (d *Desk) explainNothing(ctx context.Context, a *Answer, l nlq.Lookup, now time.Time) error {
	m := l.Measure
	all, err := compile.Lookup(nlq.Lookup{Measure: nlq.Measure{Metric: m.Metric, Window: m.Window}}, d.Catalog)
	if err != nil {
		return err
	}
	ss, err := d.Querier.Query(ctx, all, series.Instant(now))
	switch {
	case err != nil:
		return fmt.Errorf("query %q: %w", all, err)
	case len(ss) == 0:
		a.Caveats = append(a.Caveats, fmt.Sprintf("nothing sends %s now", m.Metric))
	case l.Compare.Op == "":
		a.Caveats = append(a.Caveats, fmt.Sprintf("%s is there for %d other series, and none is as asked", m.Metric, len(ss)))
	}
	return nil
}

// sortByNewest puts the highest newest value first, or the lowest. Equal ones
// stay in the order of their labels; what has no value is last.
func sortByNewest(ss []series.Series, lowFirst bool) {
	key := func(s series.Series) float64 {
		_, v, ok := s.Last()
		switch {
		case !ok:
			return math.Inf(1)
		case lowFirst:
			return v
		}
		return -v
	}
	slices.SortStableFunc(ss, func(x, y series.Series) int { return cmp.Compare(key(x), key(y)) })
}
