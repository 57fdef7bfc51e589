// Package spool keeps batches on disk until a sink has taken them: over a
// restart of the agent, over a server that is away. It is a queue in one
// bbolt file, bounded, the oldest given up first and counted.
//
// What a reader would get wrong: a batch may be sent twice, when the agent is
// killed between the sending and the forgetting. Nothing is doubled by it: a
// sample is what it was at its time, and an event says when and what it is.
package spool

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// What the queue says of itself, with the label instance.
const (
	Waiting catalog.ID = "vedette_agent_queue_bytes"         // of batches that wait, as they are on disk
	Dropped catalog.ID = "vedette_agent_queue_dropped_total" // points and events that were given up for want of room
)

// DefaultMax holds a day of a node of 8 GPUs at 15 s, which is some 10 KiB a batch.
const DefaultMax = 64 << 20

// batches is the one bucket: by sequence number, the oldest first.
var batches = []byte("batches")

// A Queue is a queue in one file. Use [Open]. Push must not be called
// concurrently with itself.
type Queue struct {
	Node string // the value of the label instance
	Sink collector.Sink
	Now  func() time.Time

	// Tried is told how each attempt to deliver went; nil is well. It may be nil itself.
	Tried func(ctx context.Context, err error)

	db  *bbolt.DB
	max int64

	mu      sync.Mutex
	size    int64 // of all values
	dropped float64
}

var (
	_ collector.Sink   = (*Queue)(nil)
	_ collector.Source = (*Queue)(nil)
)

// ErrDamaged says that the file was none of ours, or broken. It was put aside
// under the name with ".damaged" behind it, and an empty one was made.
var ErrDamaged = errors.New("the queue's file was damaged and is put aside")

