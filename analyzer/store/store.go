// Package store keeps series: [Open] keeps them in an embedded Prometheus
// TSDB, in one directory. It owns the database, its PromQL engine, and the tap
// past which every received sample goes; what the samples mean is for others.
//
// What a reader would get wrong: samples may come late. An agent that was cut
// off sends what it held, so the store takes samples out of order, up to an
// hour back.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"vedette.dev/analyzer/series"
)

const (
	// lateness is how far back a sample may come: the longest outage that an
	// agent's queue is meant to bridge.
	lateness = time.Hour
	// maxSamples bounds the memory of one query, as Prometheus does by default (16 B each).
	maxSamples = 50_000_000
	// queryTimeout is Prometheus' default.
	queryTimeout = 2 * time.Minute
	// recent is how far back a label value counts as one that there is now: past
	// a restart of what sends it.
	recent = time.Hour
	// reloadEvery is how soon a block written beside the database is seen.
	reloadEvery = 10 * time.Second
)

// Options are the choices that Open leaves to its caller. The zero value keeps
// 15 days, logs nothing and taps nothing.
type Options struct {
	Retention  time.Duration
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Tap        Tap
	Beside     storage.Queryable // what is read besides, as if it were here; nil is nothing
}

// A Tap is told of every sample that was received and stored, after its
// commit. ref is the same for one series as long as the process runs; labels
// is valid only during the call. It is called from several goroutines.
type Tap func(ref uint64, lset labels.Labels, ms int64, value float64)

// Local is an embedded store.
type Local struct {
	db     *tsdb.DB
	engine *promql.Engine
	tap    Tap
	beside storage.Queryable
}

var (
	_ series.Querier                  = (*Local)(nil)
	_ storage.SampleAndChunkQueryable = (*Local)(nil)
	_ storage.Appendable              = (*Local)(nil)
	_ storage.AppendableV2            = (*Local)(nil)
)

