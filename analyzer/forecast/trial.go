package forecast

import (
	"math"
	"slices"
)

const (
	// Fewer trials than this on the past say nothing of how good a method is.
	fewestOrigins = 8

	// Trials: enough for the 5 % quantile with neighbouring horizons pooled.
	origins = 96

	// Each stride between two trials is longer by this than the next: half of the
	// trials lie in the newest fifth, so that what went wrong of late counts most.
	stretch = 1.02

	// Of the steps of a band, so many are compared.
	compared = 8
)

// A band is a range of steps ahead that err alike.
type band struct {
	from, to int   // steps from 0, to is not in it
	at       []int // those compared
}

// bands returns bands up to n steps ahead, each longer by half than the one before.
func bands(n int) []band {
	var out []band
	for from := 0; from < n; {
		b := band{from: from, to: min(n, from+1+from/2)}
		stride := (b.to - b.from + compared - 1) / compared
		for h := b.from; h < b.to; h += stride {
			b.at = append(b.at, h)
		}
		out = append(out, b)
		from = b.to
	}
	return out
}

// middle is the step ahead that a band speaks for.
func (b band) middle() float64 { return float64(b.from+b.to-1) / 2 }

// trials are the forecasts that every method would have made on the past.
type trials struct {
	reach int // steps ahead that were tried
	bands []band
	at    []int           // the origins, the oldest first
	errs  [][][][]float64 // actual less forecast: by method, band, origin, step; NaN where missing
}

// try carries the past on from many moments of it with each method. Where the
// past ends before the steps ahead do, the rest is missing.
func try(past []float64, horizon int, methods []method) *trials {
	// A third of the past is what methods learn from at the first origin.
	first := max(len(past)/3, 2)
	t := &trials{reach: min(horizon, len(past)/3)}
	if t.reach < 1 || first+t.reach > len(past) {
		return t
	}
	t.bands = bands(t.reach)
	t.at = moments(past, first)
	t.errs = make([][][][]float64, len(methods))
	out := make([]float64, t.reach)
	for m := range methods {
		t.errs[m] = make([][][]float64, len(t.bands))
		for _, at := range t.at {
			out := out[:min(t.reach, len(past)-at)]
			methods[m].ahead(at, out)
			for b, band := range t.bands {
				errs := make([]float64, len(band.at))
				for i, h := range band.at {
					errs[i] = math.NaN()
					if h < len(out) {
						errs[i] = past[at+h] - out[h]
					}
				}
				t.errs[m][b] = append(t.errs[m][b], errs)
			}
		}
	}
	return t
}

// moments returns the origins of trials from first on.
func moments(past []float64, first int) []int {
	room := float64(len(past) - 1 - first)
	stride := max(1, room*(stretch-1)/(math.Pow(stretch, origins)-1))
	var at []int
	for back := 1.0; int(back) <= len(past)-first && len(at) < origins; back += stride {
		if i := len(past) - int(back); !math.IsNaN(past[i-1]) {
			at = append(at, i)
		}
		stride *= stretch
	}
	slices.Reverse(at)
	return at
}

// known returns how many of the origins had their outcome in band b by the moment at.
func (t *trials) known(b band, at int) int {
	n := 0
	for n < len(t.at) && t.at[n]+b.to <= at {
		n++
	}
	return n
}
