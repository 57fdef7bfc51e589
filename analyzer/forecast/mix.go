package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	// A forecast must lose less than the last value by this share, over the root
	// of how many of those that judge it do not overlap, or the gain is luck: a
	// twentieth of an hour ahead over a day and a half. Of walks, which nothing
	// can foretell, one in ten then passes where the horizon is a quarter of the past,
	// one in a hundred where it is short; of lines that climb in it by thrice their
	// noise, six in seven.
	luck = 0.3

	// A loss counts by so much less with each origin back.
	older = 0.98

	// Weights go by this power of the loss: a method that loses a fifth more
	// than the best counts for a third of it.
	sharpness = 6

	// A method that counts for less than this share is left out.
	leastWeight = 0.05
)

// weigh returns the weights of the methods by band, from what each lost of late,
// and what the mix lost as a share of what the last value did, over all steps.
func (t *trials) weigh() (weights [][]float64, share float64) {
	sum, n := 0.0, 0.0
	for b := range t.bands {
		losses := make([]float64, len(t.errs))
		for m := range t.errs {
			losses[m] = loss(t.errs[m][b], m == 0)
		}
		naive := losses[0]
		if math.IsInf(slices.Min(losses), 1) && b > 0 {
			weights = append(weights, weights[b-1]) // nothing came of late that far ahead
			continue
		}
		// Two methods that lose the same are one: a line that is none is the last
		// value, and must not count twice. Below a billionth is rounding.
		for m := range losses {
			losses[m] = max(losses[m], 1e-9*naive)
		}
		for m, l := range losses {
			if slices.Contains(losses[:m], l) {
				losses[m] = math.Inf(1)
			}
		}
		w := byLoss(losses)
		weights = append(weights, w)
		mixed := naive
		if w[0] < 1 {
			mixed = loss(t.mixed(b, w), false)
		}
		if naive > 0 && !math.IsInf(mixed, 1) {
			steps := float64(t.bands[b].to - t.bands[b].from)
			sum, n = sum+steps*mixed/naive, n+steps
		}
	}
	if n == 0 {
		return weights, math.Inf(1)
	}
	return weights, sum / n
}

// beaten reports whether to lose this share of what the last value loses is more than luck.
func (t *trials) beaten(share float64) bool {
	if len(t.at) < fewestOrigins {
		return false
	}
	apart := float64(t.at[len(t.at)-1]-t.at[len(t.at)/2]) / float64(t.reach)
	return share < 1-luck/math.Sqrt(max(1, apart))
}

// only returns the weights of one of n methods.
func (t *trials) only(m, n int) [][]float64 {
	w := make([]float64, n)
	w[m] = 1
	return slices.Repeat([][]float64{w}, max(1, len(t.bands)))
}

// byLoss turns losses into weights that sum to one.
func byLoss(losses []float64) []float64 {
	w := make([]float64, len(losses))
	least := slices.Min(losses)
	if math.IsInf(least, 1) {
		w[0] = 1
		return w
	}
	for range 2 { // once more without those that count for little
		sum := 0.0
		for m, l := range losses {
			if l == least {
				w[m] = 1
			} else {
				w[m] = math.Pow(least/l, sharpness)
			}
			sum += w[m]
		}
		for m := range w {
			if w[m] /= sum; w[m] < leastWeight {
				losses[m], w[m] = math.Inf(1), 0
			}
		}
	}
	return w
}

// mixed returns the errors of a mix in a band: by origin and step.
func (t *trials) mixed(b int, w []float64) [][]float64 {
	out := make([][]float64, len(t.at))
	for k := range out {
		out[k] = make([]float64, len(t.bands[b].at))
		for m, share := range w {
			if share == 0 {
				continue
			}
			for i, e := range t.errs[m][b][k] {
				out[k][i] += share * e
			}
		}
	}
	return out
}

// loss is the mean pinball loss of errors by origin on the later half of the
// origins, with quantiles from the earlier half: what the quantiles have seen
// says nothing of them. both takes each error with both signs: the last value
// claims no direction, and must not be given one.
func loss(errs [][]float64, both bool) float64 {
	half := len(errs) / 2
	seen := pool(errs[:half], both)
	if len(seen) == 0 {
		return math.Inf(1)
	}
	var q [len(Levels)]float64
	for i, level := range Levels {
		q[i] = quantile(seen, level)
	}
	sum, n, w := 0.0, 0.0, 1.0
	for k := len(errs) - 1; k >= half; k-- {
		for _, e := range errs[k] {
			if math.IsNaN(e) {
				continue
			}
			for i, level := range Levels {
				d := e - q[i]
				sum += w * max(level*d, (level-1)*d)
			}
			n += w
		}
		w *= older
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / n / float64(len(Levels))
}

// mean carries the past on by the methods, each weighed as in the band of the step.
func (t *trials) mean(n, at int, methods []method, weights [][]float64) []float64 {
	out, one := make([]float64, n), make([]float64, n)
	for m := range methods {
		if !slices.ContainsFunc(weights, func(w []float64) bool { return w[m] > 0 }) {
			continue
		}
		methods[m].ahead(at, one)
		b := 0
		for h, v := range one {
			for b < len(t.bands)-1 && h >= t.bands[b].to {
				b++
			}
			out[h] += weights[b][m] * v
		}
	}
	return out
}

// describe names the methods of a mix with their shares, the largest first.
func (t *trials) describe(methods []method, weights [][]float64) string {
	type share struct {
		name string
		of   float64
	}
	var shares []share
	for m := range methods {
		sum := 0.0
		for b, w := range weights {
			sum += w[m] * float64(t.bands[b].to-t.bands[b].from) / float64(t.reach)
		}
		if sum >= 0.005 {
			shares = append(shares, share{methods[m].name, sum})
		}
	}
	slices.SortStableFunc(shares, func(x, y share) int {
		if x.of > y.of {
			return -1
		}
		return 1
	})
	if len(shares) == 1 {
		return shares[0].name
	}
	var out []string
	for _, s := range shares {
		out = append(out, fmt.Sprintf("%.0f %% %s", 100*s.of, s.name))
	}
	return strings.Join(out, ", ")
}
