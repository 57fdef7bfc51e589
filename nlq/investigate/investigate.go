// Package investigate has a language model tell of a diagnosis, and look for
// what the diagnosis may have missed. The model is a witness, not a judge: each
// sentence of its is held to the evidence that it cites, and each cause that it
// supposes is judged anew by the engine, on the snapshot with what was found.
//
//	report ─► items with ids ─► model ─► look ─► items ─┐
//	   ▲                          │ ◄────────────────────┘
//	   └── diagnose ◄── suppose ──┤
//	                              └─► sentences ─► claims ─► told, or dropped
//
// What a reader would get wrong: nothing that a model says becomes a cause, moves
// one or takes one away. The report is always what [diagnose.Diagnose] makes of a
// snapshot; a model can only point at a line that the snapshot should have had.
package investigate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/fault"
)

// The defaults of a desk, and what they are taken from.
const (
	defaultTimeout = 2 * time.Minute // ten calls of a model that takes some seconds for each, and somebody waits
	defaultSteps   = 8               // what agents of this kind need where they come to an end: 4 to 14
	defaultTokens  = 100_000         // eight steps of a talk that grows to its full length, and the telling
	defaultAnswer  = 2000            // bytes: so eight answers and a report fit into the talk
)

// A Desk has a model tell, and look. It keeps nothing of a case but what is
// counted. It must not be copied.
type Desk struct {
	Line    *talk.Line
	Timeout time.Duration // for one case; 0 is 2 min
	Steps   int           // how often a model may look or suppose; 0 is 8
	Tokens  int           // for one case; 0 is 100,000
	Answer  int           // bytes of what one look shows; 0 is 2,000
	Redact  []string      // talk.Mail, talk.Address: what does not leave, besides secrets

	count struct{ told, dropped atomic.Int64 }
}

// A Usage is what became of what a model said at a desk.
type Usage struct {
	Told    int64 // sentences that were shown
	Dropped int64 // sentences that their evidence does not bear out
}

// Usage returns what became of it since d was made. It may be asked at any time.
func (d *Desk) Usage() Usage { return Usage{d.count.told.Load(), d.count.dropped.Load()} }

// A Case is a report, and what may be looked at besides.
type Case struct {
	Report   analyzer.Report
	Snapshot *snapshot.Snapshot // what the report was made of; nil where only the report is there
	Past     Past               // what is remembered beyond the snapshot; nil is nothing
	Book     Book               // incidents; nil is none
	Now      time.Time
}

// A Past remembers more than a snapshot of now holds: live.Camera is one.
type Past interface {
	// Since captures the time before now, with the named metrics besides. What
	// could be had is returned with the errors of what could not.
	Since(ctx context.Context, now time.Time, window time.Duration, metrics ...string) (*snapshot.Snapshot, error)
}

// A Book lists incidents.
type Book interface {
	List(ctx context.Context, n int) ([]analyzer.Incident, error)
}

// An Account is what a model said, and what became of it.
type Account struct {
	Model   string              `json:"model"`
	Told    []analyzer.Sentence `json:"told"`    // each held to what it cites
	Dropped []Dropped           `json:"dropped"` // sentences that were not shown among them, and why
	Looked  []string            `json:"looked"`  // what it looked at
	Added   []Supposed          `json:"added"`   // causes that the engine found with what the model had found
	Guesses []Supposed          `json:"guesses"` // causes that the engine did not find, even so
	Caveats []string            `json:"caveats"` // why it may be less than was asked for
	Calls   int                 `json:"calls"`
	Tokens  int                 `json:"tokens"`
}

// A Dropped sentence is one that its evidence does not bear out.
type Dropped struct {
	Text string `json:"text"`
	Why  string `json:"why"`
}

// A Supposed cause is one that the model named.
type Supposed struct {
	Cause   fault.CauseID    `json:"cause"`
	Subject analyzer.Subject `json:"subject"`
	Cites   []string         `json:"cites"` // sources of what it found
	Why     string           `json:"why"`   // what the engine said to it
}

// Explain has the model tell the report of c. It never fails: without a model
// that can be heard the account says so.
func (d *Desk) Explain(ctx context.Context, c Case) Account {
	_, a := d.run(ctx, c, false)
	return a
}

// Investigate has the model look for what the report of c lacks, and tell. The
// report that it returns is the engine's: that of c, or the one of its snapshot
// with what was found.
func (d *Desk) Investigate(ctx context.Context, c Case) (analyzer.Report, Account) {
	return d.run(ctx, c, true)
}

