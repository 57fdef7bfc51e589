package scale

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/series"
)

// A Spec is a pool that somebody wants advice on.
type Spec struct {
	Pool
	Name      string
	Demand    string        // PromQL that comes to one series
	Objective float64       // share of minutes in which it may be overloaded
	Pods      string        // PromQL matchers of its pods, whose starts are measured; "" measures none
	BootTime  time.Duration // as somebody knows it; 0 is measured
	USD       float64       // what a unit costs an hour; 0 is not known
	Target    *Target       // what is changed; nil advises only
}

// A State is what is known of a pool.
type State struct {
	Name      string   `json:"name"`
	Objective float64  `json:"objective"`
	Boot      Boot     `json:"boot"`
	Advice    *Advice  `json:"advice,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	USD       float64  `json:"usdPerUnitHour,omitempty"`
	Replay    *Replay  `json:"replay,omitempty"` // of the last days
	Early     *Early   `json:"early,omitempty"`  // what became of what forecasts added in them; nil where nothing is changed
	Gaps      []string `json:"gaps,omitempty"`   // what could not be found out, and why
}

// A Desk advises on pools, and proposes what follows to the ledger.
type Desk struct {
	Querier series.Querier
	Pools   []Spec
	Ledger  *action.Ledger // nil proposes nothing

	mu      sync.Mutex
	pasts   map[string]series.Series
	boots   map[string]Boot
	advised map[string]time.Time // when there was advice on a pool last
	states  []State
	next    chan struct{} // closed by the next tick
}

// Every is how often a desk is to tick: a decision counts until the next.
const Every = time.Minute

// replayed is how many days a replay goes back: each day of the week once.
const replayed = 7

// States returns what was known of the pools at the last tick.
func (d *Desk) States() []State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.states)
}

// State returns what was known of a pool at the last tick. It reports false
// for one that there is not, or before the first tick.
func (d *Desk) State(name string) (State, bool) {
	for _, s := range d.States() {
		if s.Name == name {
			return s, true
		}
	}
	return State{}, false
}

// Next returns a channel that is closed when the next tick is done.
func (d *Desk) Next() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == nil {
		d.next = make(chan struct{})
	}
	return d.next
}

// Tick looks at every pool and proposes what its forecast asks for. A pool that
// cannot be read does not keep it from the others: the error says which.
func (d *Desk) Tick(ctx context.Context, now time.Time) error {
	var errs []error
	var states []State
	for _, spec := range d.Pools {
		s, err := d.look(ctx, spec, now)
		if spec.Target != nil && d.Ledger != nil {
			err = errors.Join(err, d.follow(ctx, spec, &s, err, now))
		}
		if err != nil {
			s.Gaps = append(s.Gaps, err.Error())
			errs = append(errs, fmt.Errorf("pool %s: %w", spec.Name, err))
		}
		states = append(states, s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states = states
	if d.next != nil {
		close(d.next)
		d.next = nil
	}
	return errors.Join(errs...)
}

// follow has the target of a pool follow what is known of it, or of what keeps
// it from being known, and says what became of what was added before.
func (d *Desk) follow(ctx context.Context, spec Spec, s *State, blind error, now time.Time) error {
	d.mu.Lock()
	if d.advised == nil {
		d.advised = map[string]time.Time{}
	}
	if blind == nil {
		d.advised[spec.Name] = now
	}
	last, past := d.advised[spec.Name], d.pasts[spec.Name]
	d.mu.Unlock()
	var err error
	if blind == nil {
		err = propose(ctx, d.Ledger, spec, *s, now)
	} else {
		err = release(ctx, d.Ledger, spec, *s, last, blind, now)
	}
	from := max(0, len(past.Values)-replayed*day)
	cs, unread := changes(ctx, d.Ledger, spec.Target, past.At(from))
	if unread != nil {
		return errors.Join(err, unread)
	}
	e := early(spec.Pool, past.Values[from:], spec.Target.Whole, cs)
	e.USD = e.Hours * spec.USD
	s.Early = &e
	return err
}

func (d *Desk) look(ctx context.Context, spec Spec, now time.Time) (State, error) {
	s := State{Name: spec.Name, Objective: spec.Objective, USD: spec.USD}
	var err error
	if s.Boot, err = d.boot(ctx, spec, now); err != nil {
		s.Gaps = append(s.Gaps, err.Error()) // the usual time will do
	}
	demand, err := d.past(ctx, spec, now)
	if err != nil {
		return s, err
	}
	p := spec.Pool
	p.Boot = s.Boot.minutes()
	study, err := Look(demand, p, spec.Objective)
	if err != nil {
		return s, err
	}
	a, err := study.Advise()
	if err != nil {
		return s, err
	}
	r := study.Replay(replayed)
	s.Advice, s.Reason, s.Replay = &a, a.Reason(), &r
	return s, nil
}

// boot measures once an hour: starts are rare, and reading them is not free.
// What is not known yet is looked for each time.
func (d *Desk) boot(ctx context.Context, spec Spec, now time.Time) (Boot, error) {
	if spec.BootTime > 0 {
		return Boot{Time: spec.BootTime, Evidence: "the configuration says so"}, nil
	}
	if spec.Pods == "" {
		b := MeasureBoot(nil)
		b.Evidence = "no pods are named to measure it on: " + usualBoot.String() + " is what inference on a new GPU node usually takes"
		return b, nil
	}
	d.mu.Lock()
	b, known := d.boots[spec.Name]
	d.mu.Unlock()
	if known && b.Measured && now.Sub(b.at) < time.Hour {
		return b, nil
	}
	seen, source, err := starts(ctx, d.Querier, spec.Pods, now)
	b = MeasureBoot(seen)
	b.Source, b.at = source, now
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.boots == nil {
		d.boots = map[string]Boot{}
	}
	d.boots[spec.Name] = b
	return b, err
}

// past returns the demand of a pool up to now, of which only what is new is asked for.
func (d *Desk) past(ctx context.Context, spec Spec, now time.Time) (series.Series, error) {
	now = now.Truncate(time.Minute)
	d.mu.Lock()
	s := d.pasts[spec.Name]
	d.mu.Unlock()
	next := s.At(len(s.Values))
	if len(s.Values) == 0 || next.Before(now.Add(-Past)) {
		next = now.Add(-Past).Add(time.Minute)
		s = series.Series{Start: next, Step: time.Minute}
	}
	// A day at a time: a Prometheus answers with 11,000 points at most.
	for !next.After(now) {
		r := series.Range{From: next, To: next.Add(23*time.Hour + 59*time.Minute), Step: time.Minute}
		if r.To.After(now) {
			r.To = now
		}
		found, err := d.Querier.Query(ctx, spec.Demand, r)
		if err != nil {
			return s, fmt.Errorf("read the demand: %w", err)
		}
		if len(found) > 1 {
			return s, fmt.Errorf("read the demand: %s comes to %d series, want one: sum it up", spec.Demand, len(found))
		}
		values := unknown(r.Len())
		if len(found) == 1 {
			values = found[0].Values
		}
		s.Values = append(slices.Clip(s.Values), values...)
		next = r.To.Add(time.Minute)
	}
	if over := len(s.Values) - int(Past.Minutes()); over > 0 {
		s.Start, s.Values = s.At(over), s.Values[over:]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pasts == nil {
		d.pasts = map[string]series.Series{}
	}
	d.pasts[spec.Name] = s
	return s, nil
}

// A Sample is one value of a metric about a pool.
type Sample struct {
	Metric string
	Labels map[string]string
	Value  float64
}

// Samples returns what is known of the pools as metrics. What is not known is
// not among them.
func (d *Desk) Samples() []Sample {
	var out []Sample
	for _, s := range d.States() {
		add := func(metric string, v float64, more ...string) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
			l := map[string]string{"pool": s.Name}
			for i := 0; i+1 < len(more); i += 2 {
				l[more[i]] = more[i+1]
			}
			out = append(out, Sample{metric, l, v})
		}
		add("vedette_pool_boot_seconds", s.Boot.Time.Seconds())
		if e := s.Early; e != nil {
			add("vedette_early_units", float64(e.Now))
			add("vedette_early_units_judged", float64(e.Needed), "outcome", "needed")
			add("vedette_early_units_judged", float64(e.Units-e.Needed), "outcome", "not needed")
		}
		if s.USD > 0 {
			add("vedette_pool_unit_usd", s.USD)
		}
		a := s.Advice
		if a == nil {
			continue
		}
		add("vedette_recommended_replicas", float64(a.Units))
		add("vedette_added_replicas", float64(a.Added()))
		add("vedette_forecast_trusted", count(a.Trust.OK))
		if a.Level > 0 {
			add("vedette_forecast_demand", a.Median, "quantile", "0.5")
			add("vedette_forecast_demand", a.Need, "quantile", fmt.Sprintf("%g", a.Level))
		}
		for policy, run := range s.Replay.byPolicy() {
			add("vedette_replay_overload_ratio", run.Overload(), "policy", policy)
			add("vedette_replay_cost_ratio", s.Replay.Times(run), "policy", policy)
		}
	}
	return out
}

func count(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
