package dcgm

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// health returns the levels that are not 0, by GPU and system.
func (b *bench) health() map[string]float64 {
	m := map[string]float64{}
	for _, p := range b.look().Points {
		if p.Metric == Health && p.Value != 0 {
			m[attr(p, "gpu")+" "+attr(p, "system")] = p.Value
		}
	}
	return m
}

func TestHealth(t *testing.T) {
	now := time.Now()
	b := newBench(t, 4, Config{Now: func() time.Time { return now }})
	if got := b.health(); len(got) > 0 {
		t.Errorf("of healthy GPUs: %v", got)
	}
	b.Ail(1, 0x2, 20, 71, "NVLink 3 is down. Reset the GPU.")
	b.Ail(1, 0x10, 10, 5, "Pages wait to be retired.")
	b.Ail(3, 0x80, 10, 9, "Time was lost to heat.")
	b.Ail(3, 0x80, 20, 10, "It is too hot.")
	if got := b.health(); len(got) > 0 {
		t.Errorf("within the minute it was checked again: %v", got)
	}
	now = now.Add(healthEvery)
	want := map[string]float64{"1 nvlink": 2, "1 memory": 1, "3 thermal": 2}
	for range 2 { // the second look shows it without a check
		if diff := cmp.Diff(want, b.health()); diff != "" {
			t.Errorf("health (-want +got):\n%s", diff)
		}
	}
	told := 0
	for _, err := range b.warned {
		if strings.Contains(err.Error(), "health of GPU 1: nvlink: NVLink 3 is down. Reset the GPU. (code 71)") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it is told of %d times, want once: %v", told, b.warned)
	}
	b.Heal()
	now = now.Add(healthEvery)
	if got := b.health(); len(got) > 0 {
		t.Errorf("healed: %v", got)
	}
}
