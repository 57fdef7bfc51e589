package detect

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// Alerts against labelled events: an event is found by an alert from its first
// row to ten minutes past its last, found once however many alerts it has, and
// every alert elsewhere is a mistake. There is one threshold for all series.

// An event is a run of labelled rows, by Unix seconds.
type event struct{ from, to int64 }

// grace is how late an alert may be, in seconds: who is woken ten minutes
// after it is over still finds the traces.
const grace = 600

// eventsOf returns the runs of labelled rows.
func eventsOf(at []int64, label []bool) []event {
	var out []event
	for i := range at {
		switch {
		case !label[i]:
		case i > 0 && label[i-1]:
			out[len(out)-1].to = at[i] + grace
		default:
			out = append(out, event{at[i], at[i] + grace})
		}
	}
	return out
}

// held keeps one score for each incident: after one, within hold rows only a
// higher one passes.
func held(scores []float64, hold int) []float64 {
	out := make([]float64, len(scores))
	last, peak := -hold, 0.0
	for i, s := range scores {
		if s > 0 && (i-last >= hold || s > peak) {
			out[i], last, peak = s, i, s
		}
	}
	return out
}

// A hit is one alert: how high its score is and which event it is in, of all
// of a set, or -1.
type hit struct {
	score float64
	event int
	delay int64 // seconds from the event's start
}

// hitsOf returns the alerts among the rows past the warm-up, and how many events were to be found.
// first is the number of the first event in the set.
func hitsOf(at []int64, scores []float64, events []event, warm, first int) (hits []hit, n int) {
	past := slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.to < at[min(warm, len(at)-1)] })
	k := 0
	for i := warm; i < len(at); i++ {
		if scores[i] <= 0 {
			continue
		}
		for k < len(past) && past[k].to < at[i] {
			k++
		}
		h := hit{scores[i], -1, 0}
		if k < len(past) && at[i] >= past[k].from {
			h.event, h.delay = first+k, at[i]-past[k].from
		}
		hits = append(hits, h)
	}
	return hits, len(past)
}

// A detection is what a set of hits is worth at one threshold.
type detection struct {
	f1              float64
	found, mistaken int
}

func detectionAt(hits []hit, events int, threshold float64) detection {
	found := map[int]bool{}
	d := detection{}
	for _, h := range hits {
		switch {
		case h.score < threshold:
		case h.event < 0:
			d.mistaken++
		default:
			found[h.event] = true
		}
	}
	d.found = len(found)
	d.f1 = 2 * float64(d.found) / float64(d.found+d.mistaken+events)
	return d
}

// ranked returns the average precision over all thresholds, and the best F1
// with its threshold.
func ranked(hits []hit, events int) (ap, f1, threshold float64) {
	hits = slices.Clone(hits)
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	found := map[int]bool{}
	mistaken, before := 0, 0
	for i, h := range hits {
		if h.event < 0 {
			mistaken++
		} else {
			found[h.event] = true
		}
		if i+1 < len(hits) && hits[i+1].score == h.score {
			continue
		}
		n := float64(len(found))
		ap += (n - float64(before)) / float64(events) * n / (n + float64(mistaken))
		before = len(found)
		if f := 2 * n / (n + float64(mistaken) + float64(events)); f > f1 {
			f1, threshold = f, h.score
		}
	}
	return ap, f1, threshold
}

func TestEventsAreFoundOnce(t *testing.T) {
	// A row a minute; rows 20-22 and 60 are labelled.
	at, label, scores := make([]int64, 100), make([]bool, 100), make([]float64, 100)
	for i := range at {
		at[i] = int64(60 * i)
	}
	label[20], label[21], label[22], label[60] = true, true, true, true
	for i, s := range map[int]float64{5: 0.9, 21: 0.5, 22: 0.6, 32: 0.4, 40: 0.3, 71: 0.2} {
		scores[i] = s
	}
	hits, n := hitsOf(at, scores, eventsOf(at, label), 10, 0)
	if n != 2 {
		t.Fatalf("%d events, want 2", n)
	}
	// One of two is found, thrice; 40 is nowhere, 71 a minute too late.
	want := detection{f1: 2.0 / 5, found: 1, mistaken: 2}
	if got := detectionAt(hits, n, 0.2); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	ap, f1, threshold := ranked(hits, n)
	if math.Abs(ap-0.5) > 1e-9 || math.Abs(f1-2.0/3) > 1e-9 || threshold != 0.6 {
		t.Errorf("precision is %g on average, F1 at best %g at %g; want 0.5, 2/3 at 0.6", ap, f1, threshold)
	}
	if got := held([]float64{1, 2, 1, 0, 0, 1}, 3); !slices.Equal(got, []float64{1, 2, 0, 0, 0, 1}) {
		t.Errorf("held are %v", got)
	}
}
