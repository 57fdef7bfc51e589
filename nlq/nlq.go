// Package nlq is the house of what Vedette is asked. It defines the
// [Question], the [Intent] it comes down to, and the [Engine] that finds one
// for the other. A grammar and a language model are both engines. All that
// follows from an intent is deterministic.
package nlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

// A Question is what a person said, with when they said it, and what they said
// before in the same conversation, the oldest first: an engine may read Text
// as going on from there.
type Question struct {
	Text   string
	Before []string
	Now    time.Time
}

// An Intent is what a question asks for: a [Lookup], an [Alert], a [Why], a
// [When], a [Formula], an [SLO], a [Raw], [Changes], [Actions], [Anomalies], a [Cost], an
// [Explain] or a [Silence].
// Its String is the meaning in canonical words, shown back to the asker.
type Intent interface {
	String() string
	isIntent()
}

// A Measure is what is measured: a metric, of which series, over which window,
// put together how. The zero values of all but Metric mean "as it is".
type Measure struct {
	Metric catalog.ID    // a metric or a derived measure of the catalog
	Where  []Matcher     // which series, all must hold
	Over   OverTime      // what is done to each series within Window first
	Window time.Duration // of Over; for a counter of its rate, for a derived measure of the ranges in it; 0 is the usual
	Only   Comparison    // of each series, before Agg: those for which it does not hold are left out
	Agg    Aggregation   // how series are put together
	By     []string      // labels kept by Agg
}

// A Matcher selects series by one label. Op is one of = != =~ !~.
type Matcher struct{ Label, Op, Value string }

// An OverTime is what is done to one series over a window.
type OverTime string

// The ways to look at one series over time.
const (
	AsIs     OverTime = ""
	Average  OverTime = "avg"
	Highest  OverTime = "max"
	Lowest   OverTime = "min"
	Rate     OverTime = "rate"     // of a counter, per second
	Increase OverTime = "increase" // of a counter, over the window
)

// An Aggregation puts several series together.
type Aggregation string

// The aggregations.
const (
	Each    Aggregation = "" // none: one result for each series
	Mean    Aggregation = "avg"
	Maximum Aggregation = "max"
	Minimum Aggregation = "min"
	Sum     Aggregation = "sum"
	Count   Aggregation = "count"
)

// A Lookup asks for the value of a measure.
type Lookup struct {
	Measure Measure
	Top     int           // only the Top highest (or, negative, lowest) series; 0 is all
	Compare Comparison    // only series for which it holds; zero is all
	Since   time.Duration // how far back to show; 0 is now only
}

// A Comparison is an operator and a limit in the measure's own unit. Op is one
// of > >= < <= == != or "" for none.
type Comparison struct {
	Op    string
	Limit float64
}

// An Alert asks to be told when a measure passes a limit.
type Alert struct {
	Measure  Measure
	Compare  Comparison
	For      time.Duration
	ForSaid  bool          // false: the asker did not say how long
	Keep     time.Duration // how long it goes on firing after it has ended
	Severity string        // "" unless the asker said
}

// A Why asks what is wrong with something and why.
type Why struct {
	Kind string // node, gpu, pod, job, … or "" where the asker did not say
	Name string // as it was said: a full name or the start of one, after "namespace/" where that was said; "" is the whole cluster
}

// A When asks when a measure will reach a limit.
type When struct {
	Measure  Measure
	Capacity catalog.ID // the metric that is the limit, where the limit is not a number
	Limit    float64
	Rising   bool // reached from below; otherwise from above
}

func (Lookup) isIntent() {}
func (Alert) isIntent()  {}
func (Why) isIntent()    {}
func (When) isIntent()   {}

// A Parse is what an engine made of a question.
type Parse struct {
	Intent     Intent
	Assumed    []string // what the asker did not say and the engine took: "no duration said: fires at once"
	Confidence float64  // 0..1: the probability that this is what was meant
	Caveats    []string // what the asker should know of how this was understood, or who could not be asked
}

// An Engine finds the intent of a question. Where it finds none its error is
// or wraps a *[NotUnderstood].
type Engine interface {
	Parse(ctx context.Context, q Question) (Parse, error)
}

// An EngineFunc is a function that is an engine.
type EngineFunc func(ctx context.Context, q Question) (Parse, error)

// Parse calls f.
func (f EngineFunc) Parse(ctx context.Context, q Question) (Parse, error) { return f(ctx, q) }

// NotUnderstood says which words of a question have no meaning here, and what
// comes nearest to them.
type NotUnderstood struct {
	Words   []string // the words that are left over
	Nearest []string // things that are understood, the nearest first
	Ask     string   // the question to put back to the asker, or ""
	Refused bool     // it was understood as something that is never done for words: deleting, scaling
	Sure    bool     // it was understood but for what Ask asks: no other engine can know that
	Caveats []string // why engines that could have known were not heard
}

func (e *NotUnderstood) Error() string {
	var b strings.Builder
	b.WriteString("question not understood")
	if len(e.Words) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(e.Words, ", "))
	}
	if len(e.Nearest) > 0 {
		fmt.Fprintf(&b, " (nearest: %s)", strings.Join(e.Nearest, "; "))
	}
	return b.String()
}

// First returns an engine that asks each of engines in turn and stops at the
// first that understands, refuses, or knows what must be asked back. Where
// none does, the error is the first engine's. A later engine that fails does
// not matter more than one that is not there: a caveat says that it did.
func First(engines ...Engine) Engine { return first(engines) }

type first []Engine

func (f first) Parse(ctx context.Context, q Question) (Parse, error) {
	refusal := &NotUnderstood{}
	for i, e := range f {
		p, err := e.Parse(ctx, q)
		var not *NotUnderstood
		unheard := err != nil && !errors.As(err, &not)
		switch {
		case err == nil, unheard && (i == 0 || ctx.Err() != nil), not != nil && (not.Refused || not.Sure):
			return p, err
		case i == 0:
			whole := *not
			refusal = &whole
		case unheard:
			refusal.Caveats = append(slices.Clip(refusal.Caveats), err.Error())
		default:
			refusal.Caveats = append(slices.Clip(refusal.Caveats), not.Caveats...)
		}
	}
	return Parse{}, refusal
}
