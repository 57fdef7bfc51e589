// Package forecast says where a series is going, with its quantiles, and when
// it will reach a limit.
//
// Every method is tried on the series' own past first. They are mixed by what
// each lost there of late, and the quantiles are the errors of the mix; no
// distribution is assumed. What a reader would get wrong: a forecast that is not
// usable still has numbers in it. They are the last value, carried on, because
// nothing did better on this series.
package forecast

import (
	"errors"
	"fmt"
	"math"
	"time"

	"vedette.dev/analyzer/series"
)

// Levels are the quantiles every forecast has, from the lowest.
var Levels = [...]float64{0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95}

// A Forecast is what a series is expected to do.
type Forecast struct {
	Start     time.Time     // of the first value forecast
	Step      time.Duration // between values
	Mean      []float64
	Quantiles [len(Levels)][]float64 // by Levels; they do not cross
	Usable    bool                   // false: nothing beat carrying the last value on
	Method    string                 // in words
	Caveats   []string               // why it may be wrong
}

// At returns the time of the i'th value forecast.
func (f Forecast) At(i int) time.Time { return f.Start.Add(time.Duration(i) * f.Step) }

// Quantile returns the values of one of [Levels]. It reports false for another.
func (f Forecast) Quantile(level float64) ([]float64, bool) {
	for i, l := range Levels {
		if math.Abs(l-level) < 1e-9 {
			return f.Quantiles[i], true
		}
	}
	return nil, false
}

// Options say what is known of the series. The zero value is nothing.
type Options struct {
	Season time.Duration // how long one cycle is; 0 looks for one
	None   bool          // there is no cycle, and none is looked for
}

const (
	// The longest past that is read, in samples; two weeks at five minutes are 4,032.
	longest = 8192

	// maxHorizon bounds what a caller can ask for.
	maxHorizon = 100_000
)

// Make forecasts the horizon steps after the last value of s that is not
// missing. Missing values are gaps, not zeros. Fewer than two values are an error.
func Make(s series.Series, horizon int, o Options) (Forecast, error) {
	if horizon < 1 || horizon > maxHorizon {
		return Forecast{}, fmt.Errorf("forecast %s: horizon is %d steps, want 1 to %d", s, horizon, maxHorizon)
	}
	if s.Step <= 0 {
		return Forecast{}, fmt.Errorf("forecast %s: step is %s", s, s.Step)
	}
	values, exponent := nearOne(s.Values)
	s.Values = values
	last, _, ok := s.Last()
	if !ok || s.Present() < 2 {
		return Forecast{}, fmt.Errorf("forecast %s: %w", s, errTooShort)
	}
	past := s.Values[:int(last.Sub(s.Start)/s.Step)+1]
	past = past[max(0, len(past)-longest):]

	f := Forecast{Start: last.Add(s.Step), Step: s.Step}
	if have := (series.Series{Values: past}).Present(); have < len(past)*9/10 {
		f.Caveats = append(f.Caveats, fmt.Sprintf("only %d of %d samples are there", have, len(past)))
	}
	methods := candidates(past, s.Step, o, horizon)
	t := try(past, horizon, methods)
	weights, share := t.weigh()
	f.Usable = t.beaten(share)
	switch {
	case len(t.at) < fewestOrigins:
		f.Caveats = append(f.Caveats, fmt.Sprintf("%d samples are too few to try a method on the past", len(past)))
	case !f.Usable:
		f.Caveats = append(f.Caveats, "no method beat carrying the last value on")
	}
	if t.reach < horizon && len(t.at) >= fewestOrigins {
		f.Caveats = append(f.Caveats, fmt.Sprintf("tried for %d steps ahead, the rest of the %d is extrapolated", t.reach, horizon))
	}
	if f.Usable {
		f.Method = t.describe(methods, weights)
		t.write(&f, horizon, past, methods, weights)
		if f.Usable = f.scale(exponent); !f.Usable {
			f.Caveats = append(f.Caveats, "it would exceed what a number can hold")
		}
	}
	if !f.Usable {
		f.Method = methods[0].name
		t.write(&f, horizon, past, methods, t.only(0, len(methods)))
		f.scale(exponent)
	}
	return f, nil
}

// write fills in mean and quantiles by a mix of methods.
func (t *trials) write(f *Forecast, horizon int, past []float64, methods []method, weights [][]float64) {
	f.Mean = t.mean(horizon, len(past), methods, weights)
	var errs [][]float64
	if len(t.at) >= fewestOrigins {
		for b := range t.bands {
			errs = append(errs, t.intervals(b, t.mixed(b, weights[b]), !f.Usable))
		}
	}
	t.spread(f, errs, past)
}

var errTooShort = errors.New("needs two samples")
