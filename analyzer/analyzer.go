// Package analyzer is the house of what Vedette concludes. It defines the
// words for it ([Subject], [Fact], [Finding], [Diagnosis], [Incident]), the
// interfaces that produce them, and the [Loop] that runs those in order; its
// subpackages are the implementations, which know little of one another.
package analyzer

import (
	"context"
	"time"

	"vedette.dev/analyzer/action"
	"vedette.dev/rules/fault"
)

// A Finding is one way in which one subject is not as it should be: an alert
// that fires, a value that is unusual, a kernel line that reports an error.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Subject  Subject     `json:"subject"`
	Signal   string      `json:"signal"` // the alert's name, the metric, or the event: what it is about the subject
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to,omitzero"` // zero while it lasts
	Severity string      `json:"severity,omitempty"`
	Text     string      `json:"text"`
	Score    float64     `json:"score,omitempty"`   // of an anomaly: 0..1
	Query    string      `json:"query,omitempty"`   // PromQL that shows the evidence
	Source   string      `json:"source,omitempty"`  // where it is not a query: history#17
	Caveats  []string    `json:"caveats,omitempty"` // why it may be wrong; never a reason to drop it

	Last   time.Time `json:"last,omitzero"`    // of an anomaly: when it was last seen, which is before it is known to be over
	Ways   []Way     `json:"ways,omitempty"`   // of an anomaly: what it was found by
	Marked *Mark     `json:"marked,omitempty"` // somebody's word that it is none: it is shown and wakes nobody
}

// A FindingKind says who noticed.
type FindingKind string

// The kinds of findings.
const (
	Alert   FindingKind = "alert"
	Anomaly FindingKind = "anomaly"
	Event   FindingKind = "event"
)

// Key identifies the finding from one tick to the next: the same trouble of
// the same subject has the same key, whatever its text and score.
func (f Finding) Key() string { return string(f.Kind) + "|" + f.Signal + "|" + f.Subject.String() }

// A Fact is one thing that a snapshot shows, with its true onset.
type Fact struct {
	Subject  Subject
	Name     string // from the vocabulary of the signatures: xid-79, pod-failed, thermal-throttle
	At       time.Time
	Standing bool   // still so when the snapshot was taken
	Text     string // in words, with the value
	Source   string // events.jsonl:17, objects/pods.json#ns/name, metrics.om#selector
}

// An Incident is a set of findings with one cause, followed until it is over.
type Incident struct {
	ID         string        `json:"id"`  // short, for people: 2026-11-22-3
	Key        string        `json:"key"` // cause and subject; at most one open incident has it
	Title      string        `json:"title"`
	Subject    Subject       `json:"subject"`
	Cause      fault.CauseID `json:"cause"` // "" while nothing explains it
	Severity   string        `json:"severity"`
	Confidence float64       `json:"confidence"`
	Opened     time.Time     `json:"opened"`
	Updated    time.Time     `json:"updated"`
	Closed     time.Time     `json:"closed,omitzero"`
	Reopened   int           `json:"reopened,omitempty"` // how often it came back within the book's memory
	Findings   []Finding     `json:"findings"`
	Diagnosis  *Diagnosis    `json:"diagnosis,omitempty"`
	Rejected   []Rejected    `json:"rejected,omitempty"`
	Unseen     []string      `json:"unseen,omitempty"`
	Touched    []Subject     `json:"touched,omitempty"` // all that it was seen on, by its own subject first
	Timeline   []Moment      `json:"timeline"`          // in time order
	Earlier    []Earlier     `json:"earlier,omitempty"` // the likest of those before it; only where one incident is asked for
}

// An Earlier is an incident of the past that is like another.
type Earlier struct {
	ID      string        `json:"id"`
	Title   string        `json:"title"`
	Cause   fault.CauseID `json:"cause"`
	Subject Subject       `json:"subject"`
	Opened  time.Time     `json:"opened"`
	Closed  time.Time     `json:"closed,omitzero"`
	Ended   string        `json:"ended"` // how: what its book says of its end, or that it goes on
	Alike   []string      `json:"alike"` // in what, as words
}

// Open reports whether the incident goes on.
func (in Incident) Open() bool { return in.Closed.IsZero() }

// A Moment is one line of an incident's timeline.
type Moment struct {
	At      time.Time `json:"at"`
	Subject Subject   `json:"subject"`
	Kind    string    `json:"kind"` // evidence, finding, action, opened, cause (another one), closed, reopened
	Text    string    `json:"text"`
	Source  string    `json:"source,omitempty"`
}

// A Detector judges one sample of one series. What it remembers of the series
// is S, a value without pointers: a bank keeps it in a slab, indexed by the
// series, and saves it. Observe never looks ahead: its score depends on this
// sample and those before it. The zero S is a series not seen before.
//
// ms is Unix milliseconds. A late or repeated sample (ms not above the last)
// and a NaN score zero and leave the state as it was.
type Detector[S any] interface {
	Observe(state *S, ms int64, value float64) Score
}

// A GroupDetector judges the members of one group against each other at one
// step: the GPUs of a job, the nodes of a pool. row[i] is the i'th member's
// value, NaN where it has none; scores[i] is written for it. S is the state
// of the group, as for a [Detector]; members keep their place while the group lives.
type GroupDetector[S any] interface {
	ObserveRow(states []S, ms int64, row []float64, scores []Score)
}

// A Score is how unusual a sample is on two channels, each a calibrated tail
// probability p on the scale min(1, −log10 p / 12): 0 is usual, 0.5 is one in
// a million.
type Score struct {
	Spike  float64 // this sample against those just before
	Regime float64 // the level of late against the level of long
}

// Max returns the larger channel.
func (s Score) Max() float64 { return max(s.Spike, s.Regime) }

// A Watcher notices. Findings returns what is the matter at now; what it
// returned before and does not return again is over.
type Watcher interface {
	Findings(ctx context.Context, now time.Time) ([]Finding, error)
}

// WatcherFunc makes a function a [Watcher].
type WatcherFunc func(ctx context.Context, now time.Time) ([]Finding, error)

// Findings calls f.
func (f WatcherFunc) Findings(ctx context.Context, now time.Time) ([]Finding, error) {
	return f(ctx, now)
}

// A Diagnoser says what would explain the findings at now. It may report more
// than the findings ask for: a cause whose symptoms nobody watches is a cause.
type Diagnoser interface {
	Diagnose(ctx context.Context, fs []Finding, now time.Time) (Report, error)
}

// A Book keeps incidents. Record opens, extends and closes them in the light
// of what is found at now and returns those it opened or changed.
type Book interface {
	Record(ctx context.Context, fs []Finding, r Report, now time.Time) ([]Incident, error)
}

// A Planner says what should be done about an incident. It does not do it.
type Planner interface {
	Plan(in Incident) []action.Action
}

// A Proposer takes proposals; [action.Ledger] is one. A proposal whose key is
// already waiting changes nothing.
type Proposer interface {
	Propose(ctx context.Context, a action.Action, now time.Time) (action.Entry, error)
}

// An Explainer writes an incident up for a person. Every sentence of the
// account cites what it rests on.
type Explainer interface {
	Explain(ctx context.Context, in Incident) ([]Sentence, error)
}

// A Sentence is one claim and the sources it rests on. A sentence without a
// source is not an explanation and is not shown.
type Sentence struct {
	Text  string   `json:"text"`
	Cites []string `json:"cites"`
}
