package forecast

import "math"

// nearOne returns a past scaled by a power of two, so that differences and
// squares of its values fit a number however large or small they are, and the
// power that leads back. What is infinite is missing.
func nearOne(past []float64) ([]float64, int) {
	largest := 0.0
	for _, v := range past {
		if v = math.Abs(v); v > largest && !math.IsInf(v, 0) {
			largest = v
		}
	}
	_, exponent := math.Frexp(largest)
	out := make([]float64, len(past))
	for i, v := range past {
		out[i] = math.Ldexp(v, -exponent)
		if math.IsInf(v, 0) {
			out[i] = math.NaN()
		}
	}
	return out, exponent
}

// scale brings a forecast back by a power of two. Quantiles that no number can
// hold are cut to the largest; it reports false where the mean would be cut.
func (f *Forecast) scale(exponent int) bool {
	whole := true
	back := func(vs []float64) {
		for i, v := range vs {
			vs[i] = max(-math.MaxFloat64, min(math.MaxFloat64, math.Ldexp(v, exponent)))
		}
	}
	for _, v := range f.Mean {
		whole = whole && !math.IsInf(math.Ldexp(v, exponent), 0)
	}
	back(f.Mean)
	for i := range f.Quantiles {
		back(f.Quantiles[i])
	}
	return whole
}
