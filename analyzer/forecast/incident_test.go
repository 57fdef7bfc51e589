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
