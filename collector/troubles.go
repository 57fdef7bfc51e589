package collector

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Troubles follows what fails, so that a failure is told when it begins, when
// it becomes another and when it ends, and not in every period between. It may
// be used by several goroutines.
type Troubles struct {
	Now   func() time.Time
	Fails func(what string, err error)
	Well  func(what string, after time.Duration)

	mu    sync.Mutex
	since map[string]time.Time
	text  map[string]string
}

// Note takes in how an attempt at what went, unless ctx was cancelled: then
// nobody knows.
func (t *Troubles) Note(ctx context.Context, what string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if tell := t.turn(what, err); tell != nil {
		tell()
	}
}

// turn takes in how an attempt went and returns what to tell of it, if anything.
func (t *Troubles) turn(what string, err error) (tell func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since == nil {
		t.since, t.text = map[string]time.Time{}, map[string]string{}
	}
	since, failing := t.since[what]
	if err == nil {
		if !failing {
			return nil
		}
		delete(t.since, what)
		delete(t.text, what)
		after := t.Now().Sub(since)
		return func() { t.Well(what, after) }
	}
	if !failing {
		t.since[what] = t.Now()
	}
	if text := wordsOf(err); t.text[what] != text {
		t.text[what] = text
		return func() { t.Fails(what, err) }
	}
	return nil
}

// wordsOf is the error without its numbers, which may change while the trouble is the same.
func wordsOf(err error) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' {
			return -1
		}
		return r
	}, err.Error())
}
