package detect

import "math"

// A chance says how rare a statistic as large as it is comes by chance, from
// the statistic's own past: how often it runs past its 95 % quantile, and how far.
//
// What is counted are runs and not samples: in a series that remembers, one
// excursion is many large samples. Of each run the largest sample counts. How far
// it is past the edge, in logarithms, is taken for exponential, which is a power
// law, the heaviest of the usual tails; what is lighter rings less than it may.
type chance struct {
	edge  float32 // the running 95 % quantile
	sum   float32 // of the excesses of the runs, as logarithms, with the prior's
	gap   float32 // mean number of samples from run to run
	peak  float32 // the largest of the present run; 0: there is none
	since uint32  // samples since the last run ended
	n     uint16  // of runs, with the prior's
	below uint8   // samples since it was past the edge
	past  uint8   // samples of the run past the edge; they end at 255
}

const (
	// Before anything is heard, as much is believed as so many runs would say:
	// a tail heavier than a Laplacian's, a run each 40 samples. With eight, Gaussian
	// noise rings a quarter less than it does; with an excess of 0.25, Student's t
	// with three freedoms three times as often.
	priorRuns, priorExcess, priorGap = 5, 0.35, 40

	// Runs are averaged over at most this many: a fortnight or two of five minutes.
	runMemory = 400

	// So many samples of a run raise the edge, and no more before it is taken for
	// usual: without this the edge climbs by half in twenty samples and keeps
	// ahead of whatever rises slowly.
	taught = quiet

	// A run counts for at most this many times the usual excess, and all for as
	// much more as an exponential loses by that: an incident must not teach that
	// incidents are usual. With 4, two fifths fewer incidents of services are alerts at
	// the default rate; with 2, a series that is zero but for bursts rings half again as often.
	maxRun = 3

	// A tail whose excesses are small falls faster the farther out: after e
	// e-foldings of a power law, bend*e*e more have passed. Of a Gaussian the bend is 0.2, of a
	// Laplacian 0.16, of a lognormal 0.08, of Student's t with three freedoms 0.01,
	// where the mean excesses are 0.17, 0.27, 0.5 and 0.39: from 0.36 down there is
	// some bend, and no more than 0.12, as the least of two samples of heavy tails
	// looks light too. With 0.15 such ring half again as often; without it a spike
	// of 15 sigma is never an alert.
	bend, bendsBelow, bendsAll = 0.12, 0.36, 0.24
)

// rare returns how rare a sample as large as z is, in powers of ten, 0 within
// the edge, and takes z as usual.
//
// The excesses seen make the next one's law a Pareto's, not an exponential: the
// fewer were seen, the heavier.
func (c *chance) rare(z float32) float64 {
	if c.n == 0 {
		*c = chance{edge: priorEdge, sum: priorRuns * priorExcess, n: priorRuns, gap: priorGap}
	}
	c.since++
	if !(z > c.edge) { // what is no number, of values past all reckoning, included
		c.edge = max(c.edge*(1-edgeRate*beyond), 1)
		if c.peak > 0 {
			c.rest()
		}
		return 0
	}
	c.peak, c.below = max(c.peak, z), 0
	n, mean := float64(c.n), float64(c.sum/float32(c.n))
	runs := n - priorRuns + 1
	often := (runs + 1) / (runs*float64(c.gap) + float64(c.since)) // runs a sample
	e := n * math.Log1p(math.Log(float64(z/c.edge))/float64(c.sum))
	e += bend * min(1, max(0, (bendsBelow-mean)/(bendsBelow-bendsAll))) * e * e
	if c.past < taught || c.past >= holds {
		c.edge *= 1 + edgeRate*(1-beyond)
	}
	c.past += min(1, math.MaxUint8-c.past)
	return e/math.Ln10 - math.Log10(often)
}

// rest takes a sample within the edge after a run, which ends when there have
// been enough of them.
func (c *chance) rest() {
	if c.below++; c.below < quiet {
		return
	}
	lost := float32(1 - math.Exp(-maxRun))
	excess := max(0, float32(math.Log(float64(c.peak/c.edge))))
	c.sum += min(excess, maxRun*c.sum/float32(c.n)) / lost
	if c.n++; c.n > runMemory {
		c.sum *= runMemory / float32(c.n)
		c.n = runMemory
	}
	c.gap += (float32(c.since) - c.gap) / float32(c.n-priorRuns+1)
	c.since, c.peak, c.below, c.past = 0, 0, 0, 0
}

// running reports whether the newest sample was past the edge.
func (c *chance) running() bool { return c.peak > 0 && c.below == 0 }
