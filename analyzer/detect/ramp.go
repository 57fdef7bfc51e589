package detect

import "math"

// A ramp says whether a value grows without end, as what leaks does. Each of its
// samples is usual, in a series that wanders by as much in minutes; so it asks
// about an hour and a half of means, whether they lie on a line that rises.
type ramp struct {
	means [rampMeans]float32 // of the newest stretches of time, oldest first
	noise float32            // how far a mean usually is from the one before
	known uint16             // how many means there were
	n     uint16             // samples of the present stretch
	sum   float64            // of them
	from  int64              // when it began, Unix milliseconds
}

const (
	// Ten minutes are several samples, and nine times that is as soon as a leak of 200
	// MiB a minute has a fifth of a large GPU. With six, a quarter of such leaks in recorded
	// GPUs is no steeper than what these do by themselves; with fifteen, what fills
	// a GPU in an hour is no line.
	rampMeans, rampStretch = 9, 600_000

	// As many before them say what is usual.
	rampAfter = 2 * rampMeans

	// How many standard errors from level the line is, at least. By themselves, the
	// steepest of 144 recorded GPUs was 6.7 in the memory and 7.3 in the use, in 106
	// days of each; half the leaks of 200 MiB a minute pass 10. It is no rate: a day of
	// ten minutes is too few to say what one in ten thousand is.
	rampSteep = 8

	// The memory of the noise, in means: a leak must not be its own noise.
	rampNoise = 0.02
)

// rises takes a sample. At the end of a stretch it reports whether the value
// grew all along, and where that began.
func (r *ramp) rises(ms int64, v float64, d Direction) (begin float64, rises bool) {
	if ms-r.from < rampStretch {
		r.sum += v
		r.n += min(1, math.MaxUint16-r.n)
		return 0, false
	}
	if ms-r.from >= 2*rampStretch { // the first sample, or a gap
		*r = ramp{noise: r.noise, n: 1, sum: v, from: ms}
		return 0, false
	}
	mean := float32(r.sum / float64(r.n))
	if r.known > 0 {
		r.noise += max(rampNoise, 1/float32(r.known)) * (abs(mean-r.means[rampMeans-1]) - r.noise)
	}
	copy(r.means[:], r.means[1:])
	r.means[rampMeans-1] = mean
	r.known += min(1, math.MaxUint16-r.known)
	r.n, r.sum, r.from = 1, v, ms
	if r.known < rampAfter {
		return 0, false
	}
	slope, errors := r.slope()
	if d == Low {
		slope = -slope
	}
	return float64(r.means[0]), slope > rampSteep*errors
}

// slope returns how much the means grow from one to the next, by least squares,
// and the standard error of that.
func (r *ramp) slope() (slope, err float32) {
	const squares = rampMeans * (rampMeans*rampMeans - 1) / 12.0 // of the times around their middle
	var cross, middle float32
	for i, m := range r.means {
		cross += (float32(i) - (rampMeans-1)/2.0) * m
		middle += m / rampMeans
	}
	slope = cross / squares
	var rest float64
	for i, m := range r.means {
		left := float64(m - middle - slope*(float32(i)-(rampMeans-1)/2.0))
		rest += left * left
	}
	// What lies on a line by chance is as far from it as such means usually are.
	spread := max(float32(math.Sqrt(rest/(rampMeans-2))), r.noise)
	return slope, spread / float32(math.Sqrt(squares))
}
