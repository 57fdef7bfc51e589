package ranking

import (
	"math"
	"time"

	"vedette.dev/analyzer/snapshot"
)

// Onset returns when samples changed for the worse: where the mean before and
// the mean after differ most for the spread within. Lower is worse where falls
// says so. It reports false where nothing stands out.
func Onset(samples []snapshot.Sample, falls bool) (time.Time, bool) {
	i := change(samples)
	if i < 0 {
		return time.Time{}, false
	}
	before, after := mean(samples[:i]), mean(samples[i:])
	if falls {
		before, after = after, before
	}
	return samples[i].At, after > before
}

// Surge returns by how many times samples rose, and since when, where they had
// been steady before for a quarter of the time: a load that grows all along is a
// day's or a test's.
func Surge(samples []snapshot.Sample) (ratio float64, since time.Time, ok bool) {
	i := change(samples)
	if i < len(samples)/4 || quantile(samples[:max(i, 1)], 0.95) > steady*quantile(samples[:max(i, 1)], 0.5) {
		return 0, time.Time{}, false
	}
	before, after := mean(samples[:i]), mean(samples[i:])
	return after / max(before, tiny), samples[i].At, after > before
}

// steady is how far above its median a steady series goes.
const steady = 1.6

// fewest is how many samples each side of a change must have.
const fewest = 3

// change returns the index at which two levels divide samples best, -1 where
// none does: of what is left of the variance, less than half may be within them.
func change(samples []snapshot.Sample) int {
	n := len(samples)
	if n < enough {
		return -1
	}
	sum, squares := 0.0, 0.0
	for _, p := range samples {
		if math.IsNaN(p.Value) {
			return -1
		}
		sum += p.Value
		squares += p.Value * p.Value
	}
	total := squares - sum*sum/float64(n)
	best, at, left := 0.0, -1, 0.0
	for i, p := range samples {
		if i >= fewest && n-i >= fewest {
			l, r := left/float64(i), (sum-left)/float64(n-i)
			if between := float64(i) * float64(n-i) / float64(n) * (l - r) * (l - r); between > best {
				best, at = between, i
			}
		}
		left += p.Value
	}
	if at < 0 || best < total/2 {
		return -1
	}
	return at
}
