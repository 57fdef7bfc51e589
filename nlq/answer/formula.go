package answer

import (
	"context"
	"fmt"
	"time"

	"vedette.dev/analyzer/series"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
)

// formula drafts the rule that f asks for, or shows what its term comes to now.
func (d *Desk) formula(ctx context.Context, a *Answer, f nlq.Formula, now time.Time, publisher string) error {
	if f.Alert {
		g, err := compile.FormulaRule(f, d.Catalog)
		if err != nil {
			return err
		}
		return d.draft(ctx, a, g, now, publisher)
	}
	expr, err := compile.Formula(f, d.Catalog)
	if err != nil {
		return err
	}
	return d.values(ctx, a, expr, now)
}

// raw does with a model's expression what formula does with a term, but it
// never publishes: nobody's words say what the rule does, so whoever wants it
// reads it first and applies it as a file.
func (d *Desk) raw(ctx context.Context, a *Answer, r nlq.Raw, now time.Time, publisher string) error {
	if r.Alert {
		g, err := compile.RawRule(r, d.Catalog)
		if err != nil {
			return err
		}
		if publisher != "" {
			a.Caveats = append(a.Caveats, "not published: a model proposed this PromQL; whoever has read it can publish it with vedette rules apply")
		}
		return d.draft(ctx, a, g, now, "")
	}
	expr, err := compile.Raw(r, d.Catalog)
	if err != nil {
		return err
	}
	return d.values(ctx, a, expr, now)
}

// values shows what expr comes to now.
func (d *Desk) values(ctx context.Context, a *Answer, expr string, now time.Time) error {
	a.Kind, a.Expr, a.Query = KindQuery, expr, &QueryResult{At: now.UTC(), Rows: []Row{}}
	ss, err := d.Querier.Query(ctx, expr, series.Instant(now))
	if err != nil {
		return fmt.Errorf("query %q: %w", expr, err)
	}
	a.Query.fill(ss, false)
	return nil
}
