// Package dcgm reads GPUs through NVIDIA's DCGM library, under the names and
// labels that dcgm-exporter gives its series. It is the one place where the
// agent meets DCGM; who owns which pod, and what a reading means, is left to others.
//
// What a reader would get wrong: a call into the library has no deadline, and
// on a node whose driver hangs it does not return. So calls are made one after
// the other by a goroutine that [Source.Collect] does not wait for beyond its
// patience; while one hangs, Collect says which, and the rest of the agent goes on.
package dcgm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// Lost says whether a GPU that was there no longer answers: 1 or 0, with the
// labels Hostname, gpu and UUID.
const Lost catalog.ID = "vedette_gpu_lost"

// A Config says which DCGM to read, and how.
type Config struct {
	// Address is host:port of a running host engine, or the absolute path of
	// its socket; empty starts an engine inside this process.
	Address string

	Node     string           // the name of this node
	HostName string           // the label that holds it; "" is Hostname, as dcgm-exporter had it before 4.6
	Every    time.Duration    // how often the engine samples; 0 is 10 s
	Patience time.Duration    // how long a Collect may take; 0 is 3 s
	Now      func() time.Time // nil is time.Now

	// Warn is told, once each, what this DCGM cannot give; it may be nil.
	Warn func(error)
}

// A Source reads the GPUs of one node. Use [Open]. A process has room for one.
type Source struct {
	conf   Config
	fields []field

	engine                *engine   // nil while there is no connection; owned by the look in flight
	values                reader    // of the newest readings; likewise
	points                int       // how many the last look had
	heardXids, heardSXids time.Time // up to when they were read
	known                 map[uint]*gpu
	warned                map[string]bool

	mu         sync.Mutex
	busy       bool      // a look is in flight
	doing      string    // its step
	since      time.Time // when it began
	events     []collector.Event
	violations map[violation]float64
	next       []field // to read from the next look on; nil is as before
}

var _ collector.Source = (*Source)(nil)

// Open returns a source. It only looks for the library: an error wraps
// [ErrNoLibrary], and may go away when the driver is installed. The engine is
// started, or connected to, by the first Collect, and again by a later one
// whenever it has gone away.
func Open(c Config) (*Source, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if c.Every == 0 {
		c.Every = 10 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 3 * time.Second
	}
	if c.HostName == "" {
		c.HostName = "Hostname"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{conf: c, fields: builtinFields(), known: map[uint]*gpu{}, warned: map[string]bool{}, violations: map[violation]float64{}}, nil
}

// Collect returns the newest readings of every GPU that answers, and an error
// about what could not be read. It returns within the configured patience even
// where DCGM does not, and the readings of a look that took longer are given up;
// its events are not.
func (s *Source) Collect(ctx context.Context) (collector.Batch, error) {
	var b collector.Batch
	err := s.do(ctx, func() (err error) {
		b.Points, err = s.look()
		return err
	})
	if _, hung := err.(*hangError); hung {
		return collector.Batch{}, err // b belongs to the look
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Events, s.events = s.events, nil
	return b, err
}

// Close stops the engine, or leaves it. It does not wait for one that hangs.
func (s *Source) Close() error {
	return s.do(context.Background(), func() error {
		s.disconnect()
		s.values.close()
		return nil
	})
}

// A hangError says that DCGM has not come back.
type hangError struct {
	doing string
	took  time.Duration
}

func (e *hangError) Error() string {
	// In seconds whatever they are: the same words for the same trouble.
	return fmt.Sprintf("dcgm: %s: no answer after %.1f s: the driver or the host engine hangs", e.doing, e.took.Seconds())
}

// do runs f, which may call DCGM, unless an earlier one still runs. It returns
// a [hangError] when f takes longer than its patience; f then goes on.
func (s *Source) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	if s.busy {
		err := &hangError{s.doing, s.conf.Now().Sub(s.since)}
		s.mu.Unlock()
		return err
	}
	s.busy, s.since = true, s.conf.Now()
	s.mu.Unlock()

	done := make(chan error, 1)
	go func() {
		err := f()
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
		done <- err
	}()

	ctx, cancel := context.WithTimeout(ctx, s.conf.Patience)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		return &hangError{s.doing, s.conf.Now().Sub(s.since)}
	}
}

// step notes what the look is about to do, for a hangError.
func (s *Source) step(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = fmt.Sprintf(format, args...)
}

// warn tells of what cannot be had, unless it has been told.
func (s *Source) warn(err error) {
	if s.conf.Warn == nil || s.warned[err.Error()] {
		return
	}
	s.warned[err.Error()] = true
	s.conf.Warn(err)
}
