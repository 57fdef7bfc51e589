package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/collector/spool"
)

// A server takes batches, unless err says why not.
type server struct {
	err error
	got []string
}

func (s *server) Push(_ context.Context, b collector.Batch) error {
	if s.err != nil {
		return s.err
	}
	s.got = append(s.got, b.Events[0].Text)
	return nil
}

var away = errors.New("connection refused")

func batch(n int) collector.Batch {
	at := time.Unix(int64(n), 0).UTC()
	return collector.Batch{
		Points: []collector.Point{{Metric: "m", Counter: true, Value: float64(n), At: at, Attrs: []collector.Attr{{Key: "gpu", Value: "0"}}}, {Metric: "m2", At: at}},
		Events: []collector.Event{{Kind: collector.KernelLine, At: at, Text: fmt.Sprint(n)}},
	}
}

func open(t *testing.T, path string, max int64, s collector.Sink) *spool.Queue {
	t.Helper()
	q, err := spool.Open(path, max)
	if err != nil {
		t.Fatal(err)
	}
	q.Sink, q.Node = s, "n"
	t.Cleanup(func() { q.Close() })
	return q
}

func push(t *testing.T, q *spool.Queue, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := q.Push(t.Context(), batch(n)); err != nil {
			t.Fatalf("push %d: %v", n, err)
		}
	}
}

// state returns the bytes that wait and how much was dropped.
func state(t *testing.T, q *spool.Queue) (waiting, dropped float64) {
	t.Helper()
	b, err := q.Collect(t.Context())
	if err != nil || len(b.Points) != 2 {
		t.Fatalf("the queue says %v, %v", b, err)
	}
	return b.Points[0].Value, b.Points[1].Value
}

// A server that is away for an hour and an agent that is restarted meanwhile
// lose nothing, double nothing, and change no order.
func TestOutageAndRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "queue.db")
	s := &server{}
	q := open(t, path, 0, s)
	var tried []error
	q.Tried = func(_ context.Context, err error) { tried = append(tried, err) }
	push(t, q, 1, 3)
	s.err = away
	push(t, q, 4, 120)
	if waiting, _ := state(t, q); waiting == 0 || !errors.Is(tried[len(tried)-1], away) {
		t.Errorf("%v bytes wait, the last try came to %v", waiting, tried[len(tried)-1])
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, path, 0, s)
	push(t, q, 121, 240)
	s.err = nil
	push(t, q, 241, 242)

	var want []string
	for n := range 242 {
		want = append(want, fmt.Sprint(n+1))
	}
	if diff := cmp.Diff(want, s.got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if waiting, dropped := state(t, q); waiting != 0 || dropped != 0 {
		t.Errorf("%v bytes wait and %v were dropped, want none", waiting, dropped)
	}
}

