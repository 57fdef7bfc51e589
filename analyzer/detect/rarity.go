package detect

import "math"

// A rarity says how rare a statistic is as large as it is, in powers of ten:
// the statistic that one sample in ten, a hundred, … a hundred thousand
// exceeds, as a geometric mean over three collections of labelled series
// (NAB, services at Microsoft, the AIOps challenge of 2018). Between those it
// is linear in the statistic's logarithm, and beyond goes on as it did last.
//
// One scale for all series, not one learnt from each: a series with an incident
// a day would teach a scale of its own that incidents are usual. Of the distance
// from the time of day alone, one scale makes an event F1 of 0.56 and the
// series' own 0.45; what is learnt from each has its say as one statistic of several.
type rarity struct {
	least float32    // below, nothing is rare
	logs  [5]float64 // of the statistic at 1, 2, … 5 powers of ten
}

func rarityOf(quantiles ...float64) (r rarity) {
	r.least = float32(quantiles[0])
	for i := range r.logs {
		r.logs[i] = math.Log(quantiles[i])
	}
	return r
}

var (
	// Of a distance in spreads: from just before, from the sample before, from the time of day.
	distance = rarityOf(1.85, 4.6, 15.5, 60, 273)
	// The same of a mean of six samples around the time of day.
	distance6 = rarityOf(1.49, 3.9, 9.9, 26, 85)
	// Of a probability by the series' own tail, in powers of ten.
	tailed = rarityOf(0.8, 1.99, 3.2, 5.1, 8.1)
	// Of a distance past the largest of late, as a natural logarithm.
	record = rarityOf(1e-4, 0.03, 1, 2.2, 3.6)
	// The same of a mean of 24 samples.
	record24 = rarityOf(1e-4, 1e-3, 0.16, 0.93, 1.9)
	// Of a distance outside the range ever seen, as a share of that.
	outside = rarityOf(1e-4, 1e-3, 0.02, 0.41, 3.5)
	// The same of a mean of 24 samples.
	outside24 = rarityOf(1e-4, 3e-3, 0.064, 0.64, 5.1)
)

// of returns how rare z is, cubed: many statistics that are each a little rare
// must not outweigh one that is very rare, and cubes are summed.
func (r *rarity) of(z float32) float64 {
	if z <= r.least {
		return 0
	}
	l := math.Log(float64(z))
	x := 5 + (l-r.logs[4])*2/(r.logs[4]-r.logs[2])
	for i := 1; i < len(r.logs); i++ {
		if l <= r.logs[i] {
			x = float64(i) + (l-r.logs[i-1])/(r.logs[i]-r.logs[i-1])
			break
		}
	}
	return x * x * x
}
