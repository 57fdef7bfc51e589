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
	at    [4]float32 // the statistic at 2, 3, 4 and 5 powers of ten
	from  [5]float32 // powers of ten where the logarithm is 0, on the line before each of these, and past the last
	by    [5]float32 // powers of ten for each doubling
}

func rarityOf(quantiles ...float64) (r rarity) {
	r.least = float32(quantiles[0])
	line := func(i, a, b int) { // through quantiles a and b
		by := float64(b-a) / math.Log2(quantiles[b]/quantiles[a])
		r.by[i], r.from[i] = float32(by), float32(float64(b+1)-by*math.Log2(quantiles[b]))
	}
	for i := range r.at {
		r.at[i] = float32(quantiles[i+1])
		line(i, i, i+1)
	}
	line(4, 2, 4)
	return r
}

var (
	// Of a distance in spreads: from just before, from the sample before, from the time of day.
	// These two are asked of every sample. What one in ten exceeds is 1.85 and 1.49, and a
	// point of a curve near that.
	distance = rarityOf(59.0/32, 4.6, 15.5, 60, 273).curve()
	// The same of a mean of six samples around the time of day.
	distance6 = rarityOf(48.0/32, 3.9, 9.9, 26, 85).curve()
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
func (r *rarity) of(z float32) float32 {
	if z <= r.least {
		return 0 // most samples, and so all there is to inline
	}
	return r.past(z)
}

// curve is of, for what is asked often.
func (r rarity) curve() curve { return curveOf(r.least, r.past) }

func (r *rarity) past(z float32) float32 {
	i := 0
	for i < len(r.at) && z > r.at[i] {
		i++
	}
	x := r.from[i] + r.by[i]*log2(z)
	return x * x * x
}
