package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/store"
	"vedette.dev/collector"
	"vedette.dev/collector/simulate"
)

const (
	// pastStep is the spacing of filled-in samples: well below the five
	// minutes after which PromQL takes a series for gone, and a week of 128
	// GPUs fits in some 20 million samples.
	pastStep = 2 * time.Minute
	// pastBlock is what is written at a time, so that history appears as it comes.
	pastBlock = 24 * time.Hour
)

// filledIn is 1 wherever history was made up and not received.
const filledIn = "vedette_backfilled"

// A backfill writes the past of a simulated cluster into a store. It lets a
// second world live through the same past as the first: the same seed gives
// the same readings.
type backfill struct {
	sc       *simulate.Scenario
	from, to time.Time

	mu   sync.Mutex
	done float64
	err  string
}

// run fills in everything from b.from to b.to, block by block. What goes wrong is
// shown with the progress; the demo goes on without the rest.
func (b *backfill) run(ctx context.Context, db *store.Local, log *slog.Logger) {
	err := b.fill(ctx, db)
	if err == nil || ctx.Err() != nil {
		return
	}
	log.Error("fill in history", "err", err)
	b.mu.Lock()
	b.err = err.Error()
	b.mu.Unlock()
}

func (b *backfill) fill(ctx context.Context, db *store.Local) error {
	w, err := simulate.New(b.sc, b.from)
	if err != nil {
		return err
	}
	sources := []collector.Source{w.Cluster()}
	for _, node := range w.Nodes() {
		sources = append(sources, w.GPUs(node), w.Host(node))
	}
	for from := b.from; from.Before(b.to); from = from.Add(pastBlock) {
		to := from.Add(pastBlock)
		if to.After(b.to) {
			to = b.to
		}
		if err := b.block(ctx, db, w, sources, from, to); err != nil {
			return fmt.Errorf("history of %s: %w", from.UTC().Format(time.DateOnly), err)
		}
	}
	return nil
}

// block writes one block.
func (b *backfill) block(ctx context.Context, db *store.Local, w *simulate.World, sources []collector.Source, from, to time.Time) (err error) {
	f, err := db.Fill(ctx, from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(ctx)) }()
	mark := labels.FromStrings(labels.MetricName, filledIn, "cluster", b.sc.Cluster.Name)
	for t := from; t.Before(to); t = t.Add(pastStep) {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.Advance(t)
		for _, s := range sources {
			batch, err := s.Collect(ctx)
			if err != nil {
				return err
			}
			for _, p := range batch.Points {
				if err := f.Append(ctx, pointLabels(p), t.UnixMilli(), p.Value); err != nil {
					return err
				}
			}
		}
		if err := f.Append(ctx, mark, t.UnixMilli(), 1); err != nil {
			return err
		}
		b.mu.Lock()
		b.done = math.Min(1, float64(t.Add(pastStep).Sub(b.from))/float64(b.to.Sub(b.from)))
		b.mu.Unlock()
	}
	return nil
}

// pointLabels gives a point the labels that it would have had by way of OTLP
// and ingest; a test holds the two ways together.
func pointLabels(p collector.Point) labels.Labels {
	b := labels.NewScratchBuilder(len(p.Attrs) + 1)
	b.Add(labels.MetricName, string(p.Metric))
	for _, a := range p.Attrs {
		if a.Value != "" {
			b.Add(a.Key, a.Value)
		}
	}
	b.Sort()
	return b.Labels()
}

// nodeOf returns the node that an action's target names.
func nodeOf(target string) (string, error) {
	s, err := analyzer.ParseSubject(target)
	if err != nil {
		return "", err
	}
	if node := s.Node(); node != "" {
		return node, nil
	}
	return "", fmt.Errorf("%s is not a node", strings.TrimSpace(target))
}
