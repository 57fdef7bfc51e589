package scale

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"vedette.dev/analyzer/series"
)

// working is a service that offices use: at weekends there is a fifth of it.
// The first day is a Monday.
func working(days int) series.Series {
	r := rand.New(rand.NewPCG(5, 6))
	s := series.Series{Start: start, Step: time.Minute}
	for i := range days * day {
		share := 1.0
		if weekday := i / day % 7; weekday >= 5 {
			share = 0.2
		}
		s.Values = append(s.Values, share*(500-400*math.Cos(2*math.Pi*float64(i)/day))+5*r.NormFloat64())
	}
	return s
}

// Once there are two weeks, a Monday is forecast from Mondays: before, the days
// of which some were a weekend's spoil it. On a service whose days are alike
// nothing changes.
func TestWeek(t *testing.T) {
	err := func(s *Study, from, to int, forecast []float64) float64 {
		sum := 0.0
		for i := from; i < to; i++ {
			sum += math.Abs(highest(s.demand[i+1:i+1+s.reach()]) - forecast[i])
		}
		return sum / float64(to-from)
	}
	byDay := func(s *Study) []float64 {
		out := make([]float64, len(s.demand))
		for i := range out {
			out[i] = s.ahead(i, s.usual)
		}
		return out
	}
	p := pool
	p.Boot = 30 // the longer it takes, the more the course of the day tells
	s := study(t, working(15), p)
	for _, tt := range []struct {
		name     string
		from, to int
		most     float64 // of the error by the course of the day
	}{{"the second Monday", 7 * day, 8*day - 60, 1}, {"the third Monday", 14 * day, 15*day - 60, 0.5}} {
		got, plain := err(s, tt.from, tt.to, s.forecasts()), err(s, tt.from, tt.to, byDay(s))
		if got > tt.most*plain {
			t.Errorf("%s: forecasts err by %.1f, those by the course of the day by %.1f, want %g of it at most", tt.name, got, plain, tt.most)
		}
	}
	alike := study(t, daily(15), p)
	if got, plain := err(alike, 14*day, 15*day-60, alike.forecasts()), err(alike, 14*day, 15*day-60, byDay(alike)); got > 1.05*plain {
		t.Errorf("where days are alike forecasts err by %.1f, those by the course of the day by %.1f", got, plain)
	}
}
