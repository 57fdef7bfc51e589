package forecast

import (
	"math"
	"slices"
)

const (
	// The profile looks at so many cycles, each worth this share of the next.
	cycles, recency = 5, 0.7

	// How fast the level's distance from the profile fades with each step, and
	// the weight of the newest in the level; both as measured best on service
	// metrics at five minutes.
	fade, newest = 0.97, 0.5

	// A value this many times as far from the middle of its phase as values are
	// in the mean was an incident, and what came of it is not expected again:
	// noise that is normal is as far once in 700 values.
	far = 4
)

// A cycle is a past beside the usual course of one of its cycles.
type cycle struct {
	past   []float64
	season int       // samples
	usual  []float64 // by the cycles before, up to a cycle after the past; NaN where there is none
	rest   []float64 // what the past is above the usual; where either is missing the rest before, faded
	level  []float64 // the rest of late
	quiet  []float64 // the rest within what is usual, so that no incident is learned from
}

func newCycle(past []float64, season int) *cycle {
	n := len(past)
	c := &cycle{past: past, season: season, usual: make([]float64, n+season), rest: make([]float64, n), level: make([]float64, n), quiet: make([]float64, n)}
	c.learn()
	c.follow()
	return c
}

// learn writes the usual course: of each phase the weighted mean of the last
// cycles, in which the middle stands for what is far from it.
func (c *cycle) learn() {
	calm := calmer{window: c.season}
	var values, room [cycles]float64
	for i := range c.usual {
		n := 0
		for j := i - c.season; j >= i-cycles*c.season && j >= 0; j -= c.season {
			if j < len(c.past) && !math.IsNaN(c.past[j]) {
				values[n] = c.past[j]
				n++
			}
		}
		middle := median(values[:n], room[:0])
		sum, weights, w := 0.0, 0.0, 1.0
		for _, v := range values[:n] {
			if n > 2 && math.Abs(v-middle) > far*calm.typical {
				v = middle // of two nobody knows which of them it is
			}
			sum += w * v
			weights += w
			w *= recency
		}
		c.usual[i] = sum / weights
		if n > 2 && i < len(c.past) && !math.IsNaN(c.past[i]) {
			calm.next(c.past[i] - middle)
		}
	}
}

// follow writes what the past is above its usual course, and the level of that.
func (c *cycle) follow() {
	rest, level := 0.0, 0.0
	calm, quiet := calmer{window: c.season}, calmer{window: c.season, wide: wide}
	for i, v := range c.past {
		d := v - c.usual[i]
		switch {
		case math.IsNaN(d):
			rest *= fade
		case calm.seen == 0:
			rest, level = d, d
			calm.next(0)
		default:
			followed, _ := calm.next(d - level)
			rest = level + followed
		}
		if calm.seen > 0 {
			_, c.quiet[i] = quiet.next(rest)
		}
		level += newest * (rest - level)
		c.rest[i], c.level[i] = rest, level
	}
}

// median returns the median of values, NaN where there are none; room is overwritten.
func median(values, room []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	room = append(room, values...)
	slices.Sort(room)
	return (room[(len(room)-1)/2] + room[len(room)/2]) / 2
}

// last returns the newest moment before at that is a whole number of cycles
// before i, which is not before at: what is known of i at that time.
func (c *cycle) last(i, at int) int { return i - ((i-at)/c.season+1)*c.season }

// expected returns the usual value of a moment i, as was known at the moment at.
func (c *cycle) expected(i, at int) float64 { return c.usual[c.last(i, at)+c.season] }

// before carries the newest cycle on.
func (c *cycle) before(at int, out []float64) {
	for h := range out {
		out[h] = c.past[at-1]
		for i := c.last(at+h, at); i >= 0; i -= c.season {
			if v := c.past[i]; !math.IsNaN(v) {
				out[h] = v
				break
			}
		}
	}
}

// profile carries the usual course on, shifted by how far the past has been from
// it of late; hold is what is left of that after each step.
func (c *cycle) profile(hold float64) func(int, []float64) {
	return func(at int, out []float64) {
		level := c.level[at-1]
		for h := range out {
			level *= hold
			out[h] = c.expected(at+h, at) + level
		}
		c.fill(at, out)
	}
}

// fill carries the last value on where nothing is known of a phase.
func (c *cycle) fill(at int, out []float64) {
	for h, v := range out {
		if math.IsNaN(v) {
			out[h] = c.past[at-1]
		}
	}
}
