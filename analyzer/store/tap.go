package store

import (
	"context"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// Appender returns an appender whose committed samples pass the tap.
func (l *Local) Appender(ctx context.Context) storage.Appender {
	return &tapped{Appender: l.db.Appender(ctx), tap: l.tap}
}

// AppenderV2 is Appender in Prometheus' newer form; its OTLP translation wants it.
func (l *Local) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &tappedV2{AppenderV2: l.db.AppenderV2(ctx), tap: l.tap}
}

// seen holds samples until their commit.
type seen struct {
	ref  uint64
	lset labels.Labels
	ms   int64
	v    float64
}

// pour tells tap of what was committed. Staleness markers are not samples.
func pour(tap Tap, held []seen) {
	if tap == nil {
		return
	}
	for _, s := range held {
		if !value.IsStaleNaN(s.v) {
			tap(s.ref, s.lset, s.ms, s.v)
		}
	}
}

type tapped struct {
	storage.Appender
	tap  Tap
	held []seen
}

func (a *tapped) Append(ref storage.SeriesRef, lset labels.Labels, ms int64, v float64) (storage.SeriesRef, error) {
	got, err := a.Appender.Append(ref, lset, ms, v)
	if err == nil {
		a.held = append(a.held, seen{uint64(got), lset, ms, v})
	}
	return got, err
}

func (a *tapped) Commit() error {
	if err := a.Appender.Commit(); err != nil {
		return err
	}
	pour(a.tap, a.held)
	a.held = nil
	return nil
}

type tappedV2 struct {
	storage.AppenderV2
	tap  Tap
	held []seen
}

func (a *tappedV2) Append(ref storage.SeriesRef, lset labels.Labels, st, ms int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	got, err := a.AppenderV2.Append(ref, lset, st, ms, v, h, fh, opts)
	if err == nil && h == nil && fh == nil {
		a.held = append(a.held, seen{uint64(got), lset, ms, v})
	}
	return got, err
}

func (a *tappedV2) Commit() error {
	if err := a.AppenderV2.Commit(); err != nil {
		return err
	}
	pour(a.tap, a.held)
	a.held = nil
	return nil
}
