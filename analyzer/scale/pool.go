package scale

import "math"

// A Pool is machines, or pods, that come up slowly and go away at once.
// Times are in minutes: every sample of demand is one.
type Pool struct {
	Capacity float64 // the demand that one unit meets
	Boot     int     // minutes from asking for a unit to its first work
	Min, Max int     // units; a Max of 0 is no limit
	Step     int     // how many units a forecast adds at most; 0: as many as demand asks for, or 2
}

// hold is how many minutes fewer units must be enough before any goes: what the
// cluster autoscaler waits by default
// (https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, scale-down-unneeded-time).
const hold = 10

// A Run is what a pool came to.
type Run struct {
	Minutes     int `json:"minutes"`     // with a demand that is known
	Overloaded  int `json:"overloaded"`  // in which the units at work could not meet it
	UnitMinutes int `json:"unitMinutes"` // paid for: units boot at the price of those that work
}

// Overload returns the share of minutes that were overloaded.
func (r Run) Overload() float64 { return float64(r.Overloaded) / float64(r.Minutes) }

// units returns how many units meet a demand, within the limits of the pool.
func (p Pool) units(demand float64) int {
	if math.IsNaN(demand) || demand < 0 {
		demand = 0
	}
	n := max(p.Min, int(math.Ceil(demand/p.Capacity-1e-9))) // capacity times a whole number is that number of units
	if p.Max > 0 {
		n = min(n, p.Max)
	}
	return n
}

// Simulate runs the pool through demand, a value a minute, where wanted says
// after each minute how many units there should be. More are ordered at once and
// work after the boot; fewer are kept once fewer were wanted for as long as hold.
func (p Pool) Simulate(demand []float64, wanted func(minute int) int) Run {
	var r Run
	if len(demand) == 0 {
		return r
	}
	working := p.units(demand[0])
	coming := make([]int, p.Boot) // by the minutes until they work
	asked := make([]int, 0, len(demand))
	for at, d := range demand {
		if p.Boot > 0 {
			working += coming[0]
			copy(coming, coming[1:])
			coming[p.Boot-1] = 0
		}
		total := working
		for _, n := range coming {
			total += n
		}
		r.UnitMinutes += total
		if !math.IsNaN(d) {
			r.Minutes++
			if float64(working)*p.Capacity < d-1e-9*p.Capacity {
				r.Overloaded++
			}
		}
		asked = append(asked, wanted(at))
		target := 0
		for _, n := range asked[max(0, at+1-hold):] {
			target = max(target, n)
		}
		switch {
		case target > total && p.Boot == 0:
			working = target
		case target > total:
			coming[p.Boot-1] = target - total
		case target < total:
			working = max(0, working-(total-target))
		}
	}
	return r
}

// Reactive wants what the demand of the minute asks for, with units no fuller than share.
func (p Pool) Reactive(demand []float64, share float64) Run {
	return p.Simulate(demand, func(at int) int { return p.units(demand[at] / share) })
}

// Clairvoyant wants what the demand will ask for until a unit ordered now works.
func (p Pool) Clairvoyant(demand []float64) Run {
	return p.Simulate(demand, func(at int) int {
		return p.units(highest(demand[at:min(len(demand), at+p.Boot+2)]))
	})
}

// Least is the fewest unit-minutes that meet the demand, where units come and go at once.
func (p Pool) Least(demand []float64) int {
	n := 0
	for _, d := range demand {
		n += p.units(d)
	}
	return n
}