// What a killed agent had put on disk is there: here, its file as it was.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s := &server{err: away}
	q := open(t, filepath.Join(dir, "queue.db"), 0, s)
	push(t, q, 1, 5)
	data, err := os.ReadFile(filepath.Join(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "copy.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = &server{}
	q = open(t, filepath.Join(dir, "copy.db"), 0, s)
	push(t, q, 6, 6)
	if got := strings.Join(s.got, " "); got != "1 2 3 4 5 6" {
		t.Errorf("delivered %s", got)
	}
}

// A batch comes out as it went in.
func TestRoundTrip(t *testing.T) {
	var got collector.Batch
	q := open(t, filepath.Join(t.TempDir(), "q"), 0, sinkFunc(func(b collector.Batch) error { got = b; return nil }))
	push(t, q, 7, 7)
	if diff := cmp.Diff(batch(7), got); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
}

type sinkFunc func(collector.Batch) error

func (f sinkFunc) Push(_ context.Context, b collector.Batch) error { return f(b) }

// Without room the oldest go, and are counted.
func TestBound(t *testing.T) {
	s := &server{err: away}
	path := filepath.Join(t.TempDir(), "q")
	q := open(t, path, 0, s)
	push(t, q, 1, 1)
	one, _ := state(t, q)
	q.Close()
	q = open(t, path, int64(10*one+one/2), s)
	push(t, q, 2, 100)
	waiting, dropped := state(t, q)
	if waiting > 10.5*one || dropped < 3*88 || dropped > 3*91 {
		t.Errorf("%v bytes wait, at most %v may; %v points and events were dropped, want some 270", waiting, 10.5*one, dropped)
	}
	s.err = nil
	push(t, q, 101, 101)
	if n := len(s.got); n < 9 || s.got[n-1] != "101" || s.got[n-2] != "100" {
		t.Errorf("delivered %v, want the newest ten or so", s.got)
	}
}

// What is refused for good does not hold up the rest.
func TestRefused(t *testing.T) {
	s := &server{err: away}
	q := open(t, filepath.Join(t.TempDir(), "q"), 0, s)
	push(t, q, 1, 2)
	var told []error
	q.Tried = func(_ context.Context, err error) { told = append(told, err) }
	s.err = fmt.Errorf("too old: %w", collector.ErrRefused)
	push(t, q, 3, 3)
	if waiting, _ := state(t, q); waiting != 0 || len(told) != 1 || !errors.Is(told[0], collector.ErrRefused) {
		t.Errorf("%v bytes wait, told %v; want none, and why", waiting, told)
	}
}

// Delivery ends with the context; the rest waits.
func TestNoTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	q := open(t, filepath.Join(t.TempDir(), "q"), 0, &server{err: away})
	push(t, q, 1, 5)
	q.Sink = sinkFunc(func(collector.Batch) error {
		if n++; n == 2 {
			cancel()
		}
		return nil
	})
	if err := q.Push(ctx, batch(6)); err != nil {
		t.Errorf("the batch is safe: %v", err)
	}
	if waiting, _ := state(t, q); n != 2 || waiting == 0 {
		t.Errorf("%d delivered and %v bytes wait, want 2 and the rest", n, waiting)
	}
}

// A file that lost its end, as a crash of the machine may leave it.
func TestCutShort(t *testing.T) {
	dir := t.TempDir()
	q := open(t, filepath.Join(dir, "whole"), 0, &server{err: away})
	push(t, q, 1, 400)
	q.Close()
	data, err := os.ReadFile(filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 100, 4096, 8192, 20_000, len(data) / 2, len(data) - 4096} {
		path := filepath.Join(dir, fmt.Sprint(size))
		if err := os.WriteFile(path, data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := spool.Open(path, 0)
		if err != nil && !errors.Is(err, spool.ErrDamaged) || q == nil {
			t.Errorf("cut to %d of %d bytes: %v", size, len(data), err)
			continue
		}
		s := &server{}
		q.Sink = s
		push(t, q, 500, 500)
		if n := len(s.got); n == 0 || s.got[n-1] != "500" {
			t.Errorf("cut to %d bytes: delivered %d batches", size, n)
		}
		q.Close()
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "q")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := spool.Open(path, 0)
	if !errors.Is(err, spool.ErrDamaged) || q == nil {
		t.Fatalf("a damaged file: %v, %v; want a queue and why", q, err)
	}
	defer q.Close()
	s := &server{}
	q.Sink = s
	push(t, q, 1, 1)
	if _, err := os.Stat(path + ".damaged"); err != nil || len(s.got) != 1 {
		t.Errorf("put aside: %v, delivered %v", err, s.got)
	}
	if _, err := spool.Open(path, 0); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("a file that is in use: %v", err)
	}
	if _, err := spool.Open(filepath.Join(path, "below", "q"), 0); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a directory that cannot be: %v", err)
	}
}

// Where the disk takes nothing, batches go straight to the sink.
func TestDiskTakesNothing(t *testing.T) {
	s := &server{}
	q := open(t, filepath.Join(t.TempDir(), "q"), 0, s)
	q.Close() // from now on every write fails
	push(t, q, 1, 2)
	if got := strings.Join(s.got, " "); got != "1 2" {
		t.Errorf("delivered %s", got)
	}
	s.err = away
	if err := q.Push(t.Context(), batch(3)); !errors.Is(err, away) {
		t.Errorf("a batch that is nowhere: %v, want why", err)
	}
}
