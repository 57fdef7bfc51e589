package scale

import (
	"fmt"
	"math"
)

// A Replay is what a pool would have come to over some days, by each policy.
type Replay struct {
	Days        float64 `json:"days"`
	Reactive    Run     `json:"reactive"`    // units by the demand of the moment
	Headroom    Run     `json:"headroom"`    // the same with the fullest units that keep the objective, known only afterwards
	Fill        float64 `json:"fill"`        // how full those are
	Predictive  Run     `json:"predictive"`  // as advised
	Clairvoyant Run     `json:"clairvoyant"` // by the demand that came
	Least       int     `json:"least"`       // unit-minutes if units came and went at once
}

// Times returns what a run cost in multiples of the least.
func (r Replay) Times(run Run) float64 { return float64(run.UnitMinutes) / float64(r.Least) }

func (r *Replay) byPolicy() map[string]Run {
	return map[string]Run{"reactive": r.Reactive, "headroom": r.Headroom, "predictive": r.Predictive, "clairvoyant": r.Clairvoyant}
}

// sentence says what a replay shows, for who has to decide.
func (r *Replay) sentence() string {
	of := func(run Run) string {
		return fmt.Sprintf("%.2f times the least unit-hours with %.2f %% of the minutes overloaded", r.Times(run), 100*run.Overload())
	}
	return fmt.Sprintf("; the last %.1f days replayed: as advised %s, by the demand of the moment %s, the same with units %.0f %% full %s, and with tomorrow known %s",
		r.Days, of(r.Predictive), of(r.Reactive), 100*r.Fill, of(r.Headroom), of(r.Clairvoyant))
}

// Replay runs the pool through the last days of its demand, as many as are
// there. Each day's forecasts, and how certain they should be, come from what
// was known before that day.
func (s *Study) Replay(days int) Replay {
	n := len(s.demand)
	from := max(0, n-days*day)
	demand := s.demand[from:]
	r := Replay{Days: float64(n-from) / day, Least: s.pool.Least(demand), Reactive: s.pool.Reactive(demand, 1), Clairvoyant: s.pool.Clairvoyant(demand)}
	r.Headroom, r.Fill = s.headroom(demand)
	level := 0
	r.Predictive = s.pool.Simulate(demand, func(at int) int {
		if at%day == 0 {
			level = s.level(from + at)
		}
		return s.wanted(from+at, level)
	})
	return r
}

// finestFill is how closely the fullest units are sought: one unit more or less
// of a hundred.
const finestFill = 0.01

// headroom returns the cheapest run of a reactive pool that keeps the
// objective, and how full its units are; that of the emptiest units where none does.
func (s *Study) headroom(demand []float64) (Run, float64) {
	best, fill := Run{UnitMinutes: math.MaxInt}, 0.0
	var r Run
	f := 1.0
	for ; f > 0.3; f -= finestFill {
		r = s.pool.Reactive(demand, f)
		if r.Overload() <= s.slo && r.UnitMinutes < best.UnitMinutes {
			best, fill = r, f
		}
	}
	if fill == 0 {
		return r, f
	}
	return best, fill
}

// level returns which of the levels would have been the cheapest to keep the
// objective in the week up to minute now; the highest where none would.
func (s *Study) level(now int) int {
	from := max(0, now-judged)
	for from < now && !s.trust(from).OK {
		from++ // nothing was added, whatever the level
	}
	if now-from < fewestJudged {
		return usualLevel
	}
	for l := range levels {
		run := s.pool.Simulate(s.demand[from:now], func(at int) int { return s.wanted(from+at, l) })
		if run.Overload() <= s.slo {
			return l
		}
	}
	return len(levels) - 1
}
