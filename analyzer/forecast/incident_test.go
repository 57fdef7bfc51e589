package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// What went wrong yesterday is not expected today: not as a mean, and not as a
// narrow band around it.
func TestAnIncidentIsNotExpectedAgain(t *testing.T) {
	const perDay = 288
	wave := func(i int) float64 { return 100 + 20*math.Sin(2*math.Pi*float64(i)/perDay) }
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		s := makeSeries(14*perDay, 5*time.Minute, func(i int) float64 { return wave(i) + 2*rnd.NormFloat64() })
		s.Values[12*perDay+100] = 250
		for i := range 60 {
			s.Values[13*perDay+i] += 60
		}
		f := must(t, s, 24, Options{})
		for h, v := range f.Mean {
			if want := wave(len(s.Values) + h); math.Abs(v-want) > 4 {
				t.Errorf("seed %d, step %d: %.1f by %s, want about %.1f", seed, h, v, f.Method, want)
				break
			}
		}
	}
}

// One value, or two, that are far from what was expected are a spike, which is
// not carried on; a third is a new level, which is.
func TestASpikeIsNotCarriedOn(t *testing.T) {
	const perDay = 288
	for _, tt := range []struct {
		far     int // values at the end
		carried float64
	}{{0, 0}, {1, 0}, {2, 0}, {12, 60}} {
		rnd := rand.New(rand.NewPCG(14, 14))
		s := makeSeries(8*perDay, 5*time.Minute, func(i int) float64 { return 100 + 20*math.Sin(2*math.Pi*float64(i)/perDay) + 2*rnd.NormFloat64() })
		for i := range tt.far {
			s.Values[len(s.Values)-1-i] += 60
		}
		f := must(t, s, 12, Options{})
		want := 100 + tt.carried
		if v := f.Mean[2]; math.Abs(v-want) > 12 {
			t.Errorf("%d values far away: %.1f by %s, want about %.1f", tt.far, v, f.Method, want)
		}
	}
}
