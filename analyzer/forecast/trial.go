package forecast

import (
	"math"
	"slices"
)

// trials are the forecasts that every method would have made on the past.
type trials struct {
	count  int           // origins
	reach  int           // steps ahead that were tried
	errors [][][]float64 // actual less forecast: by method, origin, step; NaN where missing
}

// choose tries the methods from many moments of the past and returns the one
// that lost least, 0 unless another beats the last value.
//
// A loss is honest only on what the quantiles have not seen: those of the
// earlier origins are judged on the later ones.
func choose(past []float64, horizon int, methods []method) (int, trials) {
	t := try(past, horizon, methods)
	if t.count < fewestOrigins {
		return 0, t
	}
	best, least := 0, math.Inf(1)
	naive := t.loss(0)
	for m := range methods {
		loss := t.loss(m)
		if m > 0 && !(loss < better*naive) {
			continue
		}
		if loss < least {
			best, least = m, loss
		}
	}
	return best, t
}

func try(past []float64, horizon int, methods []method) trials {
	// A third of the past is what methods learn from at the first origin.
	reach := min(horizon, len(past)/3)
	first := max(len(past)/3, 2)
	if reach < 1 || first+reach > len(past) {
		return trials{errors: make([][][]float64, len(methods))}
	}
	t := trials{reach: reach, errors: make([][][]float64, len(methods))}
	room := len(past) - reach - first
	stride := max(1, room/origins)
	for at := len(past) - reach; at >= first; at -= stride {
		if math.IsNaN(past[at-1]) {
			continue
		}
		t.count++
		for m := range methods {
			fc := methods[m].ahead(past[:at], reach)
			for h := range fc {
				fc[h] = past[at+h] - fc[h]
			}
			t.errors[m] = append(t.errors[m], fc)
		}
	}
	for m := range t.errors {
		slices.Reverse(t.errors[m]) // the oldest first
	}
	return t
}

// loss is the mean pinball loss of a method on the later half of the origins,
// with quantiles from the earlier half.
func (t *trials) loss(m int) float64 {
	half := t.count / 2
	early, late := t.errors[m][:half], t.errors[m][half:]
	sum, n := 0.0, 0
	for h := range t.reach {
		errs := pool(early, h, m == 0)
		if len(errs) == 0 {
			continue
		}
		for _, level := range Levels {
			q := quantile(errs, level)
			for _, e := range late {
				if d := e[h] - q; !math.IsNaN(d) {
					sum += max(level*d, (level-1)*d)
					n++
				}
			}
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / float64(n)
}

// pool returns the errors at step h and those near it, sorted: neighbouring
// horizons err alike, and alone there are too few. both takes each error with
// both signs: the last value claims no direction, and must not be given one.
func pool(errs [][]float64, h int, both bool) []float64 {
	width := min((h+1)/4, 8)
	var out []float64
	for _, e := range errs {
		for i := max(0, h-width); i <= min(len(e)-1, h+width); i++ {
			if !math.IsNaN(e[i]) {
				out = append(out, e[i])
				if both {
					out = append(out, -e[i])
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

// spread writes the quantiles of f around its mean, from the errors of method
// m at each step. Past what was tried they widen as a random walk's do.
func (t *trials) spread(f *Forecast, m int, past []float64) {
	for i := range f.Quantiles {
		f.Quantiles[i] = make([]float64, len(f.Mean))
	}
	fallback := steps(past)
	var errs []float64
	for h := range f.Mean {
		wider := 1.0
		switch {
		case t.count < fewestOrigins:
			errs, wider = fallback, math.Sqrt(float64(h+1))
		case h < t.reach:
			errs = pool(t.errors[m], h, m == 0)
		default:
			wider = math.Sqrt(float64(h+1) / float64(t.reach))
		}
		if len(errs) == 0 {
			errs, wider = fallback, math.Sqrt(float64(h+1))
		}
		for i, level := range Levels {
			f.Quantiles[i][h] = f.Mean[h] + wider*quantile(errs, level)
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
