//go:build bench || scratch

package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// families are made-up series in which nothing is wrong. The constants of
// [chance] and [alarm] were chosen on those that are not called seen, with other
// seeds. The seen ones were not aimed at but were seen, and one, on and off,
// spoke for the geometric mean of three: none is held out.
var families = []struct {
	name string
	step int64 // seconds
	make func(rnd *rand.Rand) func(i int) float64
}{
	{"Gaussian", 300, alone(func(r *rand.Rand) float64 { return 60 + r.NormFloat64() })},
	{"Laplace", 300, alone(func(r *rand.Rand) float64 { return r.ExpFloat64() - r.ExpFloat64() })},
	{"Student t(3)", 300, alone(student3)},
	{"Student t(3), a minute", 60, alone(student3)},
	{"lognormal", 300, alone(func(r *rand.Rand) float64 { return 5 * math.Exp(r.NormFloat64()) })},
	{"AR(1) of 0.9", 300, remembers(0.9)},
	{"AR(1) of 0.99", 300, remembers(0.99)},
	{"daily", 300, func(r *rand.Rand) func(int) float64 {
		return func(i int) float64 { return daily(i) + 5*r.NormFloat64() }
	}},
	{"weekly", 300, func(r *rand.Rand) func(int) float64 {
		return func(i int) float64 { return daily(i/7) + 5*r.NormFloat64() }
	}},
	{"counter as a rate, a minute", 60, func(r *rand.Rand) func(int) float64 {
		return func(i int) float64 { return poisson(r, 30+15*math.Sin(2*math.Pi*float64(i)/1440)) / 60 }
	}},
	{"whole numbers", 300, alone(func(r *rand.Rand) float64 { return math.Round(65 + 0.6*r.NormFloat64()) })},
	{"zero but for 2 %", 300, alone(func(r *rand.Rand) float64 {
		if r.Float64() >= 0.02 {
			return 0
		}
		return math.Ceil(5 * r.ExpFloat64())
	})},
	{"seen: volatile (GARCH)", 300, func(r *rand.Rand) func(int) float64 {
		v, e := 1.0, 0.0
		return func(int) float64 {
			v = 0.05 + 0.1*e*e + 0.85*v
			e = math.Sqrt(v) * r.NormFloat64()
			return e
		}
	}},
	{"seen: Pareto of 2", 300, alone(func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -0.5) })},
	{"seen: gamma of 2, a minute", 60, alone(func(r *rand.Rand) float64 { return r.ExpFloat64() + r.ExpFloat64() })},
	{"seen: one in 20 five times wider", 300, alone(func(r *rand.Rand) float64 {
		if r.Float64() < 0.05 {
			return 5 * r.NormFloat64()
		}
		return r.NormFloat64()
	})},
	{"seen: on and off, a minute", 60, func(r *rand.Rand) func(int) float64 {
		on, left := false, 0
		return func(int) float64 {
			if left--; left <= 0 {
				on, left = !on, int(60*r.ExpFloat64())
			}
			if !on {
				return 0
			}
			return min(100, math.Round(95+3*r.NormFloat64()))
		}
	}},
}

func alone(draw func(*rand.Rand) float64) func(*rand.Rand) func(int) float64 {
	return func(r *rand.Rand) func(int) float64 { return func(int) float64 { return draw(r) } }
}

func student3(r *rand.Rand) float64 {
	a, b, c := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
	return r.NormFloat64() / math.Sqrt((a*a+b*b+c*c)/3)
}

func remembers(share float64) func(*rand.Rand) func(int) float64 {
	return func(r *rand.Rand) func(int) float64 {
		x := 0.0
		return func(int) float64 { x = share*x + r.NormFloat64(); return x }
	}
}

func poisson(r *rand.Rand, mean float64) float64 {
	n, product := 0.0, r.Float64()
	for ; product > math.Exp(-mean); n++ {
		product *= r.Float64()
	}
	return n
}

// TestRates compares the rate of alerts with the rate asked for where nothing is wrong.
func TestRates(t *testing.T) {
	const length, many = 10, 1000 // days of a series; series
	rates := []float64{1, 10, 100, 1000}
	fmt.Printf("rates: alerts per 1,000 series-days where nothing is wrong, of %d series of %d days; one alert more or less is %.1f\n", many, length, 1000.0/many/length)
	fmt.Printf("rates: %-34s", "asked for")
	for _, rate := range rates {
		fmt.Printf(" %8g", rate)
	}
	fmt.Println()
	for number, family := range families {
		var alerts [4]atomic.Int64
		var wg sync.WaitGroup
		slots := make(chan struct{}, runtime.NumCPU())
		for i := range many {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				value := family.make(rand.New(rand.NewPCG(uint64(i), uint64(1000+number))))
				var s LevelState
				var as [4]alarm
				for k := range int(length * day / family.step) {
					var d distances
					s.observe(int64(k)*family.step*1000, value(k), &d)
					for j, rate := range rates {
						if as[j].sounds(&d, rate, float64(family.step)) {
							alerts[j].Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		fmt.Printf("rates: %-34s", family.name)
		for j := range rates {
			fmt.Printf(" %8.1f", float64(alerts[j].Load())/many/length*1000)
		}
		fmt.Println()
	}
}
