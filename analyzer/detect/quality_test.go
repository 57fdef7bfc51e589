package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Ten days at a step of five minutes; the trouble is on the eighth.
const (
	perDay  = 288
	span    = 10 * perDay
	trouble = 7*perDay + 100
)

// kinds are made-up series: what is usual, and what goes wrong from step
// trouble on, k steps into it. lasts is how long an alert is right.
var kinds = []struct {
	name  string
	lasts int
	value func(rnd *rand.Rand, i, k int) float64
}{
	{"nothing, flat", 0, func(r *rand.Rand, i, k int) float64 { return 60 + r.NormFloat64() }},
	{"nothing, daily", 0, func(r *rand.Rand, i, k int) float64 { return daily(i) + 2*r.NormFloat64() }},
	{"nothing, heavy tails", 0, func(r *rand.Rand, i, k int) float64 { return 5 * math.Exp(r.NormFloat64()) }},
	{"nothing, wandering", 0, func(r *rand.Rand, i, k int) float64 { return daily(i/7) + 5*r.NormFloat64() }},
	{"spike of 15 sigma", 3, func(r *rand.Rand, i, k int) float64 { return 60 + r.NormFloat64() + 15*pulse(k, 1) }},
	{"spike of 30 sigma in a daily load", 3, func(r *rand.Rand, i, k int) float64 { return daily(i) + 2*r.NormFloat64() + 60*pulse(k, 2) }},
	{"level up by 12 sigma", 48, func(r *rand.Rand, i, k int) float64 { return 60 + r.NormFloat64() + 12*pulse(k, span) }},
	{"level up by 4 sigma", 96, func(r *rand.Rand, i, k int) float64 { return 60 + r.NormFloat64() + 4*pulse(k, span) }},
	{"ramp of 20 sigma in two hours", 60, func(r *rand.Rand, i, k int) float64 { return 60 + r.NormFloat64() + 20*min(1, max(0, float64(k)/24)) }},
	{"daily load falls to nothing", 48, func(r *rand.Rand, i, k int) float64 {
		return (daily(i) + 2*r.NormFloat64()) * (1 - pulse(k, 36))
	}},
	{"errors where there were none", 12, func(r *rand.Rand, i, k int) float64 { return 5 * pulse(k, 12) }},
}

func daily(i int) float64 { return 100 + 60*math.Sin(2*math.Pi*float64(i)/perDay) }

func pulse(k, n int) float64 {
	if k >= 0 && k < n {
		return 1
	}
	return 0
}

// TestQuality keeps what the detector finds, how fast, and how often it cries
// wolf in a file, so that a change of quality shows as a change of that file.
func TestQuality(t *testing.T) {
	const seeds = 20
	var b strings.Builder
	b.WriteString("kind,found,of,median_delay_steps,false_alerts,series_days\n")
	for _, kind := range kinds {
		var delays []int
		wrong := 0
		for seed := range uint64(seeds) {
			rnd := rand.New(rand.NewPCG(seed, 42))
			var s LevelState
			var a alarm
			found := false
			for i := range span {
				var d distances
				s.observe(int64(i)*5*minute, kind.value(rnd, i, i-trouble), &d)
				if !a.sounds(&d, DefaultRate, 300) {
					continue
				}
				switch k := i - trouble; {
				case k >= 0 && k < kind.lasts && !found:
					found = true
					delays = append(delays, k)
				case k < 0 || k >= 2*kind.lasts:
					wrong++
				}
			}
		}
		slices.Sort(delays)
		delay, of := "", 0
		if len(delays) > 0 {
			delay = fmt.Sprint(delays[len(delays)/2])
		}
		if kind.lasts > 0 {
			of = seeds
		}
		fmt.Fprintf(&b, "%q,%d,%d,%s,%d,%d\n", kind.name, len(delays), of, delay, wrong, seeds*span/perDay)
	}
	golden(t, "testdata/quality.csv", b.String())
}
