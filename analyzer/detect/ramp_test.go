package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// The bank tells of a leak, and not where a watch does not ask; what it saved in
// an older form it does not read.
func TestTheBankTellsOfALeak(t *testing.T) {
	for _, leaks := range []bool{true, false} {
		b := NewBank([]Watch{{Metric: "DCGM_FI_DEV_FB_USED", Kind: "gauge", Direction: High, Subject: "gpu", Labels: []string{"Hostname", "UUID"}, Leaks: leaks, MinEffect: 4096}}, 0)
		rnd := rand.New(rand.NewPCG(3, 6))
		told := false
		for minutes := range 23 * 60 {
			now := time.Unix(int64(minutes)*60, 0)
			v := 25_000 + 4000*rnd.NormFloat64() + 200*float64(max(0, minutes-20*60))
			b.Observe(1, func() map[string]string {
				return map[string]string{"__name__": "DCGM_FI_DEV_FB_USED", "Hostname": "n", "UUID": "g"}
			}, now.UnixMilli(), v)
			fs, err := b.Findings(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			told = told || len(fs) > 0
			if told && minutes < 20*60 {
				t.Fatalf("told at minute %d: %v", minutes, fs)
			}
		}
		if told != leaks {
			t.Errorf("leaks %t: told %t", leaks, told)
		}

		dir := t.TempDir()
		if err := b.Save(dir); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, stateFile)
		saved, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		old := bytes.Replace(saved, []byte(`"vedetteDetectIndex":3`), []byte(`"vedetteDetectIndex":2`), 1)
		if err := os.WriteFile(file, old, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Restore(dir); err == nil || !strings.Contains(err.Error(), "of version 2") {
			t.Errorf("what was saved before is restored: %v", err)
		}
	}
}