func (d *Desk) run(ctx context.Context, c Case, look bool) (analyzer.Report, Account) {
	x := &session{Desk: d, Case: c, veil: &talk.Veil{Also: d.Redact, Forget: true}, left: orDefault(d.Tokens, defaultTokens),
		account: Account{Model: d.Line.Name, Told: []analyzer.Sentence{}, Dropped: []Dropped{}, Looked: []string{}, Added: []Supposed{}, Guesses: []Supposed{}, Caveats: []string{}}}
	if c.Report.Verdict == analyzer.Healthy {
		x.doubt("nothing is wrong that wants explaining: no model was asked")
		return c.Report, x.account
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(d.Timeout, defaultTimeout))
	defer cancel()
	x.file = newFile(x.veil)
	x.file.open(x.Report)
	if look {
		x.search(ctx)
	}
	x.tell(ctx)
	d.count.told.Add(int64(len(x.account.Told)))
	d.count.dropped.Add(int64(len(x.account.Dropped)))
	return x.Report, x.account
}

// A session is one case at the desk.
type session struct {
	*Desk
	Case
	veil    *talk.Veil
	file    *file
	left    int // tokens
	account Account
}

func (x *session) doubt(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(x.account.Caveats, text) {
		x.account.Caveats = append(x.account.Caveats, text)
	}
}

// ask has the model fill in one form, and leaves keep tokens for later. An error
// that is no [talk.Refused] ends the talk, and has been noted.
func (x *session) ask(ctx context.Context, f talk.Form, draft func(room int) []talk.Turn, keep int) (string, error) {
	left := x.left - keep
	reply, err := x.Line.Ask(ctx, x.Now, f, draft, &left)
	spent := x.left - keep - left
	x.left -= spent
	x.account.Tokens += spent
	var no talk.Refused
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		x.doubt("the model %s did not answer within %s", x.Line.Name, orDefault(x.Timeout, defaultTimeout))
	case err != nil && !errors.As(err, &no):
		x.doubt("the model %s was not heard: %v", x.Line.Name, err)
	default:
		x.account.Calls++
	}
	return reply.Text, err
}

// opening returns what begins a talk, for a room in bytes: what it is about, and
// the report as it was when that room was first asked for. Half of what is left of
// the room is for what is said after.
func (x *session) opening(system string) func(room int) []talk.Turn {
	var turns []talk.Turn
	made := 0
	return func(room int) []talk.Turn {
		if room != made {
			shown := x.file.listing(x.Report, min(mostReport, (room-len(system))/2))
			turns, made = []talk.Turn{{By: talk.House, Text: system}, {By: talk.Asker, Text: shown}}, room
		}
		return turns
	}
}

// tries is how often a form may be filled in: who has not repaired one the
// second time repeats itself.
const tries = 2

// tell has the model tell the report, and holds each sentence to what it cites.
func (x *session) tell(ctx context.Context) {
	open := x.opening(render("tell.tmpl", storyForm.Schema()))
	var again []talk.Turn // what the model said, and what was wrong with it
	for range tries {
		draft := func(room int) []talk.Turn { return slices.Concat(open(room), again) }
		text, err := x.ask(ctx, storyForm, draft, 0)
		var no talk.Refused
		if err != nil && !errors.As(err, &no) {
			return
		}
		var s story
		if err == nil {
			s, err = talk.Decode[story](text)
		}
		if err == nil && len(s.Sentences) > mostSentences {
			err = fmt.Errorf("there are %d sentences, want at most %d", len(s.Sentences), mostSentences)
		}
		var wrong []string
		if err != nil {
			wrong = []string{err.Error()}
		} else {
			wrong = x.hear(s)
		}
		if len(wrong) == 0 {
			return
		}
		again = []talk.Turn{{By: talk.Machine, Text: shown(text)}, {By: talk.Asker, Text: x.veil.Hide(render("again.tmpl", wrong))}}
	}
	if len(x.account.Told) == 0 {
		x.doubt("the model %s said nothing that its evidence bears out", x.Line.Name)
	}
}

// mostSentences is as long as a page reads: the engine's own account has some ten.
const mostSentences = 12

// aside stands before what rests only on what the model found: some program in
// the cluster wrote it, and the engine made nothing of it.
const aside = "Found, and no part of the diagnosis: "

// hear takes what can be believed of a story, where that is more than was told
// before, and returns what was wrong with the rest.
func (x *session) hear(s story) (wrong []string) {
	court := x.court()
	var told []analyzer.Sentence
	for _, c := range s.Sentences {
		cites, why := court.hear(c)
		if why == "" {
			text := x.veil.Back(c.Says, nil)
			if !slices.ContainsFunc(c.Cites, func(id string) bool { return id[0] != 'F' }) {
				text = aside + text
			}
			told = append(told, analyzer.Sentence{Text: text, Cites: cites})
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%q: %s", talk.Short(c.Says), why))
		d := Dropped{Text: x.veil.Back(printable(talk.Short(c.Says)), nil), Why: x.veil.Back(why, nil)}
		if !slices.Contains(x.account.Dropped, d) {
			x.account.Dropped = append(x.account.Dropped, d)
		}
	}
	if len(told) >= len(x.account.Told) && len(told) > 0 {
		x.account.Told = told
	}
	return wrong
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
