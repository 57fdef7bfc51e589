package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"vedette.dev/collector"
)

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
