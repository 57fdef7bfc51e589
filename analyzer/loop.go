package analyzer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Loop turns what is noticed into incidents and proposed actions.
type Loop struct {
	Watchers  []Watcher
	Diagnoser Diagnoser
	Book      Book
	Planner   Planner
	Ledger    Proposer
}

// Tick does the work of one moment. It has no other notion of time than now.
// What can be done is done: a watcher that fails costs only its own findings,
// a diagnosis that fails leaves the findings unexplained, and the errors are
// reported together at the end.
func (l *Loop) Tick(ctx context.Context, now time.Time) error {
	var errs []error
	var found []Finding
	for _, w := range l.Watchers {
		fs, err := w.Findings(ctx, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("watch: %w", err))
		}
		found = append(found, fs...)
	}

	var report Report
	if told := slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.Marked != nil }); len(told) > 0 {
		r, err := l.Diagnoser.Diagnose(ctx, told, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("diagnose %d findings: %w", len(told), err))
		}
		report = r
	}

	changed, err := l.Book.Record(ctx, found, report, now)
	if err != nil {
		errs = append(errs, fmt.Errorf("record: %w", err))
	}
	for _, in := range changed {
		for _, a := range l.Planner.Plan(in) {
			if _, err := l.Ledger.Propose(ctx, a, now); err != nil {
				errs = append(errs, fmt.Errorf("propose %s: %w", a.Key(), err))
			}
		}
	}
	return errors.Join(errs...)
}
