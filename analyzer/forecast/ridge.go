package forecast

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mat"
)

// ridge is a regression for each of a few distances ahead: how far the series
// is from its usual course then, by how far it was of late. Between two distances
// ahead it is interpolated. How far it was at that time a cycle ago is no help:
// with it the forecasts of request rates were no better, and yesterday's
// incident was expected again.
type ridge struct {
	c         *cycle
	distances []distance
	most      []float64 // the largest rest seen by each fit: no forecast goes beyond
	fitted    []int     // when each fit was made
}

// A distance ahead has a regression of its own.
type distance struct {
	ahead int // steps, from 1
	next  int // the first moment that was not learned from
	xx    [features * features]float64
	xy    [features]float64
	fits  [][]float64 // weights, nil where there are none
}

var ridgeLags = [...]int{0, 1, 2, 3, 5, 11}

// By these lags, the level, and how the usual course moves until then.
const features = len(ridgeLags) + 2

const (
	// It is fitted anew so many times over the past: a day apart for two weeks.
	refits = 12

	// The penalty, as a share of the mean square of the features: lags are so
	// alike that without one their weights would be large and of both signs.
	penalty = 1e-3

	// What was learned counts for so much less at each: services change.
	forget = 0.85
)

func newRidge(c *cycle, horizon int) *ridge {
	r := &ridge{c: c}
	from := 2*c.season + ridgeLags[len(ridgeLags)-1]
	if len(c.past) <= from {
		return r
	}
	for k := 1; k < c.season; k += 1 + k/3 {
		r.distances = append(r.distances, distance{ahead: k, next: from + k})
		if k >= horizon {
			break
		}
	}
	most, seen := 0.0, c.season
	for f := 1; f <= refits; f++ {
		at := from + (len(c.past)-from)*f/refits
		for ; seen < at; seen++ {
			most = max(most, math.Abs(c.rest[seen]))
		}
		r.fitted, r.most = append(r.fitted, at), append(r.most, most)
		for i := range r.distances {
			r.learn(&r.distances[i], at)
		}
	}
	return r
}

// learn adds a fit to a distance, by what was known at the moment at.
func (r *ridge) learn(d *distance, at int) {
	for i := range d.xx {
		d.xx[i] *= forget
	}
	for i := range d.xy {
		d.xy[i] *= forget
	}
	var x [features]float64
	for ; d.next < at; d.next++ {
		y := r.c.past[d.next] - r.c.usual[d.next]
		if math.IsNaN(y) {
			continue
		}
		r.features(&x, d.next-d.ahead+1, d.ahead)
		for a, v := range x {
			for b := range a + 1 {
				d.xx[a*features+b] += v * x[b]
			}
			d.xy[a] += v * y
		}
	}
	d.fits = append(d.fits, d.solve())
}

// features fills x with what is known at the moment at of the one ahead steps on.
func (r *ridge) features(x *[features]float64, at, ahead int) {
	c := r.c
	for j, lag := range ridgeLags {
		x[j] = c.rest[at-1-lag]
	}
	n := len(ridgeLags)
	x[n] = c.level[at-1]
	x[n+1] = c.usual[at-1+ahead] - c.usual[at-1]
	if math.IsNaN(x[n+1]) {
		x[n+1] = 0
	}
}

// solve returns the weights of least squares with a penalty on their size, nil
// where there is nothing to learn from.
func (d *distance) solve() []float64 {
	sum := 0.0
	for a := range features {
		sum += d.xx[a*features+a]
	}
	if sum == 0 {
		return nil
	}
	m := mat.NewSymDense(features, nil)
	for a := range features {
		for b := range a + 1 {
			m.SetSym(a, b, d.xx[a*features+b])
		}
		m.SetSym(a, a, d.xx[a*features+a]+penalty*sum/float64(features))
	}
	var chol mat.Cholesky
	var w mat.VecDense
	if !chol.Factorize(m) || chol.SolveVecTo(&w, mat.NewVecDense(features, d.xy[:])) != nil {
		return nil
	}
	return w.RawVector().Data
}

func (r *ridge) ahead(at int, out []float64) {
	c := r.c
	f := sort.Search(len(r.fitted), func(i int) bool { return r.fitted[i] > at }) - 1
	if f < 0 {
		c.profile(1)(at, out)
		return
	}
	var x [features]float64
	h, before, value := 0, 0, c.rest[at-1]
	for i := range r.distances {
		d := &r.distances[i]
		if h >= len(out) {
			break
		}
		then := value
		if w := d.fits[f]; w != nil {
			r.features(&x, at, d.ahead)
			then = 0
			for j, v := range x {
				then += w[j] * v
			}
			then = max(-r.most[f], min(r.most[f], then))
		}
		for ; h < min(d.ahead, len(out)); h++ {
			out[h] = value + (then-value)*float64(h+1-before)/float64(d.ahead-before)
		}
		before, value = d.ahead, then
	}
	for ; h < len(out); h++ {
		value *= fade
		out[h] = value
	}
	for h := range out {
		out[h] += c.expected(at+h, at)
	}
	c.fill(at, out)
}
