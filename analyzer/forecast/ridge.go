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
	c     *cycle
	knots []int       // steps ahead, from 1
	fits  []ridgeFits // by the moment of fitting
}

type ridgeFits struct {
	at   int
	most float64 // the largest rest that was seen
	w    [][]float64
}

var ridgeLags = [...]int{0, 1, 2, 3, 5, 11}

// By these lags, the level, and how the usual course moves until then.
const features = len(ridgeLags) + 2

const (
	// It is fitted anew so many times over the past.
	refits = 12

	// The penalty, as a share of the mean square of the features.
	penalty = 1e-3

	// What was learned counts for so much less at each: services change.
	forget = 0.85
)

func newRidge(c *cycle, horizon int) *ridge {
	r := &ridge{c: c}
	for k := 1; k < c.season; k += 1 + k/3 {
		r.knots = append(r.knots, k)
		if k >= horizon {
			break
		}
	}
	n := len(c.past)
	from := 2*c.season + ridgeLags[len(ridgeLags)-1]
	if n <= from {
		return r
	}
	xx := make([][features * features]float64, len(r.knots))
	xy := make([][features]float64, len(r.knots))
	next := make([]int, len(r.knots)) // the first target that was not learned from
	for i := range next {
		next[i] = from + r.knots[i]
	}
	most := 0.0
	seen := c.season
	var x [features]float64
	for f := 1; f <= refits; f++ {
		at := from + (n-from)*f/refits
		fit := ridgeFits{at: at}
		for ; seen < at; seen++ {
			most = max(most, math.Abs(c.rest[seen]))
		}
		fit.most = most
		for k, ahead := range r.knots {
			for j := range xx[k] {
				xx[k][j] *= forget
			}
			for j := range xy[k] {
				xy[k][j] *= forget
			}
			for ; next[k] < at; next[k]++ {
				i := next[k]
				y := c.past[i] - c.usual[i]
				if math.IsNaN(y) {
					continue
				}
				r.features(&x, i-ahead+1, ahead)
				for a, v := range x {
					for b := range a + 1 {
						xx[k][a*features+b] += v * x[b]
					}
					xy[k][a] += v * y
				}
			}
			fit.w = append(fit.w, solve(&xx[k], &xy[k]))
		}
		r.fits = append(r.fits, fit)
	}
	return r
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

// solve returns the weights of least squares with a penalty on their size, nil where there are none.
func solve(xx *[features * features]float64, xy *[features]float64) []float64 {
	sum := 0.0
	for a := range features {
		sum += xx[a*features+a]
	}
	if sum == 0 {
		return nil
	}
	m := mat.NewSymDense(features, nil)
	for a := range features {
		for b := range a + 1 {
			v := xx[a*features+b]
			if a == b {
				v += penalty * sum / float64(features)
			}
			m.SetSym(a, b, v)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(m) {
		return nil
	}
	var w mat.VecDense
	if err := chol.SolveVecTo(&w, mat.NewVecDense(features, xy[:])); err != nil {
		return nil
	}
	return w.RawVector().Data
}

func (r *ridge) ahead(at int, out []float64) {
	c := r.c
	f := sort.Search(len(r.fits), func(i int) bool { return r.fits[i].at > at }) - 1
	if f < 0 {
		c.profile(1)(at, out)
		return
	}
	fit := r.fits[f]
	var x [features]float64
	before, value := 0, c.rest[at-1]
	h := 0
	for k, knot := range r.knots {
		if h >= len(out) {
			break
		}
		then := value
		if fit.w[k] != nil {
			r.features(&x, at, knot)
			then = 0
			for j, v := range x {
				then += fit.w[k][j] * v
			}
			then = max(-fit.most, min(fit.most, then))
		}
		for ; h < min(knot, len(out)); h++ {
			out[h] = value + (then-value)*float64(h+1-before)/float64(knot-before)
		}
		before, value = knot, then
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
