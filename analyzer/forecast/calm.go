package forecast

import "math"

const (
	// So many values in a row that are far from what was expected are not
	// followed: a spike has gone by then, and a change of level is still there.
	alone = 2

	// What is usual is known after so many values.
	soon = 20

	// A distance from the usual course this many times as far as one from the
	// level may be is an incident: weekends are not, where only days are known.
	wide = 2
)

// A calmer tells a value that is far from what was expected from one that is
// not, by the misses before it.
type calmer struct {
	window  int // values, in which it learns what is usual
	typical float64
	wide    float64 // how many times as far is still near, 0 for 1
	seen    int
	away    int // values in a row that were not followed
}

// next takes a miss and returns what a level should follow of it, and what
// anything slower should: no more than is usual.
func (c *calmer) next(miss float64) (followed, bounded float64) {
	size, bound := math.Abs(miss), far*max(1, c.wide)*c.typical
	if c.seen < soon || bound == 0 {
		bound = size
	}
	followed, bounded = miss, max(-bound, min(bound, miss))
	switch {
	case size <= bound:
		c.away = 0
	case c.away < alone:
		followed = 0
		c.away++
	}
	c.seen++
	c.typical += (min(size, bound) - c.typical) / float64(min(c.seen, c.window))
	return followed, bounded
}
