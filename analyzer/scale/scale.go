// Package scale says how many units a pool should have by the time a unit
// ordered now could help: pods, or machines, that take minutes to come up.
//
// A [Study] of the pool's demand, a value a minute, is all there is to it. It
// is made anew from the past each time and keeps nothing: what is advised now
// and what a replay of last week says come from the same lines.
//
// What a reader would get wrong: prediction only adds. What the demand of the
// moment asks for is always met, the limits of the pool hold, and where the
// forecasts did badly on this very pool of late nothing is added, and the
// advice says so.
package scale

import (
	"fmt"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
)

const (
	minute = 1 // the unit of every int that is a time
	hour   = 60 * minute
	day    = 24 * hour
)

// Past is how much demand a [Study] makes use of: a week that is replayed, and
// what the forecasts of its first day learn from. More is not read.
const Past = 14 * 24 * time.Hour

const (
	// A forecast adds no more than demand asks for, or two units where that is
	// little, unless the pool says otherwise: one gone wrong then costs the pool
	// once more. At a quarter of it a pool that fills within its boot time is
	// overloaded in 1.25 % of the minutes instead of 0.39 % (mongo-01 of make bench-scale).
	stepShare, stepUnits = 1.0, 2

	// stale is how many minutes without demand end the advice: what was forecast
	// before them is half a boot old by then.
	stale = 5 * minute
)

// Advice is how many units a pool should have, and why.
type Advice struct {
	At        time.Time     `json:"at"`
	Demand    float64       `json:"demand"`    // the newest
	Median    float64       `json:"median"`    // of the highest demand within the horizon, as forecast
	Need      float64       `json:"need"`      // what that demand stays below, with a certainty of Level
	Level     float64       `json:"level"`     // found by replay to keep the pool's objective; 0 where there is no forecast
	Horizon   time.Duration `json:"horizon"`   // until a unit ordered now works
	Reactive  int           `json:"reactive"`  // units that the demand of the moment asks for
	Predicted int           `json:"predicted"` // units that Need asks for
	Units     int           `json:"units"`     // the recommendation
	Trust     Trust         `json:"trust"`
	Limits    []string      `json:"limits,omitempty"` // why Units is not Predicted, where it is not
}

// Added returns how many units there are because of the forecast.
func (a Advice) Added() int { return max(0, a.Units-a.Reactive) }

// Reason says why there should be so many units, in a sentence.
func (a Advice) Reason() string {
	s := fmt.Sprintf("demand is %.4g, which %d units meet; ", a.Demand, a.Reactive)
	if !a.Trust.OK {
		return s + "nothing is added: " + a.Trust.Why
	}
	s += fmt.Sprintf("within %s, when a unit ordered now would work, it stays below %.4g with %g %% certainty, which %d units meet", short(a.Horizon), a.Need, 100*a.Level, a.Predicted)
	for _, l := range a.Limits {
		s += "; " + l
	}
	return s
}

func short(d time.Duration) string { return fmt.Sprintf("%gm", math.Round(d.Minutes())) }

// Advise returns what the pool should have after the newest minute of its demand.
func (s *Study) Advise() (Advice, error) {
	now := len(s.demand) - 1
	for now >= 0 && math.IsNaN(s.demand[now]) {
		now--
	}
	if now < 0 {
		return Advice{}, fmt.Errorf("advise: there is no demand")
	}
	if age := len(s.demand) - 1 - now; age > stale {
		return Advice{}, fmt.Errorf("advise: the demand is not known for %d minutes", age)
	}
	level := s.level(now)
	l := levels[level]
	a := Advice{At: s.start.Add(time.Duration(now) * time.Minute), Demand: s.demand[now], Median: s.median[now], Need: s.need[level][now], Level: l,
		Horizon: time.Duration(s.reach()) * time.Minute, Trust: s.trust(now)}
	a.Reactive, a.Predicted = s.pool.units(a.Demand), s.pool.units(a.Need)
	a.Units = a.Reactive
	if math.IsNaN(a.Need) {
		a.Median, a.Need, a.Level = 0, 0, 0
	}
	if !a.Trust.OK {
		return a, nil
	}
	for at := max(0, now+1-hold); at <= now; at++ {
		a.Units = max(a.Units, s.wanted(at, level))
	}
	if step := s.pool.step(a.Reactive); a.Predicted > a.Reactive+step && a.Units < a.Predicted {
		a.Limits = append(a.Limits, fmt.Sprintf("a forecast adds no more than %d units to %d", step, a.Reactive))
	}
	if unbounded := (Pool{Capacity: s.pool.Capacity}).units(a.Need); s.pool.Max > 0 && unbounded > s.pool.Max {
		a.Limits = append(a.Limits, fmt.Sprintf("%d units are the most that the pool may have, %d would be needed", s.pool.Max, unbounded))
	}
	if a.Units > s.wanted(now, level) {
		a.Limits = append(a.Limits, fmt.Sprintf("%d were wanted within the last %d minutes and stay that long", a.Units, hold))
	}
	return a, nil
}

// wanted is the policy: the units for minute at, with the forecast of a level.
func (s *Study) wanted(at, level int) int {
	reactive := s.pool.units(s.demand[at])
	if !s.trust(at).OK {
		return reactive
	}
	return max(reactive, min(s.pool.units(s.need[level][at]), reactive+s.pool.step(reactive)))
}

// step is how many units a forecast may add to those that demand asks for.
func (p Pool) step(reactive int) int {
	if p.Step > 0 {
		return p.Step
	}
	return max(stepUnits, int(stepShare*float64(reactive)))
}

// minutely returns the values of a series whose step is a minute. An infinite
// one, as a division by nothing gives, is missing.
func minutely(s series.Series) ([]float64, error) {
	if s.Step != time.Minute {
		return nil, fmt.Errorf("study %s: its step is %s, want 1m", s, s.Step)
	}
	vs := slices.Clone(s.Values)
	for i, v := range vs {
		if math.IsInf(v, 0) {
			vs[i] = math.NaN()
		}
	}
	return vs, nil
}
