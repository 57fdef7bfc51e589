// Package action is the only way Vedette changes the world. Whatever would be
// changed is first written to the [Ledger] as a proposal; it runs when the
// policy or a person approves it; what came of it is written beside it.
package action

import (
	"context"
	"time"
)

// A Kind says which executor runs an action.
type Kind string

// The kinds of actions that the program knows.
const (
	CordonNode  Kind = "cordon-node"
	PublishRule Kind = "publish-rule"
	UndoRule    Kind = "undo-rule"

	SilenceAlerts Kind = "silence-alerts" // of what the target, a label selector, selects, for Params["for"]
	EndSilence    Kind = "end-silence"    // of just the target

	// Each sets how many units are there because of a forecast, Params["units"].
	ScaleBalloon   Kind = "scale-balloon"   // of a Deployment of pods that give way
	ScaleBuffer    Kind = "scale-buffer"    // of a CapacityBuffer
	ScaleNodegroup Kind = "scale-nodegroup" // the fewest nodes of an EKS node group
)

// An Action is one change to the world, not yet made.
type Action struct {
	Kind   Kind              `json:"kind"`
	Target string            `json:"target"` // a subject, the ID of a rule group, or a label selector
	Params map[string]string `json:"params,omitempty"`
	Reason string            `json:"reason"`          // for the person who approves it
	Effect string            `json:"effect"`          // what it will touch: "2 pods of job ml/train lose this node"
	Cites  []string          `json:"cites,omitempty"` // the evidence: sources, incident IDs
	Waits  time.Duration     `json:"waits,omitempty"` // how long it may wait for a decision; 0 is an hour
}

// Key identifies the change. Two actions with one key are proposed once, until
// the first is settled and its rest is over.
func (a Action) Key() string { return string(a.Kind) + "|" + a.Target }

// A State is how far an action has come.
type State string

// The states. An action ends in done, failed, denied, expired or withdrawn, the
// last where what asked for it no longer does. A noted
// action was proposed in the observe mode: it says what would be done, and
// nobody can approve it.
const (
	Proposed State = "proposed"
	Noted    State = "noted"
	Approved State = "approved"
	Running  State = "running"
	Done     State = "done"
	Failed   State = "failed"
	Denied   State = "denied"
	Expired  State = "expired"

	Withdrawn State = "withdrawn"
)

// Settled reports whether nothing more will happen in state s.
func (s State) Settled() bool {
	return s == Done || s == Failed || s == Denied || s == Expired || s == Withdrawn
}

// An Entry is an action with its history.
type Entry struct {
	ID int64 `json:"id"`
	Action
	State     State      `json:"state"`
	Proposed  time.Time  `json:"proposed"`
	Expires   time.Time  `json:"expires"` // when a proposal that nobody decides on lapses
	Decisions []Decision `json:"decisions,omitempty"`
	Finished  time.Time  `json:"finished,omitzero"`
	Result    string     `json:"result,omitempty"` // what was done, or why it failed
}

// A Decision is one approval or refusal. One refusal is enough to stop an action.
type Decision struct {
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Approved bool      `json:"approved"`
	Why      string    `json:"why,omitempty"`
}

// A Mode is how far Vedette may go with nodes and capacity by itself.
// Publishing a rule is not governed by it: its asker approves that.
type Mode string

// The modes, from the most careful. In observe a proposal is only noted; in
// approve (and recommend) a person decides on each.
const (
	Observe   Mode = "observe"
	Recommend Mode = "recommend"
	Approve   Mode = "approve"
)

// An Executor makes one kind of change and says in a sentence what it did. It
// must be safe to call again after a crash.
type Executor interface {
	Execute(ctx context.Context, a Action) (result string, err error)
}

// ExecutorFunc makes a function an [Executor].
type ExecutorFunc func(ctx context.Context, a Action) (string, error)

// Execute calls f.
func (f ExecutorFunc) Execute(ctx context.Context, a Action) (string, error) { return f(ctx, a) }
