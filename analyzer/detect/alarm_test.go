package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// alerts returns at which samples, five minutes apart, alerts begin.
func alerts(rate float64, vs []float64) []int {
	var s LevelState
	var a alarm
	var at []int
	for i, v := range vs {
		var d distances
		s.observe(int64(i)*5*minute, v, &d)
		if a.sounds(&d, rate, 300) {
			at = append(at, i)
		}
	}
	return at
}

// A level that moves and comes back is one incident, and its return no other.
func TestAReturnIsNoAlert(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	vs := make([]float64, 8*perDay)
	for i := range vs {
		vs[i] = 60 + rnd.NormFloat64()
		if i >= 2000 && i < 2060 {
			vs[i] += 25
		}
	}
	if got := alerts(DefaultRate, vs); len(got) != 1 || got[0] < 2000 || got[0] > 2002 {
		t.Errorf("alerts at %v, want one at 2000", got)
	}
	for i := 2200; i < 2210; i++ {
		vs[i] += 40
	}
	if got := alerts(DefaultRate, vs); len(got) != 2 || got[1] != 2200 {
		t.Errorf("alerts at %v, want another at 2200", got)
	}
}

// Heavy or light, chance rings no more than asked for, and more where more is asked.
func TestAlertsKeepToTheRate(t *testing.T) {
	const series, length = 60, 10
	for _, tt := range []struct {
		name string
		draw func(*rand.Rand) float64
	}{
		{"Gaussian", (*rand.Rand).NormFloat64},
		{"Student t(3)", func(r *rand.Rand) float64 {
			a, b, c := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
			return r.NormFloat64() / math.Sqrt((a*a+b*b+c*c)/3)
		}},
		{"lognormal", func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) }},
	} {
		before := -1
		for _, rate := range []float64{1, 30, 1000} {
			n := 0
			for seed := range uint64(series) {
				rnd := rand.New(rand.NewPCG(seed, 77))
				vs := make([]float64, length*perDay)
				for i := range vs {
					vs[i] = tt.draw(rnd)
				}
				n += len(alerts(rate, vs))
			}
			// Twice the rate, and what chance adds to a few.
			if most := 2*rate/1000*series*length + 5; float64(n) > most {
				t.Errorf("%s: %d alerts in %d series-days at %g, want at most %.0f", tt.name, n, series*length, rate, most)
			}
			if n < before {
				t.Errorf("%s: %d alerts at %g, %d at less", tt.name, n, rate, before)
			}
			before = n
		}
		if before < series*length/5 {
			t.Errorf("%s: %d alerts where %d are asked for", tt.name, before, series*length)
		}
	}
}

// The excesses seen say how far the next may be, and a few say little.
func TestAChanceLearnsItsTail(t *testing.T) {
	for _, tt := range []struct {
		name        string
		slope       float64 // of a power law
		samples     int
		least, most float64 // powers of ten, of a hundred times the usual
	}{
		{"young", 0.35, 60, 2, 6},
		{"old and heavy", 0.5, 20_000, 3.5, 5},
		{"old and light", 0.2, 20_000, 12, 40},
	} {
		var c chance
		rnd := rand.New(rand.NewPCG(9, 9))
		for range tt.samples {
			c.rare(float32(math.Exp(tt.slope * rnd.ExpFloat64())))
		}
		if got := c.rare(100); got < tt.least || got > tt.most {
			t.Errorf("%s: a hundred is rare by %.1f powers of ten, want %g to %g", tt.name, got, tt.least, tt.most)
		}
	}
}

// An alarm can be saved as it lies in memory.
func TestAnAlarmIsPlain(t *testing.T) { NewSlab[alarm]("alarm") }
