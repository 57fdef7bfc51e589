//go:build bench

package scale

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"vedette.dev/fixtures/recorded"
)

func p99(v []float64) float64 {
	var s []float64
	for _, x := range v {
		if !math.IsNaN(x) {
			s = append(s, x)
		}
	}
	slices.Sort(s)
	return s[len(s)*99/100]
}

var order = []string{"ingress-01", "ingress-02", "ingress-03", "ingress-04", "ingress-05", "mongo-01", "mongo-02", "mongo-03", "mongo-04", "machine-01", "twitter"}

// TestPolicies runs pools of some twenty units through the last three days of
// each series. What a policy costs is in multiples of the fewest unit-minutes
// that could have met the demand. "In hindsight" is the cheapest setting that
// kept the objective, chosen on the three days themselves, for the reactive
// policy (how full units are) and the predictive one (which quantile) alike;
// "as advised" is what the program does, which knows only the past.
func TestPolicies(t *testing.T) {
	all := recorded.Demand(t)
	const slo, days = 0.005, 3
	for _, boot := range []int{3, 5, 10} {
		var clairvoyant, reactive, hindsight, advised, overload, kept, n float64
		for _, name := range order {
			demand := all[name]
			p := Pool{Capacity: p99(demand.Values) / 20, Boot: boot}
			s, err := Look(demand, p, slo)
			if err != nil {
				t.Fatal(err)
			}
			r := s.Replay(days)
			times := func(x Run) float64 { return float64(x.UnitMinutes) / float64(r.Least) }
			trust := s.trust(len(demand.Values) - 1)
			best, level := s.cheapest(len(demand.Values)-days*day, slo)
			fmt.Printf("%-10s boot %2dm: clairvoyant %.3f; in hindsight reactive %.3f (%.2f full, %.2f %% overloaded), predictive %.3f (quantile %.3g, %.2f %%); as advised %.3f (%.2f %%); error %.2f of the seasonal naive one, 90 %% quantile covers %.0f %%\n",
				name, boot, times(r.Clairvoyant), times(r.Headroom), r.Fill, 100*r.Headroom.Overload(), times(best), level, 100*best.Overload(), times(r.Predictive), 100*r.Predictive.Overload(), trust.Error, 100*trust.Coverage)
			if name == "twitter" {
				continue // demand jumps within the minute: no policy keeps the objective
			}
			n++
			clairvoyant, reactive, hindsight, advised = clairvoyant+times(r.Clairvoyant), reactive+times(r.Headroom), hindsight+times(best), advised+times(r.Predictive)
			overload += r.Predictive.Overload()
			if r.Predictive.Overload() <= slo {
				kept++
			}
		}
		fmt.Printf("boot %2dm, means of %g series: clairvoyant %.3f; at most %g %% overloaded in hindsight: reactive %.3f, predictive %.3f; as advised %.3f at %.2f %% overloaded, the objective kept by %g\n\n",
			boot, n, clairvoyant/n, 100*slo, reactive/n, hindsight/n, advised/n, 100*overload/n, kept)
		if boot == 10 && hindsight/n > 1.4 {
			t.Errorf("predictive costs %.3f times the least, want at most 1.40", hindsight/n)
		}
	}
}

// cheapest returns the run with the quantile that kept the objective cheapest,
// with no bound on what a forecast adds; the highest quantile's where none did.
func (s *Study) cheapest(from int, slo float64) (best Run, level float64) {
	free := *s
	free.pool.Step = 1 << 20
	best.UnitMinutes = math.MaxInt
	var last Run
	for l, q := range levels {
		last = free.pool.Simulate(free.demand[from:], func(i int) int { return free.wanted(from+i, l) })
		if last.Overload() <= slo && last.UnitMinutes < best.UnitMinutes {
			best, level = last, q
		}
	}
	if level == 0 {
		return last, levels[len(levels)-1]
	}
	return best, level
}
