package forecast

import "math"

// holtWinters is exponential smoothing of a level, a damped slope and an
// additive season. One pass over the past with each of a few weights keeps the
// state of every moment, from which any moment is carried on.
type holtWinters struct {
	c     *cycle
	steps [len(levelWeights)]smoothed
}

type smoothed struct{ level, slope, season, error []float64 }

// The weights of the newest value in the level; at each moment the one counts
// that has been closest of late. Those of slope and season matter little on
// request rates, and are those of a study of them.
var levelWeights = [...]float64{0.15, 0.35, 0.6}

const (
	slopeWeight, seasonWeight, damping = 0.03, 0.15, 0.9

	// The error of a step counts for a third less after a day of five minutes.
	errorWeight = 1.0 / 700
)

func newHoltWinters(c *cycle) *holtWinters {
	hw := &holtWinters{c: c}
	for k, alpha := range levelWeights {
		hw.steps[k] = smooth(c, alpha)
	}
	return hw
}

func smooth(c *cycle, alpha float64) smoothed {
	n := len(c.past)
	s := smoothed{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)}
	// The first cycle is the first season, about its mean.
	mean, k := 0.0, 0.0
	for _, v := range c.past[:c.season] {
		if !math.IsNaN(v) {
			mean, k = mean+v, k+1
		}
	}
	level, slope, lost, calm := mean/max(k, 1), 0.0, 0.0, calmer{window: c.season}
	for i, v := range c.past {
		season := 0.0
		if i >= c.season {
			season = s.season[i-c.season]
		} else if !math.IsNaN(v) {
			season = v - level
		}
		if i >= c.season {
			onward := level + damping*slope
			miss := v - onward - season
			if math.IsNaN(miss) {
				miss = 0
			}
			lost += errorWeight * (math.Abs(miss) - lost)
			followed, bounded := calm.next(miss)
			before := level
			level = onward + alpha*followed
			slope = damping*slope + slopeWeight*(level-before-damping*slope)
			season += seasonWeight * (1 - alpha) * bounded
		}
		s.level[i], s.slope[i], s.season[i], s.error[i] = level, slope, season, lost
	}
	return s
}

func (hw *holtWinters) ahead(at int, out []float64) {
	if at <= hw.c.season {
		hw.c.before(at, out)
		return
	}
	best := 0
	for k := range hw.steps {
		if hw.steps[k].error[at-1] < hw.steps[best].error[at-1] {
			best = k
		}
	}
	s := hw.steps[best]
	level, slope := s.level[at-1], s.slope[at-1]
	for h := range out {
		slope *= damping
		level += slope
		out[h] = level
		if i := hw.c.last(at+h, at); i >= 0 {
			out[h] += s.season[i]
		}
	}
}
