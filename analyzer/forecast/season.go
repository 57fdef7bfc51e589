package forecast

import (
	"math"
	"time"
)

const (
	// A cycle is believed from this autocorrelation on: white noise of two
	// hundred samples stays below it, a load that people cause is above.
	repeats = 0.3

	// It must have been seen this many times.
	seenCycles = 2
)

// seasons returns the cycles of a past, in samples: the one that is given, or
// those of day and week that show, or else the one that shows most.
func seasons(past []float64, step time.Duration, o Options) []int {
	if o.None {
		return nil
	}
	fits := func(n int) bool { return n > 1 && len(past) > seenCycles*n }
	if o.Season > 0 {
		if n := int(math.Round(float64(o.Season) / float64(step))); fits(n) {
			return []int{n}
		}
		return nil
	}
	level := withoutTrend(past)
	var found []int
	for _, cycle := range []time.Duration{24 * time.Hour, 7 * 24 * time.Hour} {
		n := int(cycle / step)
		if cycle%step == 0 && fits(n) && correlation(level, n) > repeats {
			found = append(found, n)
		}
	}
	if len(found) > 0 {
		return found
	}
	if n := strongest(level); fits(n) {
		return []int{n}
	}
	return nil
}

// strongest returns the lag at which a past repeats itself most, 0 where it
// does not: the first peak of the autocorrelation within a tenth of its highest.
func strongest(level []float64) int {
	const most = 2000 // lags; a cycle of a day at a minute is one of the clock's
	lags := min(len(level)/(seenCycles+1), most)
	acf := make([]float64, lags+2)
	for n := 1; n < len(acf); n++ {
		acf[n] = correlation(level, n)
	}
	top := 0.0
	peak := func(n int) bool { return acf[n] > repeats && acf[n] >= acf[n-1] && acf[n] >= acf[n+1] }
	for n := 3; n <= lags; n++ {
		if peak(n) {
			top = max(top, acf[n])
		}
	}
	for n := 3; n <= lags; n++ {
		if peak(n) && acf[n] >= 0.9*top {
			return n
		}
	}
	return 0
}

// correlation returns how alike a series without a mean is to itself n samples
// before, over the pairs of which neither is missing.
func correlation(level []float64, n int) float64 {
	var ab, aa, bb float64
	for i := n; i < len(level); i++ {
		a, b := level[i], level[i-n]
		if math.IsNaN(a) || math.IsNaN(b) {
			continue
		}
		ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// withoutTrend takes the straight line out of a past: a line is like itself at
// every lag and would pass for a cycle of any length.
func withoutTrend(past []float64) []float64 {
	var k, sx, sy, sxx, sxy float64
	last := past[len(past)-1]
	for i, v := range past {
		if !math.IsNaN(v) {
			x, y := float64(i), v-last
			k, sx, sy, sxx, sxy = k+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		}
	}
	slope := 0.0
	if vx := sxx - sx*sx/k; vx > 0 {
		slope = (sxy - sx*sy/k) / vx
	}
	mean := (sy - slope*sx) / k
	out := make([]float64, len(past))
	for i, v := range past {
		out[i] = v - last - mean - slope*float64(i)
	}
	return out
}
