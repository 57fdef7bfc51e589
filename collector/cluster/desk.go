package cluster

import (
	"context"
	"time"

	"vedette.dev/collector"
)

const (
	// maxTold is how many events are handed on at once: some MiB, in one transaction.
	maxTold = 500
	// keepRetry is the wait before what could not be kept is handed on again.
	keepRetry = 5 * time.Second
)

// A desk carries what mirrors tell to whoever keeps it, in order. It holds
// few: a mirror waits, and with it its watch.
type desk struct {
	keep    func(context.Context, []collector.Event) error
	note    func(ctx context.Context, what string, err error)
	waiting chan collector.Event
	closed  <-chan struct{} // when nothing is carried any more
}

func newDesk(ctx context.Context, w *Watcher) *desk {
	return &desk{keep: w.Keep, note: w.note, waiting: make(chan collector.Event, maxTold), closed: ctx.Done()}
}

// put hands e on. After the end it is dropped: the next process tells it.
func (d *desk) put(e collector.Event) {
	select {
	case d.waiting <- e:
	case <-d.closed:
	}
}

// run carries until ctx ends.
func (d *desk) run(ctx context.Context) {
	var batch []collector.Event
	for {
		batch = batch[:0]
		select {
		case <-ctx.Done():
			return
		case e := <-d.waiting:
			batch = append(batch, e)
		}
		for more := true; more && len(batch) < maxTold; {
			select {
			case e := <-d.waiting:
				batch = append(batch, e)
			default:
				more = false
			}
		}
		for {
			err := d.keep(ctx, batch)
			d.note(ctx, "keeping what the API server tells", err)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(keepRetry):
			}
		}
	}
}
