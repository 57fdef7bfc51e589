package collector

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Troubles follows what fails, so that a failure is told when it begins, when
// it becomes another and when it ends, and not in every period between.
type Troubles struct {
	Now   func() time.Time
	Fails func(what string, err error)
	Well  func(what string, after time.Duration)

	since map[string]time.Time
	text  map[string]string
}

// Note takes in how an attempt at what went, unless ctx was cancelled: then
// nobody knows.
func (t *Troubles) Note(ctx context.Context, what string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if t.since == nil {
		t.since, t.text = map[string]time.Time{}, map[string]string{}
	}
	since, failing := t.since[what]
	if err == nil {
		if failing {
			t.Well(what, t.Now().Sub(since))
			delete(t.since, what)
			delete(t.text, what)
		}
		return
	}
	if !failing {
		t.since[what] = t.Now()
	}
	if text := wordsOf(err); t.text[what] != text {
		t.Fails(what, err)
		t.text[what] = text
	}
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
