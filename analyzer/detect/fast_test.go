package detect

import (
	"math"
	"testing"
)

func TestFastIsExactEnough(t *testing.T) {
	for z := float32(1e-30); z < 1e30; z *= 1.0037 {
		if got, want := float64(log2(z)), math.Log2(float64(z)); math.Abs(got-want) > 2e-5+1e-6*math.Abs(want) {
			t.Fatalf("log2(%g) is %g, want %g", z, got, want)
		}
		if got, want := float64(cbrt(z)), math.Cbrt(float64(z)); math.Abs(got/want-1) > 1e-6 {
			t.Fatalf("cbrt(%g) is %g, want %g", z, got, want)
		}
	}
	for power := -40; power <= 40; power++ {
		if got := log2(float32(math.Ldexp(1, power))); got != float32(power) {
			t.Errorf("log2 of 2 to the %d is %g", power, got)
		}
	}
}
