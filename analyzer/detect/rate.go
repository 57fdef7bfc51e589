package detect

import (
	"math"

	"vedette.dev/analyzer"
)

// Rate shows a counter to a detector as its increase per second. A counter
// that falls was reset; how much of the time since it counted is not known, so
// that sample shows nothing.
type Rate[S any] struct{ Of analyzer.Detector[S] }

// RateState is what [Rate] remembers of one counter.
type RateState[S any] struct {
	Of   S
	last int64
	have bool
	from float64
	rate float64
}

// Observe implements [analyzer.Detector].
func (r Rate[S]) Observe(s *RateState[S], ms int64, value float64) analyzer.Score {
	rate := s.grown(ms, value)
	if math.IsNaN(rate) {
		return analyzer.Score{}
	}
	return r.Of.Observe(&s.Of, ms, rate)
}

// grown takes the counter's value and returns its rate per second, NaN where
// there is none to tell.
func (s *RateState[S]) grown(ms int64, value float64) float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) || s.have && ms <= s.last {
		return math.NaN()
	}
	had, grown, gap := s.have, value-s.from, float64(ms-s.last)/1000
	s.have, s.last, s.from = true, ms, value
	if !had || grown < 0 {
		return math.NaN()
	}
	s.rate = grown / gap
	return s.rate
}

// Last returns the newest rate per second.
func (r Rate[S]) Last(s *RateState[S]) float64 { return s.rate }