// Open opens the queue in the file at path, which holds at most max bytes of
// batches; 0 is [DefaultMax]. What an agent before left is delivered first.
// With an error that wraps [ErrDamaged] it returns a queue that works.
func Open(path string, max int64) (*Queue, error) {
	if max <= 0 {
		max = DefaultMax
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	q, err := open(path, max)
	if err == nil || errors.Is(err, errInUse) || errors.As(err, new(syscall.Errno)) {
		return q, err // good, or not the file's fault
	}
	if err := os.Rename(path, path+".damaged"); err != nil {
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	why := err
	if q, err = open(path, max); err != nil {
		return nil, err
	}
	return q, fmt.Errorf("%w: %w", ErrDamaged, why)
}

var errInUse = errors.New("another process has it open")

// open opens the file and reads all of it once: bbolt maps it into memory, and
// a part that is not there is a fault, here an error, later the agent's end.
func open(path string, max int64) (q *Queue, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if grief := recover(); grief != nil {
			q, err = nil, fmt.Errorf("open queue %s: %v", path, grief)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open queue %s: %w", path, errInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	q = &Queue{Now: time.Now, db: db, max: max}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(batches)
		if err != nil {
			return err
		}
		return b.ForEach(func(_, v []byte) error {
			q.size += int64(len(v))
			crc32.ChecksumIEEE(v) // touches every page
			return nil
		})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open queue %s: %w", path, err), db.Close())
	}
	return q, nil
}

// Close closes the file. What waits, waits for the next Open.
func (q *Queue) Close() error { return q.db.Close() }

// Push puts b at the end of the queue and then delivers what waits, the oldest
// first, until the sink fails or ctx ends. It returns nil when b is safe: on
// disk, or delivered where the disk takes nothing and nothing waits before it.
func (q *Queue) Push(ctx context.Context, b collector.Batch) error {
	if err := q.put(b); err != nil {
		err = fmt.Errorf("queue: %w", err)
		if q.empty() {
			if sent := q.Sink.Push(ctx, b); sent != nil {
				return errors.Join(err, sent)
			}
			return nil
		}
		q.tell(ctx, errors.Join(err, q.deliver(ctx)))
		return err
	}
	q.tell(ctx, q.deliver(ctx))
	return nil
}

func (q *Queue) tell(ctx context.Context, err error) {
	if q.Tried != nil {
		q.Tried(ctx, err)
	}
}

func (q *Queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size == 0
}

// put writes b, after giving up the oldest where there is no room.
func (q *Queue) put(b collector.Batch) error {
	data, err := encode(b)
	if err != nil {
		return err
	}
	freed, lost := int64(0), 0.0
	err = q.db.Update(func(tx *bbolt.Tx) error {
		freed, lost = 0, 0
		all := tx.Bucket(batches)
		c := all.Cursor()
		for k, v := c.First(); k != nil && q.bytes()-freed+int64(len(data)) > q.max; k, v = c.Next() {
			freed += int64(len(v))
			lost += count(v)
			if err := c.Delete(); err != nil {
				return err
			}
		}
		n, err := all.NextSequence()
		if err != nil {
			return err
		}
		return all.Put(binary.BigEndian.AppendUint64(nil, n), data)
	})
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size += int64(len(data)) - freed
	q.dropped += lost
	return nil
}

func (q *Queue) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// deliver hands batches to the sink until there are none, one is not taken, or
// ctx ends. What the sink refuses for good is forgotten, and part of the error.
func (q *Queue) deliver(ctx context.Context) error {
	var refused []error
	for ctx.Err() == nil {
		key, data, err := q.oldest()
		if err != nil || key == nil {
			return errors.Join(append(refused, err)...)
		}
		b, err := decode(data)
		if err == nil {
			err = q.Sink.Push(ctx, b)
			if err != nil && !errors.Is(err, collector.ErrRefused) {
				return errors.Join(append(refused, err)...)
			}
		}
		if err != nil {
			refused = append(refused, err)
		}
		if err := q.forget(key, len(data)); err != nil {
			return errors.Join(append(refused, err)...)
		}
	}
	return errors.Join(append(refused, ctx.Err())...)
}

func (q *Queue) oldest() (key, data []byte, err error) {
	err = q.db.View(func(tx *bbolt.Tx) error {
		k, v := tx.Bucket(batches).Cursor().First()
		key, data = bytes.Clone(k), bytes.Clone(v) // theirs only within the transaction
		return nil
	})
	return key, data, err
}

func (q *Queue) forget(key []byte, size int) error {
	if err := q.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(batches).Delete(key) }); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size -= int64(size)
	return nil
}

// Collect implements [collector.Source]: how much waits, and what was given up.
func (q *Queue) Collect(context.Context) (collector.Batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	attrs := []collector.Attr{{Key: "instance", Value: q.Node}}
	return collector.Batch{Points: []collector.Point{
		{Metric: Waiting, Value: float64(q.size), At: q.Now(), Attrs: attrs},
		{Metric: Dropped, Counter: true, Value: q.dropped, At: q.Now(), Attrs: attrs},
	}}, nil
}

// A value is how many points and events are in the batch, and then the batch.
func encode(b collector.Batch) ([]byte, error) {
	var buf bytes.Buffer
	buf.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b.Points)+len(b.Events))))
	z := gzip.NewWriter(&buf)
	if err := errors.Join(gob.NewEncoder(z).Encode(b), z.Close()); err != nil {
		return nil, fmt.Errorf("encode a batch: %w", err)
	}
	return buf.Bytes(), nil
}

func decode(data []byte) (collector.Batch, error) {
	var b collector.Batch
	if len(data) < 4 {
		return b, errors.New("a batch of the queue is cut short")
	}
	z, err := gzip.NewReader(bytes.NewReader(data[4:]))
	if err == nil {
		err = gob.NewDecoder(z).Decode(&b)
	}
	if err != nil {
		return b, fmt.Errorf("a batch of the queue cannot be read: %w", err)
	}
	return b, nil
}

func count(data []byte) float64 {
	if len(data) < 4 {
		return 0
	}
	return float64(binary.BigEndian.Uint32(data))
}
