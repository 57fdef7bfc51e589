package forecast

import "math"

// shape is a level times a shape: the usual share of each phase in its cycle,
// and how the mean of a cycle grows to the next, which is learned from all pairs
// of them. Made for hours and days, where the level of the moment has faded.
type shape struct {
	c    *cycle
	mean []float64 // of the cycle that ends before each moment
}

func newShape(c *cycle) *shape {
	calm := make([]float64, len(c.past))
	for i, usual := range c.usual[:len(calm)] {
		if calm[i] = usual + c.quiet[i]; math.IsNaN(calm[i]) {
			calm[i] = c.past[i]
		}
	}
	return &shape{c, trailing(calm, c.season)}
}

// trailing returns the means of the n values before each moment, of those that are there.
func trailing(vs []float64, n int) []float64 {
	out := make([]float64, len(vs)+1)
	sum, k := 0.0, 0
	for i, v := range vs {
		if !math.IsNaN(v) {
			sum, k = sum+v, k+1
		}
		if i >= n && !math.IsNaN(vs[i-n]) {
			sum, k = sum-vs[i-n], k-1
		}
		out[i+1] = math.NaN()
		if i+1 >= n && k > n/2 {
			out[i+1] = sum / float64(k)
		}
	}
	out[0] = math.NaN()
	return out
}

// grown is the log of how much of the mean a cycle has grown since the one before.
func (s *shape) grown(at int) float64 {
	if at < s.c.season {
		return math.NaN()
	}
	return math.Log(s.mean[at] / s.mean[at-s.c.season])
}

func (s *shape) ahead(at int, out []float64) {
	c := s.c
	// The growth of a cycle against that of the one before it, by ridge.
	var xx, xy float64
	stride := max(1, c.season/24)
	for i := at; i >= 3*c.season; i -= stride {
		x, y := s.grown(i-c.season), s.grown(i)
		if v := x*x + x*y; !math.IsNaN(v) && !math.IsInf(v, 0) {
			xx, xy = xx+x*x, xy+x*y
		}
	}
	carry := 0.0
	if xx > 0 {
		carry = max(-0.9, min(0.9, xy/(1.1*xx)))
	}
	growth := carry * s.grown(at)
	level := s.mean[at]
	// The mean of the usual course over the cycle to come, which the shape is a share of.
	sum, k := 0.0, 0.0
	for h := range c.season {
		if v := c.expected(at+h, at); !math.IsNaN(v) {
			sum, k = sum+v, k+1
		}
	}
	factor := level / (sum / k)
	for h := range out {
		if h%c.season == 0 {
			factor *= math.Exp(growth)
			growth *= carry
		}
		out[h] = factor * c.expected(at+h, at)
		if math.IsInf(out[h], 0) {
			out[h] = math.NaN()
		}
	}
	c.fill(at, out)
}

// positive reports whether a past has a level that a shape can be a share of.
func positive(past []float64) bool {
	any := false
	for _, v := range past {
		if v < 0 {
			return false
		}
		any = any || v > 0
	}
	return any
}
