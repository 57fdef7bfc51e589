// Package answer carries out what was asked. A [Desk] has an engine find the
// intent of a question and then does, without further guessing, what that kind
// of intent asks for: it runs a query; it drafts a rule, checks it and
// back-tests it; it diagnoses; it forecasts.
//
// What a reader would get wrong: words alone change nothing. Only
// [Desk.Publish], which a person calls by name, makes a rule take effect, and
// it too goes through the ledger.
package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/series"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/investigate"
	"vedette.dev/rules/catalog"
)

// past is how far back a rule is tried and a forecast learns: a week holds
// every day of it once.
const past = 7 * 24 * time.Hour

// A Camera takes a snapshot of the running system.
type Camera interface {
	Take(ctx context.Context, now time.Time) (*snapshot.Snapshot, error)
}

// A Past tells what changed.
type Past interface {
	Changes(ctx context.Context, from, to time.Time) ([]history.Change, error)
}

// An Alerts tells the labels of the alerts that fire now.
type Alerts interface {
	Firing() []map[string]string
}

// A Book lists incidents, the open ones first.
type Book interface {
	List(ctx context.Context, n int) ([]analyzer.Incident, error)
}

// A Journal lists anomalies, those that go on first.
type Journal interface {
	List(ctx context.Context, n int) ([]anomaly.Anomaly, error)
}

// Costs makes reports of what GPUs cost.
type Costs interface {
	Report(ctx context.Context, window time.Duration, now time.Time) (cost.Report, error)
}

// A Tell has a model tell of a report, made of s. The report that it returns is
// the engine's, of s with what the model found.
type Tell func(ctx context.Context, r analyzer.Report, s *snapshot.Snapshot, now time.Time) (analyzer.Report, *investigate.Account)

// A Desk answers questions. All fields are required, but for Tell.
type Desk struct {
	Engine  nlq.Engine
	Catalog *catalog.Catalog
	Querier series.Querier
	Camera  Camera
	Past    Past

	Alerts    Alerts
	Costs     Costs
	Published Published
	Book      Book
	Anomalies Journal
	Ledger    *action.Ledger

	Page     string // where people reach the page; "" gives rules no link to it
	Runbooks string // where people read what to do about {alert}; "" gives rules no link to it
	Tell     Tell   // nil: no model tells of a diagnosis
}

// Ask answers a question and changes nothing; a silence that is asked for is
// proposed in the ledger, where a person decides on it. A question that is not
// understood has an answer too, of the kind [KindUnclear]; an error is for what
// kept an understood one from being answered.
func (d *Desk) Ask(ctx context.Context, q nlq.Question) (Answer, error) {
	return d.answer(ctx, q, "")
}

// Publish answers as [Desk.Ask] does and, where the question asks for an alert
// whose check finds no error, publishes the rule in the name of by.
func (d *Desk) Publish(ctx context.Context, q nlq.Question, by string) (Answer, error) {
	return d.answer(ctx, q, by)
}

// answer answers q, and publishes the rule that it asks for in the name of
// publisher, unless that is empty.
func (d *Desk) answer(ctx context.Context, q nlq.Question, publisher string) (Answer, error) {
	a, text, now := Answer{Asked: q.Text}, q.Text, q.Now
	parse, err := d.Engine.Parse(ctx, q)
	var not *nlq.NotUnderstood
	if errors.As(err, &not) {
		a.Kind, a.Unclear = KindUnclear, &Unclear{Words: orEmpty(not.Words), Nearest: orEmpty(not.Nearest), Ask: not.Ask}
		a.Caveats = not.Caveats
		return a, nil
	}
	if err != nil {
		return a, fmt.Errorf("understand %q: %w", text, err)
	}
	a.goesOn = len(q.Before) > 0
	a.Readback, a.Assumed, a.Confidence = nlq.Read(parse.Intent, d.Catalog), parse.Assumed, parse.Confidence
	a.Caveats = slices.Clone(parse.Caveats) // an engine may give the same parse again
	if publisher != "" && !asksAlert(parse.Intent) {
		a.Caveats = append(a.Caveats, "nothing is published: this does not ask for an alert")
	}

	switch i := parse.Intent.(type) {
	case nlq.Alert:
		err = d.alert(ctx, &a, i, now, publisher)
	case nlq.Lookup:
		err = d.query(ctx, &a, i, now)
	case nlq.Why:
		err = d.why(ctx, &a, i, now)
	case nlq.When:
		err = d.when(ctx, &a, i, now)
	case nlq.Changes:
		err = d.changes(ctx, &a, i, now)
	case nlq.Silence:
		err = d.silence(ctx, &a, i, now)
	case nlq.Explain:
		err = d.explain(&a, i)
	case nlq.Actions:
		err = d.actions(ctx, &a, i)
	case nlq.Anomalies:
		err = d.anomalies(ctx, &a, i)
	case nlq.Cost:
		err = d.cost(ctx, &a, i, now)
	case nlq.SLO:
		g, cerr := compile.SLO(i, d.Catalog)
		if err = cerr; err == nil {
			err = d.draft(ctx, &a, g, now, publisher)
		}
	case nlq.Formula:
		err = d.formula(ctx, &a, i, now, publisher)
	case nlq.Raw:
		err = d.raw(ctx, &a, i, now, publisher)
	default:
		panic("unreachable: intents are sealed")
	}
	if err != nil {
		return a, fmt.Errorf("answer %q: %w", text, err)
	}
	return a, nil
}

func asksAlert(i nlq.Intent) bool {
	switch i := i.(type) {
	case nlq.Alert, nlq.SLO:
		return true
	case nlq.Formula:
		return i.Alert
	case nlq.Raw:
		return i.Alert
	}
	return false
}

// unclear turns a into the question put back to the asker.
func (a *Answer) unclear(ask string, nearest []string) {
	*a = Answer{Asked: a.Asked, Kind: KindUnclear, Unclear: &Unclear{Words: []string{}, Nearest: orEmpty(nearest), Ask: ask}}
}

// orEmpty makes an empty list [] and not null on the wire.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
