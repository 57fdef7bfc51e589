package detect

import "math"

// Threshold returns the score at which a series sampled every step seconds
// raises rate alerts per 1,000 series per day by chance: two channels, each
// asked at every sample.
func Threshold(rate, step float64) float64 {
	const fallback = 60 // seconds: while the step is unknown nothing is scored
	if step <= 0 {
		step = fallback
	}
	samples := max(1, day/step)
	return min(1, max(0, -math.Log10(rate/1000/samples/2)/12))
}

// quiet is how many samples below the threshold end an alert: the memory of
// "of late", so that one incident is one alert.
const quiet = 12

// An alarm says when an alert begins, once for each incident.
type alarm struct {
	on    bool
	below int
}

// sounds reports whether an alert begins with this score.
func (a *alarm) sounds(score, threshold float64) bool {
	if score >= threshold {
		began := !a.on
		a.on, a.below = true, 0
		return began
	}
	if a.below++; a.below >= quiet {
		a.on = false
	}
	return false
}

// An incident lets the score of one channel through once: after one, only a
// larger one passes for a while. A level that has moved is news when it moves,
// and not at every sample after.
type incident struct {
	most  int     // samples that it is told of no more
	share float64 // of the samples seen, for which it is told of no more at most
	worse float64 // what is larger by so much is news again
	at    int     // samples seen then
	peak  float64
}

const (
	// A quarter of an hour of minutes: spikes in a row are one.
	spikeMost, spikeShare, spikeWorse = 15, 0.0075, 1

	// A level stays moved for long. Without this a level that moved is told at
	// each wobble: nine points of NAB.
	regimeMost, regimeShare, regimeWorse = 200, 0.15, 1.35
)

// tells returns score, or 0 where it is no news. seen counts the samples before.
func (c *incident) tells(score float64, seen int) float64 {
	if score == 0 {
		return 0
	}
	hold := min(c.most, int(c.share*float64(seen)))
	if c.peak > 0 && seen-c.at < hold && score <= c.worse*c.peak {
		return 0
	}
	c.at, c.peak = seen, score
	return score
}
