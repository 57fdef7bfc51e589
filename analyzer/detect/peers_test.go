package detect

import (
	"math"
	"math/rand/v2"
	"testing"

	"vedette.dev/analyzer"
)

// rows lets value say what member m shows at step i, and returns the largest
// score of each member and the step at which it was first above 0.4.
func rows(p *Peers, members, steps int, value func(i, m int) float64) (top []float64, first []int) {
	states := make([]PeerState, members)
	row := make([]float64, members)
	scores := make([]analyzer.Score, members)
	top, first = make([]float64, members), make([]int, members)
	for i := range steps {
		for m := range members {
			row[m] = value(i, m)
		}
		p.ObserveRow(states, int64(i)*15_000, row, scores)
		for m, s := range scores {
			top[m] = max(top[m], s.Max())
			if s.Max() > 0.4 && first[m] == 0 {
				first[m] = i
			}
		}
	}
	return top, first
}

func TestPeers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	busy := func(i, m int) float64 { return 95 + rnd.NormFloat64() }
	for _, tt := range []struct {
		name      string
		members   int
		value     func(i, m int) float64
		straggler int // -1: none
	}{
		{"all alike", 8, func(i, m int) float64 { return 95 }, -1},
		{"all noisy", 8, busy, -1},
		{"all idle", 8, func(i, m int) float64 { return 0 }, -1},
		{"all fall at once", 8, func(i, m int) float64 { return busy(i, m) - 80*pulse(i-500, 100) }, -1},
		{"one falls for two steps", 8, func(i, m int) float64 { return busy(i, m) - 60*pulse(i-500, 2)*pulse(m-3, 1) }, -1},
		{"one falls", 8, func(i, m int) float64 { return busy(i, m) - 60*pulse(i-500, 100)*pulse(m-3, 1) }, 3},
		{"one falls among identical", 4, func(i, m int) float64 { return 95 - 60*pulse(i-500, 100)*pulse(m-3, 1) }, 3},
		{"one of two falls", 2, func(i, m int) float64 { return busy(i, m) - 60*pulse(i-500, 100)*pulse(m-1, 1) }, -1},
		{"a member alone", 1, busy, -1},
		{"nobody", 3, func(i, m int) float64 { return math.NaN() }, -1},
		{"one falls, two are missing", 8, func(i, m int) float64 {
			if m < 2 {
				return math.NaN()
			}
			return busy(i, m) - 60*pulse(i-500, 100)*pulse(m-3, 1)
		}, 3},
	} {
		top, first := rows(&Peers{Floor: 5}, tt.members, 700, tt.value)
		for m := range top {
			want := m == tt.straggler
			if got := top[m] > 0.4; got != want {
				t.Errorf("%s: member %d scores %.2f at most, straggler %v", tt.name, m, top[m], want)
			}
			if want && (first[m] < 500+persistence-1 || first[m] > 520) {
				t.Errorf("%s: spoke at step %d, the trouble began at 500", tt.name, first[m])
			}
		}
	}
}

func TestPeersKeepTheirOrder(t *testing.T) {
	value := func(order []int) func(i, m int) float64 {
		return func(i, m int) float64 {
			return 80 + float64((i*7+order[m]*13)%5) - 50*pulse(order[m]-2, 1)
		}
	}
	want, _ := rows(&Peers{}, 5, 50, value([]int{0, 1, 2, 3, 4}))
	got, _ := rows(&Peers{}, 5, 50, value([]int{4, 2, 0, 1, 3}))
	for i, m := range []int{4, 2, 0, 1, 3} {
		if got[i] != want[m] {
			t.Errorf("member %d scores %.4f at another place, want %.4f", m, got[i], want[m])
		}
	}
	if want[2] < 0.2 {
		t.Errorf("the straggler scores %.2f: the test sees nothing", want[2])
	}
}

func TestPeersAllocateNothing(t *testing.T) {
	p := &Peers{}
	states, row, scores := make([]PeerState, 8), []float64{1, 2, 3, 4, 5, 6, 7, math.NaN()}, make([]analyzer.Score, 8)
	p.ObserveRow(states, 0, row, scores)
	if n := testing.AllocsPerRun(1000, func() { p.ObserveRow(states, 0, row, scores) }); n != 0 {
		t.Errorf("%g allocations per row", n)
	}
}
