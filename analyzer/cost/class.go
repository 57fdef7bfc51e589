package cost

import (
	"math"
	"slices"
	"time"
)

// A Class says what use a GPU-hour was.
type Class string

// The classes, the least use first.
const (
	Quarantined Class = "quarantined" // the GPU was lost, or its node took no pods and nobody had the GPU
	Unallocated Class = "unallocated" // nobody had it
	Idle        Class = "allocated-idle"
	Standby     Class = "idle-held" // idle, and its pod's label says that it is to be
	Low         Class = "low"
	Busy        Class = "busy"
)

// Classes lists all classes.
var Classes = [...]Class{Quarantined, Unallocated, Idle, Standby, Low, Busy}

const (
	// judged is how far back an hour is judged by: a training job's pause for a
	// checkpoint, or a quiet minute of a service, is not idle.
	judged = time.Hour
	// idleBelow is the activity that is none: a driver and a monitoring agent
	// alone show up to about 0.5 %.
	idleBelow = 0.01
	// lowActivity and lowMemory bound what a smaller GPU, or a part of one,
	// would do as well: the largest MIG profile below the whole has 4 of 7
	// slices and half of the memory, and 30 % and 40 % leave room on it.
	lowActivity, lowMemory = 0.30, 0.40
)

// class judges sample i of a part that pods hold: by the samples within judged
// before it that the same pods held it.
func (p *Part) class(i int, step time.Duration, standby bool) Class {
	from := i
	for n := int(judged / step); from > 0 && i-from+1 < n && p.sameHolders(from-1, i); {
		from--
	}
	peak, memory := highest(p.Peak[from:i+1]), highest(p.Memory[from:i+1])
	switch {
	case math.IsNaN(peak):
		return Busy // nobody knows better; a gap says so
	case peak < idleBelow && standby:
		return Standby
	case peak < idleBelow:
		return Idle
	case quantile(0.95, p.Mean[from:i+1]) < lowActivity && !(memory >= lowMemory):
		return Low
	}
	return Busy
}

func (p *Part) sameHolders(i, j int) bool {
	return !slices.ContainsFunc(p.Held, func(h Held) bool { return h.On[i] != h.On[j] })
}

// highest returns the largest value, NaN where there is none.
func highest(vs []float64) float64 {
	top := math.NaN()
	for _, v := range vs {
		if !(v <= top) && !math.IsNaN(v) {
			top = v
		}
	}
	return top
}

// quantile returns the q-quantile of the values there are, as PromQL does, NaN
// where there is none.
func quantile(q float64, vs []float64) float64 {
	vs = slices.DeleteFunc(slices.Clone(vs), math.IsNaN)
	if len(vs) == 0 {
		return math.NaN()
	}
	slices.Sort(vs)
	rank := q * float64(len(vs)-1)
	lo := int(rank)
	hi := min(lo+1, len(vs)-1)
	return vs[lo] + (rank-float64(lo))*(vs[hi]-vs[lo])
}
