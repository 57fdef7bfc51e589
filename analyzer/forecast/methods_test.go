package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What comes after the moment from which a past is carried on is not looked at.
func TestMethodsDoNotLookAhead(t *testing.T) {
	const n, at = 900, 600
	rnd := rand.New(rand.NewPCG(12, 12))
	past := makeSeries(n, time.Hour, func(i int) float64 {
		return 100 + 40*math.Sin(2*math.Pi*float64(i)/24) + 10*math.Sin(2*math.Pi*float64(i)/168) + 5*rnd.NormFloat64()
	}).Values
	past[300], past[at-3] = math.NaN(), math.NaN()
	other := slices.Clone(past)
	for i := at; i < n; i++ {
		other[i] += 20 * rnd.Float64()
	}
	ms, others := candidates(past, time.Hour, Options{}, 200), candidates(other, time.Hour, Options{}, 200)
	if len(ms) != 14 || len(others) != len(ms) {
		t.Fatalf("there are %d and %d methods, want 14: two, and six for day and week", len(ms), len(others))
	}
	got, want := make([]float64, 200), make([]float64, 200)
	for m := range ms {
		ms[m].ahead(at, want)
		others[m].ahead(at, got)
		if !slices.Equal(got, want) {
			t.Errorf("%s looks ahead", ms[m].name)
		}
		if slices.ContainsFunc(got, math.IsNaN) {
			t.Errorf("%s has gaps", ms[m].name)
		}
	}
}

// Each method carries on what it was made for: a day of noise, over a climb.
func TestMethodsFollowACycle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 13))
	wave := func(i int) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(i)/24) }
	past := makeSeries(480, time.Hour, func(i int) float64 { return wave(i) + rnd.NormFloat64() }).Values
	out := make([]float64, 60)
	for _, m := range candidates(past, time.Hour, Options{}, len(out)) {
		if m.name == "last value" || m.name == "trend" {
			continue
		}
		m.ahead(len(past), out)
		for h, v := range out {
			if math.Abs(v-wave(480+h)) > 6 {
				t.Errorf("%s, step %d: %.1f, want about %.1f", m.name, h, v, wave(480+h))
				break
			}
		}
	}
}

// A climb within its noise is forecast without a slant to either side.
func TestANoisyLineGoesOn(t *testing.T) {
	usable, off := 0, 0.0
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 22))
		line := func(i int) float64 { return 4 * float64(i) / 60 }
		f := must(t, makeSeries(180, 2*time.Minute, func(i int) float64 { return line(i) + rnd.NormFloat64() }), 60, Options{})
		if f.Usable {
			usable++
			off += f.Mean[59] - line(239)
		}
	}
	if usable < 40 || math.Abs(off/float64(usable)) > 0.4 {
		t.Errorf("%d of 50 are usable, and off by %.2f in the mean, want 40 and less than 0.4", usable, off/float64(usable))
	}
}

// A walk goes where it likes: a forecast of it that is called usable is luck.
func TestAWalkIsNotForecast(t *testing.T) {
	for _, tt := range []struct{ n, horizon int }{{400, 12}, {400, 100}, {2000, 30}} {
		usable := 0
		for seed := range uint64(50) {
			rnd := rand.New(rand.NewPCG(seed, 21))
			v := 0.0
			s := makeSeries(tt.n, 5*time.Minute, func(int) float64 { v += rnd.NormFloat64(); return v })
			if must(t, s, tt.horizon, Options{}).Usable {
				usable++
			}
		}
		if usable > 8 { // of 400 samples, a hundred steps are a quarter
			t.Errorf("%d samples, %d steps ahead: %d walks of 50 were called usable", tt.n, tt.horizon, usable)
		}
	}
}
