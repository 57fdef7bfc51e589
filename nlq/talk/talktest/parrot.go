package talktest

import (
	"context"
	"sync"

	"vedette.dev/nlq/talk"
)

// A Parrot is a model that says what it was taught, in order, and the last for
// ever. What it was asked can be read when nobody asks it any more.
type Parrot struct {
	Replies []string
	Tokens  int   // of each call
	Err     error // instead of a reply
	Talks   [][]talk.Turn

	mu sync.Mutex
}

var _ talk.Model = (*Parrot)(nil)

// Reply implements [talk.Model].
func (p *Parrot) Reply(_ context.Context, _ talk.Form, turns []talk.Turn, _ int) (talk.Reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Talks = append(p.Talks, turns)
	if p.Err != nil {
		return talk.Reply{}, p.Err
	}
	return talk.Reply{Text: p.Replies[min(len(p.Talks), len(p.Replies))-1], Tokens: p.Tokens}, nil
}
