package detect

import "math"

// A tail turns a statistic that is never negative into the probability of one
// as large, from the statistic's own past: its 95 % quantile, and beyond it a
// generalised Pareto tail fitted by moments. Twenty bytes, whatever the history.
type tail struct {
	edge   float32 // the running 95 % quantile
	excess float32 // mean of what exceeds it
	square float32 // mean square of that
	heard  uint32  // exceedances seen
	run    uint32  // of them in a row
}

const (
	beyond = 0.05 // the share of samples past the edge: few enough to be a tail, enough to learn from

	// The tail of a Gaussian past its own edge, as what is believed before
	// anything is heard; priorWeight exceedances count for as much.
	priorEdge   = 2.0
	priorExcess = 0.45
	priorSquare = 0.36
	priorWeight = 16

	// Exceedances are averaged over at most this many: at one sample in twenty,
	// nine days of five-minute samples or half a day of 15 s ones. Half as many
	// cost a sixth more false alarms on the development sets, more blind it to repeats.
	tailMemory = 128

	// An exceedance counts for at most this many means: an incident must not
	// teach the tail that incidents are usual, though many of them may.
	maxExcess = 12

	// The shape is held to what moments can tell: an exponential tail is never
	// assumed lighter than 0.05 allows, and at 0.45 the second moment still exists.
	minShape, maxShape = 0.05, 0.45
)

// p returns the probability of a statistic as large as z, and is 1 below the edge's own.
func (t *tail) p(z float64) float64 {
	edge, excess, square := t.fit()
	if z <= edge {
		return 1
	}
	// Moments of a generalised Pareto: shape = (1 − mean²/var)/2, scale = mean(1 − shape).
	shape := maxShape
	if v := square - excess*excess; v > 0 {
		shape = min(max((1-excess*excess/v)/2, minShape), maxShape)
	}
	scale := excess * (1 - shape)
	return beyond * math.Pow(1+shape*(z-edge)/scale, -1/shape)
}

func (t *tail) fit() (edge, excess, square float64) {
	if t.edge == 0 {
		return priorEdge, priorExcess, priorSquare
	}
	return float64(t.edge), float64(t.excess), float64(t.square)
}

// learn takes z as usual.
func (t *tail) learn(z float64) {
	edge, excess, square := t.fit()
	// Robbins–Monro on the logarithm: up by 19 parts where z is past the edge,
	// down by one where it is not, so that they balance at 95 %.
	rate := 0.02 * edge
	if z > edge {
		// Those in a row are one event: the n'th of them counts a n'th.
		t.run++
		over := min(z-edge, maxExcess*excess)
		w := 1 / min(float64(priorWeight+t.heard+1), tailMemory) / float64(t.run)
		excess += w * (over - excess)
		square += w * (over*over - square)
		if t.heard < tailMemory {
			t.heard++
		}
		edge += rate * (1 - beyond)
	} else {
		t.run = 0
		edge -= rate * beyond
	}
	// An edge of nothing would make every wobble infinitely surprising.
	t.edge = float32(max(edge, 0.1))
	t.excess = float32(max(excess, 0.05*edge))
	t.square = float32(max(square, float64(t.excess)*float64(t.excess)))
}
