package detect

import "math"

// A tail turns a statistic that is never negative into the probability of one
// as large, from the statistic's own past: its 95 % quantile, and beyond it a
// power law. Eight bytes, whatever the history, and one for the exceedances
// heard, which whoever has several keeps together.
type tail struct {
	edge  float32 // the running 95 % quantile
	slope float32 // mean of the logarithm of how many times the edge what exceeds it is
}

const (
	beyond = 0.05 // the share of samples past the edge: few enough to be a tail, enough to learn from

	// Robbins–Monro on the logarithm of the edge: up by 19 parts where z is past
	// it, down by one where it is not, so that they balance at 95 %.
	edgeRate = 0.02

	// The tail of a Gaussian past its own edge, as what is believed before
	// anything is heard; it counts for as much as tailPrior exceedances.
	priorEdge, priorSlope, tailPrior = 2.0, 0.35, 20

	// Exceedances are averaged over at most this many: at one sample in twenty,
	// a fortnight of five-minute samples.
	tailMemory = 200

	// An exceedance counts for at most this many times the usual: an incident must not
	// teach the tail that incidents are usual, though many of them may.
	maxExcess = 8

	// No tail is believed lighter, and no edge smaller: every wobble of a
	// series that hardly moves would be infinitely surprising.
	minSlope, minEdge = 0.1, 0.5
)

// within reports whether z is within the edge, as most are.
func (t *tail) within(z float32) bool { return z < t.edge }

// fade takes a statistic within the edge.
func (t *tail) fade() {
	if t.edge *= 1 - edgeRate*beyond; t.edge < minEdge {
		t.edge = minEdge
	}
}

// past returns how rare a statistic as large as z is that is not within the
// edge, in powers of ten, and takes z as usual.
func (t *tail) past(z float32, heard *uint8) float32 {
	if t.edge == 0 {
		t.edge, t.slope = priorEdge, priorSlope
	}
	if z <= t.edge {
		t.edge = max(t.edge*(1-edgeRate*beyond), minEdge)
		return 0
	}
	over := math.Ln2 * log2(z/t.edge)
	rare := 1.3 + over/(t.slope*math.Ln10) // 1.3 is -log10 of beyond
	if *heard < tailMemory-tailPrior {
		*heard++
	}
	t.slope += (min(over, maxExcess*t.slope) - t.slope) / (tailPrior + float32(*heard))
	t.slope = max(t.slope, minSlope)
	t.edge *= 1 + edgeRate*(1-beyond)
	return rare
}

// A peak remembers the largest of late of a statistic.
type peak struct {
	most  float32
	limit float32 // to which the present event may raise it
}

const (
	leastPeak = 3 // spreads: what is smaller was no peak

	// One event raises the peak by at most so much, so that the worst ever
	// does not blind for what is nearly as bad.
	peakRise = 1.3

	// Half of it is forgotten in so many samples, or in a fifth of those seen.
	peakHalf, peakShare = 400, 0.2
)

// keeps returns the share of a peak that a sample leaves of it, after so many.
func keeps(seen uint32) float32 {
	const all = peakHalf / peakShare
	if seen >= all {
		return 1 - math.Ln2/peakHalf
	}
	return 1 - math.Ln2/peakShare/float32(seen)
}

// past returns how far z is past the largest of late, as a logarithm, and
// takes it as usual. keep is the share of the peak that this leaves; recent is
// how many samples there must be until what is past it is another event.
func (p *peak) past(z, keep float32, recent *uint8) float32 {
	if p.most == 0 {
		p.most, p.limit = leastPeak, leastPeak*peakRise
	}
	if z <= p.most {
		p.fade(keep)
		*recent -= min(*recent, 1)
		return 0
	}
	if *recent == 0 {
		p.limit = peakRise * p.most
	}
	past := float32(math.Log(float64(z / p.most)))
	p.most = min(z, p.limit)
	*recent = quiet + 1
	return past
}

// fade takes a sample that is not past the peak.
func (p *peak) fade(keep float32) {
	if p.most *= keep; p.most < leastPeak {
		p.most = leastPeak
	}
}
