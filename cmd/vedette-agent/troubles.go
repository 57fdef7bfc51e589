package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"vedette.dev/collector"
)

// troubles logs a failure when it starts, when it becomes another, and when it
// ends, and not in every period between.
type troubles struct {
	log   *slog.Logger
	now   func() time.Time
	since map[string]time.Time
	text  map[string]string
}

// source is s, with its failures logged under name.
func (t *troubles) source(name string, s collector.Source) collector.Source {
	return collector.SourceFunc(func(ctx context.Context) (collector.Batch, error) {
		b, err := s.Collect(ctx)
		t.note(ctx, "source "+name, err)
		return b, err
	})
}

// sink is s, with its failures logged.
func (t *troubles) sink(s collector.Sink) collector.Sink {
	return sinkFunc(func(ctx context.Context, b collector.Batch) error {
		err := s.Push(ctx, b)
		t.note(ctx, "sink", err)
		return err
	})
}

// note takes in how an attempt went, unless it was broken off because the agent
// was told to end.
func (t *troubles) note(ctx context.Context, what string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if t.since == nil {
		t.since, t.text = map[string]time.Time{}, map[string]string{}
	}
	since, failing := t.since[what]
	if err == nil {
		if failing {
			t.log.Info(what+" is well again", "after", t.now().Sub(since).Round(time.Second))
			delete(t.since, what)
			delete(t.text, what)
		}
		return
	}
	if !failing {
		t.since[what] = t.now()
	}
	if text := wordsOf(err); t.text[what] != text && !expected(err) {
		t.log.Warn(what+" fails", "err", err)
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

// sinks push to each; what one refuses the others still get.
type sinks []collector.Sink

// Push implements [collector.Sink].
func (ss sinks) Push(ctx context.Context, b collector.Batch) error {
	var errs []error
	for _, s := range ss {
		errs = append(errs, s.Push(ctx, b))
	}
	return errors.Join(errs...)
}

type sinkFunc func(ctx context.Context, b collector.Batch) error

// Push implements [collector.Sink].
func (f sinkFunc) Push(ctx context.Context, b collector.Batch) error { return f(ctx, b) }

// health says whether the agent still looks. It is a sink, and so hears of every look.
type health struct {
	period  time.Duration
	now     func() time.Time
	started time.Time

	mu   sync.Mutex
	last time.Time // the newest look
}

// Push implements [collector.Sink].
func (h *health) Push(context.Context, collector.Batch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = h.now()
	return nil
}

// live answers whether the agent should be left running.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	last := h.last
	h.mu.Unlock()
	if last.IsZero() {
		last = h.started
	}
	const missed = 5 // periods: one slow endpoint is no reason to be killed
	if age := h.now().Sub(last); age > missed*h.period+time.Minute {
		http.Error(w, fmt.Sprintf("the last look was %v ago", age.Round(time.Second)), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// ready answers whether the agent has looked once.
func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last.IsZero() {
		http.Error(w, "no look yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
