package forecast

import (
	"fmt"
	"math"
	"time"
)

// A method carries a past on for n steps. The past ends with a value that is
// there, and has NaN where one is missing.
type method struct {
	name  string
	ahead func(past []float64, n int) []float64
}

// candidates returns the methods worth trying on a past, the last value first.
func candidates(past []float64, step time.Duration, o Options) []method {
	ms := []method{{"last value", lastValue}, {"trend", trend}}
	for _, season := range seasons(past, step, o) {
		name := time.Duration(season) * step
		ms = append(ms,
			method{fmt.Sprintf("the value of %s before", short(name)), seasonal(season)},
			method{fmt.Sprintf("profile of %s and level", short(name)), profile(season, 1)},
			method{fmt.Sprintf("profile of %s", short(name)), profile(season, fade)})
	}
	return ms
}

func lastValue(past []float64, n int) []float64 {
	out := make([]float64, n)
	for h := range out {
		out[h] = past[len(past)-1]
	}
	return out
}

const (
	// A line is fitted to the last share of the past, but to no fewer samples.
	trendShare, trendFewest = 0.5, 10

	// A line that explains less is no line: it carries the last value on.
	lineExplains = 0.5

	// The profile looks at so many cycles, each worth this share of the next.
	cycles, recency = 5, 0.7

	// How fast the level's distance from the profile fades with each step, and
	// the weight of the newest in the level; both as measured best on service
	// metrics at five minutes.
	fade, newest = 0.97, 0.5
)

// trend carries a straight line on: its slope by least squares, from its end
// point if the line is close and from the last value if it is not.
func trend(past []float64, n int) []float64 {
	from := max(0, min(len(past)-trendFewest, int(float64(len(past))*(1-trendShare))))
	var k, sx, sy, sxx, sxy, syy float64
	for i, v := range past[from:] {
		if math.IsNaN(v) {
			continue
		}
		// Relative to the last value, so that a large level costs no digits.
		x, y := float64(i), v-past[len(past)-1]
		k, sx, sy, sxx, sxy, syy = k+1, sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	vx, vy, c := sxx-sx*sx/k, syy-sy*sy/k, sxy-sx*sy/k
	if k < 3 || vx <= 0 || vy <= 0 || c*c/(vx*vy) < lineExplains {
		return lastValue(past, n)
	}
	slope := c / vx
	end := past[len(past)-1] + (sy-slope*sx)/k + slope*float64(len(past)-1-from)
	out := make([]float64, n)
	for h := range out {
		out[h] = end + slope*float64(h+1)
	}
	return out
}

// seasonal carries the newest cycle on.
func seasonal(season int) func([]float64, int) []float64 {
	return func(past []float64, n int) []float64 {
		out := make([]float64, n)
		for h := range out {
			out[h] = cycleBack(past, len(past)+h, season)
		}
		return out
	}
}

// cycleBack returns the newest value a whole number of cycles before i, the
// last value where there is none.
func cycleBack(past []float64, i, season int) float64 {
	for i -= season; i >= 0; i -= season {
		if i < len(past) && !math.IsNaN(past[i]) {
			return past[i]
		}
	}
	return past[len(past)-1]
}

// profile carries the mean of the last cycles on, shifted by how far the
// series has been from it of late; hold is what is left of that after each step.
func profile(season int, hold float64) func([]float64, int) []float64 {
	return func(past []float64, n int) []float64 {
		level, known := 0.0, false
		for i := max(0, len(past)-12); i < len(past); i++ {
			usual := meanBack(past, i, season)
			if math.IsNaN(past[i]) || math.IsNaN(usual) {
				continue
			}
			if !known {
				level, known = past[i]-usual, true
			}
			level += newest * (past[i] - usual - level)
		}
		out := make([]float64, n)
		for h := range out {
			usual := meanBack(past, len(past)+h, season)
			if math.IsNaN(usual) {
				usual = past[len(past)-1] - level
			}
			level *= hold
			out[h] = usual + level
		}
		return out
	}
}

// meanBack returns the weighted mean of the values whole cycles before i.
func meanBack(past []float64, i, season int) float64 {
	sum, weights, w := 0.0, 0.0, 1.0
	for c := 0; c < cycles; {
		i -= season
		if i < 0 {
			break
		}
		if i >= len(past) {
			continue
		}
		if !math.IsNaN(past[i]) {
			sum += w * past[i]
			weights += w
		}
		w *= recency
		c++
	}
	return sum / weights
}

// short writes a duration without the zeros that time.Duration adds.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
