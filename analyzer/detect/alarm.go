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
