// Package llm understands questions with a language model: it is an
// [nlq.Engine] beside the grammar's. A model is shown the question and the
// metrics nearest to it, and fills in a form of slots; what the form says
// becomes a typed intent, which passes the checks that every intent passes.
//
// What a reader would get wrong: a model has no power here. It calls nothing,
// changes nothing and says nothing to the asker: no sentence of it is shown.
// The PromQL is made here, of names that the catalog has; what the asker wrote
// can become a label's value and nothing else. Where a model proposes PromQL
// of its own it is an [nlq.Raw], which says so. Nothing is sent but to the
// provider that was opened, and no secret is among it.
package llm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// The defaults of an engine, and what they are taken from.
const (
	defaultTimeout  = 20 * time.Second // somebody waits at the page
	defaultRounds   = 3                // who has not repaired a form in two tries repeats itself
	defaultQuestion = 20_000
	defaultDay      = 1_000_000
)

// sureness is how likely a model's reading is what was meant. It was not
// measured, since models differ: even odds, and a caveat, ask for a look.
const sureness = 0.5

// An Engine understands questions about what a catalog lists. It must not be
// copied. Where the model cannot be heard the error of Parse is no
// *[nlq.NotUnderstood].
type Engine struct {
	Model   Model
	Name    string           // what the model is called where an answer says who read the question
	Catalog *catalog.Catalog // nil is the one that comes with the program
	Timeout time.Duration    // for one question with all its rounds; 0 is 20 s
	Rounds  int              // how often a form may be filled in; 0 is 3
	Budget  Budget
	Redact  []string // Mail, Address: what does not leave, besides secrets

	once   sync.Once // of shelf, which takes long to make
	shelf  *shelf
	purse  purse
	memory memory
	count  struct{ calls, tokens, failures, hits, refused atomic.Int64 }
}

var _ nlq.Engine = (*Engine)(nil)

// A Usage is what an engine has done since it was made.
type Usage struct {
	Calls    int64 // of the model
	Tokens   int64 // of prompts and replies
	Failures int64 // calls that came to nothing: errors, time-outs
	Hits     int64 // questions answered without a call, since they were asked before
	Refused  int64 // replies that were no form, or one that cannot be
}

// Usage returns what e has done. It may be asked at any time.
func (e *Engine) Usage() Usage {
	c := &e.count
	return Usage{c.calls.Load(), c.tokens.Load(), c.failures.Load(), c.hits.Load(), c.refused.Load()}
}

// Parse finds the intent of q.
func (e *Engine) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	e.once.Do(func() {
		if e.Catalog == nil {
			e.Catalog = catalog.Builtin()
		}
		e.shelf = shelfOf(e.Catalog)
	})
	w := wordsOf(q)
	r, ok := e.memory.recall(w)
	if ok {
		e.count.hits.Add(1)
	} else {
		ctx, cancel := context.WithTimeout(ctx, orDefault(e.Timeout, defaultTimeout))
		defer cancel()
		var err error
		if r, err = e.read(ctx, q); err != nil {
			return nlq.Parse{}, fmt.Errorf("the model %s was not heard: %w", e.Name, err)
		}
		if r == nil {
			return nlq.Parse{}, e.lost("filled in no form that can be")
		}
		r.words = w
		e.memory.keep(r)
	}
	if r.err != nil {
		return nlq.Parse{}, r.err
	}
	return r.parse, nil
}

// lost is the error where the model was heard and the question not understood.
func (e *Engine) lost(why string) *nlq.NotUnderstood {
	return &nlq.NotUnderstood{Caveats: []string{fmt.Sprintf("the model %s %s", e.Name, why)}}
}

// read asks the model until it has filled in a form that can be. It returns
// nil where it never does.
func (e *Engine) read(ctx context.Context, q nlq.Question) (*recalled, error) {
	v := &veil{also: e.Redact}
	said := nlq.Question{Text: v.hide(q.Text)}
	for _, b := range q.Before {
		said.Before = append(said.Before, v.hide(b))
	}
	talk := []Turn{{House, system()}, {Asker, e.shelf.ask(said)}}
	left := orDefault(e.Budget.Question, defaultQuestion)
	for range orDefault(e.Rounds, defaultRounds) {
		reply, err := e.call(ctx, q.Now, talk, &left)
		var no refused
		if err != nil && !errors.As(err, &no) {
			return nil, err
		}
		if err == nil {
			var r *recalled
			if r, err = e.settle(reply.Text, said, v); err == nil {
				return r, nil
			}
		}
		e.count.refused.Add(1)
		talk = append(talk[:2:2], Turn{Machine, shown(reply.Text)}, Turn{Asker, e.shelf.again(err)})
	}
	return nil, nil
}

// settle makes an intent of what the model said.
func (e *Engine) settle(text string, said nlq.Question, v *veil) (*recalled, error) {
	f, err := decode(text)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case "none":
		return &recalled{err: e.lost("does not understand it either")}, nil
	case "refuse":
		return &recalled{err: &nlq.NotUnderstood{Refused: true, Ask: "This asks for something that is never done for words."}}, nil
	}
	i, err := f.intent(e.Catalog)
	if err != nil {
		return nil, err
	}
	if i, err = vet(i, strings.Join(append(said.Before, said.Text), "\n"), e.Catalog); err != nil {
		return nil, err
	}
	i = v.restore(i)
	if m, err := meaningOf(i, e.Catalog); err != nil || placeholders.MatchString(m.expr) {
		return nil, errors.New("what stands for something hidden can be the value of a label, and nothing else") // err would tell it
	}
	p := nlq.Parse{Intent: i, Confidence: sureness,
		Caveats: []string{fmt.Sprintf("the model %s read this, not the grammar: see that it is what you meant", e.Name)}}
	return &recalled{parse: p}, nil
}

// call asks the model once, within what is left for the question and the day.
func (e *Engine) call(ctx context.Context, now time.Time, talk []Turn, left *int) (Reply, error) {
	most := mostReply
	for _, t := range talk {
		most += len(t.Text) / 3 // English has four bytes to a token, JSON three
	}
	if most > *left {
		return Reply{}, fmt.Errorf("the question's budget is spent: %d tokens are left, and a call may cost %d", *left, most)
	}
	if err := e.purse.take(now, most, orDefault(e.Budget.Day, defaultDay)); err != nil {
		return Reply{}, err
	}
	e.count.calls.Add(1)
	reply, err := e.Model.Reply(ctx, talk)
	var no refused
	failed := err != nil && !errors.As(err, &no)
	spent := reply.Tokens
	switch {
	case failed && ctx.Err() == nil:
		spent = 0 // the provider answered that it does not
	case spent == 0:
		spent = most
	}
	*left -= spent
	e.purse.giveBack(now, most-spent)
	e.count.tokens.Add(int64(spent))
	if failed {
		e.count.failures.Add(1)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return reply, fmt.Errorf("no answer within %s", nlq.Period(orDefault(e.Timeout, defaultTimeout)))
		}
		return reply, errors.New(oneLine(err))
	}
	return reply, err
}

// oneLine is what a provider says went wrong, for a person to read.
func oneLine(err error) string { return short(strings.Join(strings.Fields(err.Error()), " ")) }

// shown is what is repeated to a model of its own words: what is of a form's size.
func shown(text string) string {
	const most = 4 << 10
	if text == "" || len(text) > most {
		return "(no form)"
	}
	return text
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
