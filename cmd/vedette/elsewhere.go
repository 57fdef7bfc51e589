package main

import (
	"context"
	"fmt"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer/store"
)

// overlap is how far back the detectors look anew at a Prometheus elsewhere:
// what it scraped a while ago may be stored only now.
const overlap = 2 * time.Minute

// An elsewhere is the Prometheus that the configuration names, read beside the
// store; its new samples are told to the detectors, which see only what passes them.
type elsewhere struct {
	remote  *store.Remote
	tap     store.Tap
	last    time.Time        // until when the detectors have been told
	metrics []string         // that they look at
	newest  map[uint64]int64 // the newest sample of each series that they have been told of
}

// elsewhere returns the Prometheus that is read besides, or nil.
func (s *service) elsewhere() (*elsewhere, error) {
	c := s.cfg.Prometheus
	if c.URL == "" {
		return nil, nil
	}
	http := promconfig.HTTPClientConfig{FollowRedirects: true, EnableHTTP2: true, TLSConfig: promconfig.TLSConfig{CAFile: c.CAFile}}
	if c.TokenFile != "" {
		http.Authorization = &promconfig.Authorization{Type: "Bearer", CredentialsFile: c.TokenFile}
	}
	if len(c.Headers) > 0 {
		http.HTTPHeaders = &promconfig.Headers{Headers: map[string]promconfig.Header{}}
		for k, v := range c.Headers {
			http.HTTPHeaders.Headers[k] = promconfig.Header{Values: []string{v}}
		}
	}
	rt, err := promconfig.NewRoundTripperFromConfig(http, "prometheus")
	if err != nil {
		return nil, fmt.Errorf("prometheus.url %s: %w", c.URL, err)
	}
	told := troubles(s.log)
	r, err := store.Dial(c.URL, rt, func(err error) { told.Note(context.Background(), "reading "+c.URL, err) })
	if err != nil {
		return nil, err
	}
	return &elsewhere{remote: r, tap: tap(s.bank), newest: map[uint64]int64{}, metrics: s.bank.Metrics()}, nil
}

// follow tells the detectors what is new. What fails is told by the remote
// itself, and asked for again.
func (e *elsewhere) follow(ctx context.Context, now time.Time) {
	from := e.last.Add(-overlap)
	if now.Sub(from) > time.Hour {
		from = now.Add(-overlap) // they learn from now on; the past is for queries
	}
	fresh := func(ref uint64, lset labels.Labels, ms int64, v float64) {
		if ms > e.newest[ref] {
			e.newest[ref] = ms
			e.tap(ref, lset, ms, v)
		}
	}
	if err := e.remote.Since(ctx, e.metrics, from, now, fresh); err == nil {
		e.last = now
	}
	for ref, ms := range e.newest {
		if now.UnixMilli()-ms > time.Hour.Milliseconds() {
			delete(e.newest, ref)
		}
	}
}
