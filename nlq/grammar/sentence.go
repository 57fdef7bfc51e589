package grammar

import (
	"context"
	"errors"

	"vedette.dev/nlq"
)

// A Sentence is a question with what its words mean, which takes long to find: who
// reads one in several ways does it once. It is for one at a time.
type Sentence struct {
	nlq.Question
	engine *Engine
	frame  *frame // made when it is first needed
}

// Sentence returns q as e reads it.
func (e *Engine) Sentence(q nlq.Question) *Sentence { return &Sentence{Question: q, engine: e} }

// fresh returns a frame of s of which nothing is used.
func (s *Sentence) fresh() *frame {
	if s.frame == nil {
		s.frame = s.engine.frame(s.Text)
	}
	return s.frame.again()
}

// Parse finds the intent of s. Its error is a *[nlq.NotUnderstood].
func (s *Sentence) Parse(ctx context.Context) (nlq.Parse, error) {
	p, f, err := s.read()
	if f == nil {
		return p, nil
	}
	if len(s.Before) > 0 && (s.frame.continues() || err != nil) {
		var not *nlq.NotUnderstood
		if errors.As(err, &not) && not.Refused {
			return nlq.Parse{}, err
		}
		if p, ok := s.engine.follow(ctx, s.Question); ok {
			return p, nil
		}
	}
	return p, f.put(err)
}

// Outright finds the intent of s, as [Sentence.Parse] does. It reports false where
// there is none, and does not look for what may have been meant.
func (s *Sentence) Outright() (nlq.Parse, bool) {
	p, _, err := s.read()
	return p, err == nil
}

// read returns the intent of s and the frame that it was read with, nil where it
// took none.
func (s *Sentence) read() (nlq.Parse, *frame, error) {
	if x, ok := explain(s.Text); ok {
		return nlq.Parse{Intent: x, Confidence: 0.9}, nil, nil
	}
	if p, ok := s.engine.cost(s.Text); ok {
		return p, nil, nil
	}
	f := s.fresh()
	p, err := f.parse()
	if err == nil {
		if lost := f.lost(p.Intent); lost != nil {
			return nlq.Parse{}, f, lost
		}
	}
	return p, f, err
}
