package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// maxCommit bounds the samples that are held before a commit: some 10 MiB.
const maxCommit = 100_000

// A page is the series that a cluster has now, by what they are of. What is
// set is in the storage with the next write, and what is taken away ends there.
type page struct {
	store storage.Appendable

	mu    sync.Mutex
	fresh map[string][]sample // set since the last write

	// The writer's own.
	now   map[string][]sample
	ended []sample // not yet marked as ended
}

// set says that the series of key are now these, or none.
func (p *page) set(key string, ss []sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fresh == nil {
		p.fresh = map[string][]sample{}
	}
	p.fresh[key] = ss
}

// write stores every series at the time at. What could not be stored is told
// once and passed over; if nothing could be, what has ended is marked next time.
func (p *page) write(ctx context.Context, at time.Time) error {
	p.turn()
	b := &batch{store: p.store, ms: at.UnixMilli()}
	stale := math.Float64frombits(value.StaleNaN)
	for i := range p.ended {
		b.append(ctx, &p.ended[i], stale)
	}
	for _, ss := range p.now {
		for i := range ss {
			b.append(ctx, &ss[i], ss[i].v)
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(err, b.drop())
		}
	}
	if err := b.commit(); err != nil {
		return fmt.Errorf("write %d series: %w", b.all, err)
	}
	p.ended = nil
	if b.bad > 0 {
		return fmt.Errorf("%d of %d series were not taken, the first because: %w", b.bad, b.all, b.first)
	}
	return nil
}

// turn takes in what was set and finds what it ended.
func (p *page) turn() {
	p.mu.Lock()
	fresh := p.fresh
	p.fresh = nil
	p.mu.Unlock()

	if p.now == nil {
		p.now = map[string][]sample{}
	}
	for key, ss := range fresh {
		was := p.now[key]
		old := make(map[uint64]int, len(was))
		for i := range was {
			old[was[i].lset.Hash()] = i
		}
		for i := range ss {
			h := ss[i].lset.Hash()
			if j, ok := old[h]; ok {
				ss[i].ref = was[j].ref
				delete(old, h)
			}
		}
		for _, j := range old {
			p.ended = append(p.ended, was[j])
		}
		if ss == nil {
			delete(p.now, key)
			continue
		}
		p.now[key] = ss
	}
}

// A batch appends samples and commits them in parts.
type batch struct {
	store storage.Appendable
	ms    int64

	app       storage.Appender
	held      int
	all, bad  int
	first     error // why the first bad one is bad
	committed error
}

func (b *batch) append(ctx context.Context, s *sample, v float64) {
	if b.committed != nil {
		return
	}
	if b.app == nil {
		b.app = b.store.Appender(ctx)
	}
	b.all++
	ref, err := b.app.Append(s.ref, s.lset, b.ms, v)
	if err != nil {
		b.bad++
		if b.first == nil {
			b.first = fmt.Errorf("%s: %w", s.lset, err)
		}
		return
	}
	s.ref = ref
	if b.held++; b.held >= maxCommit {
		b.committed = b.commit()
	}
}

func (b *batch) commit() error {
	if b.committed != nil || b.app == nil {
		return b.committed
	}
	app := b.app
	b.app, b.held = nil, 0
	return app.Commit()
}

// drop gives up what is not committed.
func (b *batch) drop() error {
	if b.app == nil {
		return nil
	}
	return b.app.Rollback()
}
