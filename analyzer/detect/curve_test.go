package detect

import (
	"math"
	"testing"
)

// What is looked up is what would be computed, to less than a score is read.
func TestCurves(t *testing.T) {
	exact := rarityOf(59.0/32, 4.6, 15.5, 60, 273)
	for z := float32(1e-6); z < 1e30; z *= 1.0137 {
		got, want := math.Cbrt(float64(distance.of(z))), math.Cbrt(float64(exact.of(z)))
		if math.Abs(got-want) > 2e-3 {
			t.Errorf("%g spreads are rare by %.4f powers of ten, want %.4f", z, got, want)
		}
		score, want := float64(regimes.of(z)), 0.0
		if z >= 0.5 {
			want = min(1, together/12*math.Cbrt(float64(z)))
		}
		if math.Abs(score-want) > 3e-4 {
			t.Errorf("a sum of %g scores %.6f, want %.6f", z, score, want)
		}
	}
	if got := distance.of(0); got != 0 {
		t.Errorf("no distance is rare by %g", got)
	}
}

// A value past what a float32 holds is as unusual as can be, and no number is
// where the score should be.
func TestPastAllReckoning(t *testing.T) {
	var s LevelState
	for i := range int64(200) {
		Level{}.Observe(&s, i*minute, float64(i%3)*1e-20)
	}
	for i, v := range []float64{1e30, -1e38, 1e300, 1e300, 0, 1e300} {
		most := float64(s.vouched())
		got := Level{}.Observe(&s, int64(200+i)*minute, v)
		if i < 2 && got.Max() != most {
			t.Errorf("%g scores %v, want %g", v, got, most)
		}
		if math.IsNaN(got.Spike) || math.IsNaN(got.Regime) {
			t.Errorf("%g scores %v", v, got)
		}
	}
}