// Open opens the store in dir, creating it if need be. A store that was left
// by a killed process is repaired from its write-ahead log; one that another
// process holds is an error.
func Open(dir string, o Options) (*Local, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	if err := writable(dir); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = (15 * 24 * time.Hour).Milliseconds()
	if o.Retention > 0 {
		opts.RetentionDuration = o.Retention.Milliseconds()
	}
	opts.OutOfOrderTimeWindow = lateness.Milliseconds()
	opts.BlockReloadInterval = reloadEvery
	db, err := tsdb.Open(dir, o.Logger, o.Registerer, opts, nil)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("open store %s: another process has it open", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: o.Logger, Reg: o.Registerer,
		MaxSamples: maxSamples, Timeout: queryTimeout,
		EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
	return &Local{db: db, engine: engine, tap: o.Tap, beside: o.Beside}, nil
}

// writable reports why a file cannot be made in dir. The TSDB would find out
// only at its first write, in words that do not name the directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return errors.Unwrap(err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// Close writes out what is in memory and closes the store.
func (l *Local) Close() error {
	return errors.Join(l.engine.Close(), l.db.Close())
}

// Querier implements [storage.Queryable]: what is here and what is beside it.
// Where the latter cannot be read, the answer has a warning and the rest.
func (l *Local) Querier(mint, maxt int64) (storage.Querier, error) {
	here, err := l.db.Querier(mint, maxt)
	if err != nil || l.beside == nil {
		return here, err
	}
	there, err := l.beside.Querier(mint, maxt)
	if err != nil {
		return nil, errors.Join(err, here.Close())
	}
	return storage.NewMergeQuerier([]storage.Querier{here, there}, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements [storage.ChunkQueryable], of what is here.
func (l *Local) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	return l.db.ChunkQuerier(mint, maxt)
}

// DB returns the database itself, for the parts of Prometheus that want one:
// its HTTP API, its rules manager.
func (l *Local) DB() *tsdb.DB { return l.db }

// Engine returns the PromQL engine.
func (l *Local) Engine() *promql.Engine { return l.engine }

// Query implements [series.Querier].
func (l *Local) Query(ctx context.Context, expr string, r series.Range) ([]series.Series, error) {
	q, err := l.newQuery(ctx, expr, r)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	defer q.Close()

	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, fmt.Errorf("query %q over %v: %w", expr, r, res.Err)
	}
	out, err := convert(res.Value, r)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	return out, nil
}

func (l *Local) newQuery(ctx context.Context, expr string, r series.Range) (promql.Query, error) {
	if r.Step <= 0 {
		return l.engine.NewInstantQuery(ctx, l, nil, expr, r.To)
	}
	return l.engine.NewRangeQuery(ctx, l, nil, expr, r.From, r.To, r.Step)
}

// convert turns a PromQL value into series over r, in the order of their labels.
func convert(v parser.Value, r series.Range) ([]series.Series, error) {
	var out []series.Series
	add := func(m labels.Labels, fill func(values []float64)) {
		s := series.Series{Labels: m.Map(), Start: r.From, Step: r.Step, Values: make([]float64, r.Len())}
		for i := range s.Values {
			s.Values[i] = math.NaN()
		}
		fill(s.Values)
		out = append(out, s)
	}
	switch v := v.(type) {
	case promql.Matrix:
		for _, s := range v {
			add(s.Metric, func(values []float64) {
				for _, f := range s.Floats {
					if i := int((f.T - r.From.UnixMilli()) / r.Step.Milliseconds()); i >= 0 && i < len(values) {
						values[i] = f.F
					}
				}
			})
		}
	case promql.Vector:
		for _, s := range v {
			add(s.Metric, func(values []float64) { values[0] = s.F })
		}
	case promql.Scalar:
		add(labels.EmptyLabels(), func(values []float64) { values[0] = v.V })
	default:
		return nil, fmt.Errorf("its result is a %s, which is not a series", v.Type())
	}
	slices.SortFunc(out, func(a, b series.Series) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// A Filler writes one block of past samples straight into a store's directory,
// past its write-ahead log and its tap.
type Filler struct {
	w   *tsdb.BlockWriter
	app storage.Appender
	n   int
}

// maxFillBatch is how many samples a filler holds before it commits.
const maxFillBatch = 100_000

// Fill returns a filler for samples from from until to. The block is in the
// store after Close, within seconds.
func (l *Local) Fill(ctx context.Context, from, to time.Time) (*Filler, error) {
	w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), l.db.Dir(), to.Sub(from).Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("fill store %s: %w", filepath.Base(l.db.Dir()), err)
	}
	return &Filler{w: w, app: w.Appender(ctx)}, nil
}

// Append adds one sample. Samples of one series come in time order.
func (f *Filler) Append(ctx context.Context, lset labels.Labels, ms int64, value float64) error {
	if _, err := f.app.Append(0, lset, ms, value); err != nil {
		return fmt.Errorf("fill %s: %w", lset, err)
	}
	if f.n++; f.n%maxFillBatch == 0 {
		if err := f.app.Commit(); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
		f.app = f.w.Appender(ctx)
	}
	return nil
}

// Close writes the block. A block without samples is not written.
func (f *Filler) Close(ctx context.Context) error {
	if err := f.app.Commit(); err != nil {
		return errors.Join(fmt.Errorf("fill: %w", err), f.w.Close())
	}
	if f.n == 0 {
		return f.w.Close()
	}
	if _, err := f.w.Flush(ctx); err != nil {
		return errors.Join(fmt.Errorf("write block: %w", err), f.w.Close())
	}
	return f.w.Close()
}

// LabelValues returns the values that label has now, in order.
func (l *Local) LabelValues(ctx context.Context, label string, now time.Time) ([]string, error) {
	q, err := l.Querier(now.Add(-recent).UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("values of label %s: %w", label, err)
	}
	vs, _, err := q.LabelValues(ctx, label, nil)
	if err != nil {
		err = fmt.Errorf("values of label %s: %w", label, err)
	}
	return vs, errors.Join(err, q.Close())
}
