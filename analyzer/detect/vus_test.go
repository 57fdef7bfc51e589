package detect

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// vusPR is the volume under the surface of precision and recall over buffers of
// 0 to widest rows, in eleven steps, as Paparrizos et al. define it
// (https://www.vldb.org/pvldb/vol15/p2774-paparrizos.pdf): rows near a labelled
// run count too, the less the farther, and recall is cut by the share of runs
// that nothing was found of. It needs no threshold, takes every row for itself,
// and so says nothing of one alert per incident; it is here because others print it.
func vusPR(scores []float64, label []bool, widest int) float64 {
	const steps = 10
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	volume := 0.0
	for k := range steps + 1 {
		volume += rangePR(scores, label, order, widest*k/steps) / (steps + 1)
	}
	return volume
}

// rangePR is the area under precision and recall at one buffer. order are the
// rows from the highest score down.
func rangePR(scores []float64, label []bool, order []int, buffer int) float64 {
	soft, run, runs := softened(label, buffer)
	positives := 0.0
	for i, l := range label {
		if l {
			positives += 0.5
		}
		positives += soft[i] / 2
	}
	met := make([]bool, runs)
	hit, found, area, before := 0.0, 0, 0.0, 0.0
	for n, i := range order {
		if soft[i] > 0 {
			hit += soft[i]
			if !met[run[i]] {
				met[run[i]], found = true, found+1
			}
		}
		if n+1 < len(order) && scores[order[n+1]] == scores[i] {
			continue
		}
		recall := min(hit/positives, 1) * float64(found) / float64(runs)
		area += (recall - before) * hit / float64(n+1)
		before = recall
	}
	return area
}

// softened returns how much each row counts as labelled, and of which run of
// such rows it is; and how many runs there are.
func softened(label []bool, buffer int) (soft []float64, run []int, runs int) {
	soft, run = make([]float64, len(label)), make([]int, len(label))
	near := func(i, distance int) {
		if i >= 0 && i < len(soft) {
			soft[i] = min(1, soft[i]+math.Sqrt(1-float64(distance)/float64(buffer)))
		}
	}
	for i, l := range label {
		if !l {
			continue
		}
		soft[i] = 1
		for d := 1; d <= buffer/2; d++ {
			if i == 0 || !label[i-1] {
				near(i-d, d)
			}
			if i+1 == len(label) || !label[i+1] {
				near(i+d, d)
			}
		}
	}
	for i := range soft {
		if soft[i] > 0 && (i == 0 || soft[i-1] == 0) {
			runs++
		}
		run[i] = runs - 1
	}
	return soft, run, runs
}

func TestVUS(t *testing.T) {
	label := make([]bool, 100)
	label[40], label[41], label[80] = true, true, true
	at := func(rows ...int) []float64 {
		scores := make([]float64, 100)
		for k, i := range rows {
			scores[i] = 1 - float64(k)/10
		}
		return scores
	}
	exact := func(scores []float64) float64 { return vusPR(scores, label, 0) }
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"all first", exact(at(40, 41, 80)), 1},
		// Two thirds of the rows and half of the runs at a precision of 1; the rest among 97 others.
		{"one run of two", exact(at(40, 41)), 1.0/3 + 2.0/3*3/100},
		{"nothing", exact(at()), 0.03},
	} {
		if math.Abs(tt.got-tt.want) > 1e-9 {
			t.Errorf("%s: %.4f, want %.4f", tt.name, tt.got, tt.want)
		}
	}
	// What is two rows early is nothing exactly, and something with a buffer.
	early := at(38, 78)
	if sharp, wide := exact(early), vusPR(early, label, 20); sharp > 0.05 || wide < 0.2 {
		t.Errorf("two rows early: %.3f without buffers, %.3f with", sharp, wide)
	}
}
