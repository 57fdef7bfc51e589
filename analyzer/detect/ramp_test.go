package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What leaks is told in a value that wanders by more within minutes; what wanders,
// jumps, or comes every day is not.
func TestRamps(t *testing.T) {
	const leakFrom = 20 * 60 // minutes
	for _, tt := range []struct {
		name  string
		d     Direction
		add   func(k float64) float64 // k minutes after
		rises bool
	}{
		{"nothing", High, func(k float64) float64 { return 0 }, false},
		{"leak of 200 a minute", High, func(k float64) float64 { return 200 * k }, true},
		{"the same where less hurts", Low, func(k float64) float64 { return 200 * k }, false},
		{"what is available falls", Low, func(k float64) float64 { return -200 * k }, true},
		{"jump", High, func(k float64) float64 { return 15_000 }, false},
		{"jumps to and fro", High, func(k float64) float64 { return 15_000 * math.Mod(math.Floor(k/30), 2) }, false},
		{"a quarter of an hour", High, func(k float64) float64 { return 1000 * min(k, 15) }, false},
	} {
		found := 0
		for seed := range uint64(20) {
			rnd := rand.New(rand.NewPCG(seed, 6))
			var r ramp
			wander := 0.0
			rose := false
			for minutes := range leakFrom + 180 {
				wander += -0.05*wander + 700*rnd.NormFloat64()
				v := 25_000 + wander + 3000*rnd.NormFloat64()
				if k := minutes - leakFrom; k > 0 {
					v += tt.add(float64(k))
				}
				begin, rises := r.rises(int64(minutes)*minute, v, tt.d)
				if rises && minutes < leakFrom {
					t.Errorf("%s: seed %d rises at minute %d", tt.name, seed, minutes)
				}
				if rises && !rose && (begin < 10_000 || begin > 50_000) {
					t.Errorf("%s: it begins at %.0f, want about 25,000", tt.name, begin)
				}
				rose = rose || rises
			}
			if rose {
				found++
			}
		}
		// What climbs and then wanders on may look like a line once.
		if tt.rises && found < 18 || !tt.rises && found > 1 {
			t.Errorf("%s: %d of 20 rise, want rises %t", tt.name, found, tt.rises)
		}
	}
}

// A value that was away for an hour is not known to have grown all along.
func TestARampHasNoGaps(t *testing.T) {
	var r ramp
	for i := range 600 {
		ms := int64(i) * minute
		if i > 590 {
			ms += 60 * minute
		}
		_, rises := r.rises(ms, float64(i*i), High)
		if rises && i > 590 {
			t.Errorf("rises after a gap, at sample %d", i)
		}
	}
	if r.known != 0 {
		t.Errorf("%d stretches are known after a gap, want none", r.known)
	}
}
