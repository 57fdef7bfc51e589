package forecast

import (
	"math"
	"testing"
)

// tally sums what forecasts of one series cost.
type tally struct {
	scale         float64              // mean absolute difference of values one season apart, of the training part
	n             int                  // values compared
	errors, size  float64              // sums of |actual - mean| and of |actual|
	smape         float64              // sum of 200 |actual - mean| / (|actual| + |mean|)
	pinball       [len(Levels)]float64 // sum, by level
	within, inner float64              // actuals inside nine tenths, inside eight tenths
}

// seasonScale is the scale of the scaled error.
func seasonScale(past []float64, season int) float64 {
	sum, n := 0.0, 0
	for i := season; i < len(past); i++ {
		if d := math.Abs(past[i] - past[i-season]); !math.IsNaN(d) {
			sum += d
			n++
		}
	}
	return sum / float64(n)
}

// add compares a forecast with what came; a missing value compares with nothing.
func (t *tally) add(actual []float64, f Forecast) {
	for h, y := range actual {
		if math.IsNaN(y) {
			continue
		}
		e := math.Abs(y - f.Mean[h])
		t.n++
		t.errors += e
		t.size += math.Abs(y)
		if both := math.Abs(y) + math.Abs(f.Mean[h]); both > 0 {
			t.smape += 200 * e / both
		}
		for i, level := range Levels {
			if len(f.Quantiles[i]) == 0 {
				continue
			}
			d := y - f.Quantiles[i][h]
			t.pinball[i] += max(level*d, (level-1)*d)
		}
		if len(f.Quantiles[0]) == 0 {
			continue
		}
		if low, high := f.Quantiles[0][h], f.Quantiles[len(Levels)-1][h]; low <= y && y <= high {
			t.within++
		}
		if low, high := f.Quantiles[1][h], f.Quantiles[len(Levels)-2][h]; low <= y && y <= high {
			t.inner++
		}
	}
}

func (t *tally) mase() float64 { return t.errors / float64(t.n) / t.scale }

// wql is the weighted quantile loss over the levels 0.1 to 0.9.
func (t *tally) wql() float64 {
	sum := 0.0
	for _, p := range t.pinball[1 : len(Levels)-1] {
		sum += p
	}
	return 2 * sum / float64(len(Levels)-2) / t.size
}

func TestTally(t *testing.T) {
	f := Forecast{Mean: []float64{10, 10}}
	for i, level := range Levels {
		f.Quantiles[i] = []float64{20 * level, 20 * level}
	}
	s := tally{scale: seasonScale([]float64{1, 5, 3, 7, math.NaN(), 9}, 2)} // 2, 2 and 2 apart
	s.add([]float64{12, math.NaN()}, f)
	// Pinball of 12 under quantiles 2 to 18: level × (12 − 20 level) below, (1 − level) × (20 level − 12) above.
	pin := 0.1*10 + 0.2*8 + 0.3*6 + 0.4*4 + 0.5*2 + 0 + 0.3*2 + 0.2*4 + 0.1*6
	for name, got := range map[string][2]float64{
		"MASE": {s.mase(), 1}, "sMAPE": {s.smape, 200.0 * 2 / 22}, "WQL": {s.wql(), 2 * pin / 9 / 12}, "within": {s.within, 1}, "n": {float64(s.n), 1},
	} {
		if math.Abs(got[0]-got[1]) > 1e-9 {
			t.Errorf("%s is %g, want %g", name, got[0], got[1])
		}
	}
}
