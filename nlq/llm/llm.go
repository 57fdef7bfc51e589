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
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/catalog"
)

// The defaults of an engine, and what they are taken from.
const (
	defaultTimeout = 20 * time.Second // somebody waits at the page
	defaultRounds  = 3                // who has not repaired a form in two tries repeats itself
	defaultTokens  = 20_000           // three rounds of twice the usual prompt
)

// sureness is how likely a model's reading is what was meant. It was not
// measured, since models differ: even odds, and a caveat, ask for a look.
const sureness = 0.5

// An Engine understands questions about what a catalog lists. It must not be
// copied. Where the model cannot be heard the error of Parse is no
// *[nlq.NotUnderstood].
type Engine struct {
	Line    *talk.Line
	Catalog *catalog.Catalog // nil is the one that comes with the program
	Timeout time.Duration    // for one question with all its rounds; 0 is 20 s
	Rounds  int              // how often a form may be filled in; 0 is 3
	Tokens  int              // for one question with all its rounds; 0 is 20,000
	Redact  []string         // talk.Mail, talk.Address: what does not leave, besides secrets

	once   sync.Once // of shelf, which takes long to make
	shelf  *shelf
	memory memory
	count  struct{ hits, refused atomic.Int64 }
}

var _ nlq.Engine = (*Engine)(nil)

// A Usage is what an engine has done since it was made.
type Usage struct {
	Hits    int64 // questions answered without a call, since they were asked before
	Refused int64 // replies that were no form, or one that cannot be
}

// Usage returns what e has done. It may be asked at any time.
func (e *Engine) Usage() Usage {
	return Usage{e.count.hits.Load(), e.count.refused.Load()}
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
			return nlq.Parse{}, fmt.Errorf("the model %s was not heard: %w", e.Line.Name, err)
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
	return &nlq.NotUnderstood{Caveats: []string{fmt.Sprintf("the model %s %s", e.Line.Name, why)}}
}

// read asks the model until it has filled in a form that can be. It returns
// nil where it never does.
func (e *Engine) read(ctx context.Context, q nlq.Question) (*recalled, error) {
	v := &talk.Veil{Also: e.Redact}
	said := nlq.Question{Text: v.Hide(q.Text)}
	for _, b := range q.Before {
		said.Before = append(said.Before, v.Hide(b))
	}
	var again []talk.Turn // what the model said, and what was wrong with it
	last := ""
	left := orDefault(e.Tokens, defaultTokens)
	for range orDefault(e.Rounds, defaultRounds) {
		draft := func(room int) []talk.Turn { return e.shelf.talk(said, again, room) }
		reply, err := e.Line.Ask(ctx, q.Now, intentForm, draft, &left)
		var no talk.Refused
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("no answer within %s", nlq.Period(orDefault(e.Timeout, defaultTimeout)))
		}
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
		if reply.Text == last {
			return nil, nil // who says the same to another question says it again
		}
		last = reply.Text
		again = []talk.Turn{{By: talk.Machine, Text: shown(reply.Text)}, {By: talk.Asker, Text: e.shelf.again(err)}}
	}
	return nil, nil
}

// settle makes an intent of what the model said.
func (e *Engine) settle(text string, said nlq.Question, v *talk.Veil) (*recalled, error) {
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
	i = restore(v, i)
	if m, err := meaningOf(i, e.Catalog); err != nil || talk.Veiled(m.expr) {
		return nil, errors.New("what stands for something hidden can be the value of a label, and nothing else") // err would tell it
	}
	p := nlq.Parse{Intent: i, Confidence: sureness,
		Caveats: []string{fmt.Sprintf("the model %s read this, not the grammar: see that it is what you meant", e.Line.Name)}}
	return &recalled{parse: p}, nil
}

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
