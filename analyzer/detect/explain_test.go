package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vedette.dev/rules/catalog"
)

// warm is a line of a GPU that is 30 °C and a twentieth of a degree for each
// watt, and draws what is given as samples of 15 s; and the next sample's time.
func warm(draws ...float64) (*line, int64) {
	rnd := rand.New(rand.NewPCG(5, 5))
	var l line
	ms := int64(15_000)
	for range 2000 / len(draws) {
		for _, w := range draws {
			l.given(ms, w+rnd.NormFloat64())
			l.residual(ms, 30+w/20+0.3*rnd.NormFloat64(), High, 6)
			ms += 15_000
		}
	}
	return &l, ms
}

// steady shows l so much power for half an hour, and a temperature at the end of it.
func steady(l *line, ms int64, draw, temp float64) float64 {
	for range 120 {
		l.given(ms, draw)
		ms += 15_000
	}
	return l.residual(ms-15_000, temp, High, 6)
}

func TestALineKnowsWhatItHasSeen(t *testing.T) {
	phases := slices.Concat(slices.Repeat([]float64{200}, 100), slices.Repeat([]float64{600}, 100)) // 25 minutes each
	for _, tt := range []struct {
		name       string
		draw, temp float64
		want       float64 // NaN: it cannot tell
	}{
		{"as usual at the top", 600, 60, 0},
		{"as usual below", 200, 40, 0},
		{"between", 400, 50, 0},
		{"hot at the top", 600, 70, 10},
		{"hot below, though not for the top", 200, 55, 15},
		{"more power than is known", 1500, 90, math.NaN()},
		{"less power than is known, and cool", -800, 20, math.NaN()},
		{"less power than is known, and hot all the same", -800, 50, 50 - 20},
	} {
		l, ms := warm(phases...)
		got := steady(l, ms, tt.draw, tt.temp)
		if math.IsNaN(tt.want) != math.IsNaN(got) || math.Abs(got-tt.want) > 2 {
			t.Errorf("%s: %.1f °C are left, want %.1f", tt.name, got, tt.want)
		}
	}
}

func TestALineGrantsWhatMoves(t *testing.T) {
	l, ms := warm(slices.Concat(slices.Repeat([]float64{0}, 100), slices.Repeat([]float64{600}, 100))...)
	l.given(ms, 0)
	if got := l.residual(ms, 55, High, 6); got != 0 {
		t.Errorf("%.1f °C are left just after the power fell, want 0", got)
	}
}

func TestALineWaits(t *testing.T) {
	var l line
	if got := l.residual(1000, 50, High, 6); !math.IsNaN(got) || l.Seen != 0 {
		t.Errorf("%g is left and %d pairs learnt where nothing is given", got, l.Seen)
	}
	young, ms := &line{}, int64(0)
	for ; ms < 3600_000; ms += 15_000 {
		young.given(ms+1, 300)
		if got := young.residual(ms+1, 45, High, 6); !math.IsNaN(got) {
			t.Fatalf("%g is left after %d s, want no word yet", got, ms/1000)
		}
	}
	l2, ms := warm(300, 320)
	if got := l2.residual(ms+3600_000, 90, High, 6); !math.IsNaN(got) {
		t.Errorf("%g is left by a power of an hour ago", got)
	}
}

func TestExplainedAgreesWithTheCatalog(t *testing.T) {
	n := 0
	for _, w := range Builtin() {
		if w.Given == "" {
			continue
		}
		n++
		for _, id := range []catalog.ID{w.Metric, w.Given} {
			m, ok := catalog.Builtin().Metric(id)
			if !ok || m.Type != catalog.Gauge {
				t.Errorf("%s is not a gauge of the catalog", id)
				continue
			}
			for _, l := range append(w.Labels, w.Group...) {
				if !m.Has(l) {
					t.Errorf("%s has no label %s", id, l)
				}
			}
		}
	}
	if n == 0 {
		t.Error("nothing is explained")
	}
	for row, want := range map[string]string{
		"m,,high,node,instance,,1,why":  `x.csv:2: m: given "" explains nothing`,
		"m,m,high,node,instance,,1,why": `given "m" explains nothing`,
		"m,n,up,node,instance,,1,why":   `direction "up"`,
	} {
		if _, err := ParseExplained("x.csv", strings.NewReader(headerExplained+"\n"+row+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", row, err, want)
		}
	}
}
