package forecast

import (
	"math"
	"slices"
	"sort"
)

// How far the level of a quantile moves with each origin at which it was missed
// too often, or too seldom.
const adapt = 0.03

// pool returns errors of all origins, sorted.
func pool(errs [][]float64, both bool) []float64 {
	var out []float64
	for _, es := range errs {
		for _, e := range es {
			if !math.IsNaN(e) {
				out = append(out, e)
				if both {
					out = append(out, -e)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// quantile returns the conformal quantile of sorted errors: with n of them,
// the one that a further error stays below with the chance of level.
func quantile(sorted []float64, level float64) float64 {
	at := level*float64(len(sorted)+1) - 1
	i := int(math.Floor(at))
	switch {
	case i < 0:
		return sorted[0]
	case i >= len(sorted)-1:
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// intervals returns the quantiles of the errors of a band for a forecast made
// at the moment at, nil where none are known. The level that is read for each
// is not its own but one that has proved right: from origin to origin it moves
// by how often the quantile, known by then, was missed.
func (t *trials) intervals(b int, errs [][]float64, both bool) []float64 {
	levels := Levels
	var seen []float64
	learn := func(es []float64) {
		for _, e := range es {
			if math.IsNaN(e) {
				continue
			}
			seen = insert(seen, e)
			if both {
				seen = insert(seen, -e)
			}
		}
	}
	learned := 0
	for k, es := range errs {
		pace := adapt
		if k > 0 {
			pace *= min(1, float64(t.at[k]-t.at[k-1])/float64(t.bands[b].to))
		}
		for ; learned < t.known(t.bands[b], t.at[k]); learned++ {
			learn(errs[learned])
		}
		if learned < fewestOrigins {
			continue
		}
		for i := range levels {
			q := quantile(seen, levels[i])
			below, n := 0.0, 0.0
			for _, e := range es {
				switch {
				case math.IsNaN(e):
					continue
				case e < q:
					below++
				case e == q:
					below += Levels[i] // a constant is never missed
				}
				n++
			}
			if n > 0 {
				levels[i] = max(0, min(1, levels[i]+pace*(Levels[i]-below/n)))
			}
		}
	}
	for ; learned < len(errs); learned++ {
		learn(errs[learned])
	}
	if len(seen) == 0 {
		return nil
	}
	// Forecasts that overlap err together: there are only as many errors as
	// forecasts that do not, and of n a quantile is read one in n further out.
	apart := 1 + float64(t.at[len(t.at)-1]-t.at[0])/float64(t.bands[b].to)
	out := make([]float64, len(levels))
	for i, level := range levels {
		out[i] = quantile(seen, 0.5+(level-0.5)*(1+1/apart))
	}
	slices.Sort(out) // levels that moved apart may have crossed
	return out
}

func insert(sorted []float64, v float64) []float64 {
	return slices.Insert(sorted, sort.SearchFloat64s(sorted, v), v)
}

// spread writes the quantiles of f around its mean, from the quantiles of the
// errors by band, and in between by the nearest two. Past what was tried they
// widen as a random walk's do.
func (t *trials) spread(f *Forecast, errs [][]float64, past []float64) {
	for i := range f.Quantiles {
		f.Quantiles[i] = make([]float64, len(f.Mean))
	}
	fallback := steps(past)
	b := 0
	for h := range f.Mean {
		for b < len(t.bands)-1 && float64(h) > t.bands[b].middle() {
			b++
		}
		wider := 1.0
		if h >= t.reach && t.reach > 0 {
			wider = math.Sqrt(float64(h+1) / float64(t.reach))
		}
		for i, level := range Levels {
			if len(errs) == 0 || errs[b] == nil {
				f.Quantiles[i][h] = f.Mean[h] + math.Sqrt(float64(h+1))*quantile(fallback, level)
				continue
			}
			q := errs[b][i]
			if b > 0 && errs[b-1] != nil {
				from, to := t.bands[b-1].middle(), t.bands[b].middle()
				part := min(1, (float64(h)-from)/(to-from))
				q = errs[b-1][i] + part*(q-errs[b-1][i])
			}
			f.Quantiles[i][h] = f.Mean[h] + wider*q
		}
		// The middle of the errors corrects what the method always gets wrong;
		// the mean goes along, so that it stays within its own quantiles.
		f.Mean[h] = min(max(f.Mean[h], f.Quantiles[3][h]), f.Quantiles[len(Levels)-4][h])
	}
}

// steps returns how far a past moves in one step, both ways, sorted: what is
// known of a series too short to try anything on.
func steps(past []float64) []float64 {
	var out []float64
	before := math.NaN()
	for _, v := range past {
		if math.IsNaN(v) {
			continue
		}
		if !math.IsNaN(before) {
			out = append(out, v-before, before-v)
		}
		before = v
	}
	slices.Sort(out)
	return out
}
