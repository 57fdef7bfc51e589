package forecast

import (
	"fmt"
	"math"
	"time"
)

// A method carries a past on from any moment of it, as it would have done then:
// ahead fills out with the values from at on, and looks at none of them. The
// value before at is there.
type method struct {
	name  string
	ahead func(at int, out []float64)
}

// candidates returns the methods worth trying on a past, the last value first.
func candidates(past []float64, step time.Duration, o Options, horizon int) []method {
	ms := []method{{"last value", lastValue(past)}, {"trend", trend(past)}}
	for _, season := range seasons(past, step, o) {
		name, c := short(time.Duration(season)*step), newCycle(past, season)
		ms = append(ms,
			method{fmt.Sprintf("the value of %s before", name), c.before},
			method{fmt.Sprintf("profile of %s and level", name), c.profile(1)},
			method{fmt.Sprintf("profile of %s", name), c.profile(fade)},
			method{fmt.Sprintf("Holt-Winters of %s", name), newHoltWinters(c).ahead},
			method{fmt.Sprintf("ridge of %s", name), newRidge(c, horizon).ahead})
		if positive(past) {
			ms = append(ms, method{fmt.Sprintf("level and shape of %s", name), newShape(c).ahead})
		}
	}
	return ms
}

func lastValue(past []float64) func(int, []float64) {
	return func(at int, out []float64) {
		for h := range out {
			out[h] = past[at-1]
		}
	}
}

const (
	// A line is fitted to the last share of the past, but to no fewer samples.
	trendShare, trendFewest = 0.5, 10

	// A slope is believed from this square of its size over its error on: three
	// errors, which noise comes to once in 500 times.
	sloping = 10
)

// trend carries a straight line on, by least squares. What the past is above the
// line at its end fades as fast as it has of late; where it hardly does, most
// slopes are those of a walk, and the error of a slope counts that in. Without a
// slope it is the last value.
func trend(past []float64) func(int, []float64) {
	return func(at int, out []float64) {
		last := past[at-1]
		from := max(0, min(at-trendFewest, int(float64(at)*(1-trendShare))))
		var k, sx, sy, sxx, sxy, syy float64
		for i, v := range past[from:at] {
			if math.IsNaN(v) {
				continue
			}
			// Relative to the last value, so that a large level costs no digits.
			x, y := float64(i), v-last
			k, sx, sy, sxx, sxy, syy = k+1, sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
		}
		vx, vy, c := sxx-sx*sx/k, syy-sy*sy/k, sxy-sx*sy/k
		if k < 3 || vx <= 0 || vy <= 0 {
			lastValue(past)(at, out)
			return
		}
		slope := c / vx
		base := last + (sy-slope*sx)/k
		alike := persistence(past[from:at], base, slope)
		independent := k * (1 - alike) / (1 + alike)
		explained := c * c / (vx * vy)
		if !(explained*(independent-2) > sloping*(1-explained)) {
			lastValue(past)(at, out)
			return
		}
		end := base + slope*float64(at-1-from)
		above := last - end
		for h := range out {
			above *= alike
			out[h] = end + slope*float64(h+1) + above
		}
	}
}

// persistence is how much of the distance of a past from a line is left a step
// later, from 0 to 1.
func persistence(past []float64, base, slope float64) float64 {
	before, ab, aa := math.NaN(), 0.0, 0.0
	for i, v := range past {
		d := v - base - slope*float64(i)
		if p := before * d; !math.IsNaN(p) {
			ab, aa = ab+p, aa+before*before
		}
		before = d
	}
	if aa == 0 {
		return 0
	}
	return max(0, min(1, ab/aa))
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
