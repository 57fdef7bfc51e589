package forecast

import (
	"fmt"
	"math"
	"time"

	"vedette.dev/analyzer/series"
)

// Crossing returns when a forecast reaches limit, from below where rising and
// from above where not: by its median, and the earliest and latest by its
// 10 % and 90 % quantiles. A time beyond the horizon is zero. reached is
// whether the median gets there.
func Crossing(f Forecast, limit float64, rising bool) (median, earliest, latest time.Time, reached bool) {
	first := func(level float64) time.Time {
		if !rising {
			level = 1 - level
		}
		vs, _ := f.Quantile(level)
		for i, v := range vs {
			if rising && v >= limit || !rising && v <= limit {
				return f.At(i)
			}
		}
		return time.Time{}
	}
	median = first(0.5)
	return median, first(0.9), first(0.1), !median.IsZero()
}

// A Record says how often forecasts held.
type Record struct{ Held, Of int }

// String is "7 of the last 9", or why there is no record.
func (r Record) String() string {
	if r.Of == 0 {
		return "never tried: too little history"
	}
	return fmt.Sprintf("%d of the last %d", r.Held, r.Of)
}

// most is how many past forecasts a record looks at.
const most = 9

// Held forecasts s from up to nine moments of its own past, each a horizon
// before the next, as it would have been known then, and counts how often the
// value at the end of the horizon lay between the 5 % and the 95 % quantile.
// A moment with less than two horizons of past, or with no value at the end, is left out.
func Held(s series.Series, horizon int, o Options) Record {
	var r Record
	if horizon < 1 {
		return r
	}
	for end := len(s.Values); r.Of < most; end -= horizon {
		known := end - horizon
		if known < max(2*horizon, 2) {
			return r
		}
		actual := s.Values[end-1]
		if math.IsNaN(actual) || math.IsNaN(s.Values[known-1]) {
			continue
		}
		f, err := Make(series.Series{Labels: s.Labels, Start: s.Start, Step: s.Step, Values: s.Values[:known]}, horizon, o)
		if err != nil {
			continue // too few values before: no forecast would have been made
		}
		r.Of++
		low, high := f.Quantiles[0][horizon-1], f.Quantiles[len(Levels)-1][horizon-1]
		if slack := 1e-9 * math.Abs(actual); actual >= low-slack && actual <= high+slack {
			r.Held++
		}
	}
	return r
}
