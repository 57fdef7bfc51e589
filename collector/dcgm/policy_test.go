package dcgm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// DCGM's bits of the policy conditions.
const (
	condDBE     = 0x1
	condThermal = 0x8
	condPower   = 0x10
	condNVLink  = 0x20
	condXid     = 0x40
)

// by returns the points of metric that are not 0, by GPU and a label.
func by(b collector.Batch, metric catalog.ID, key string) map[string]float64 {
	m := map[string]float64{}
	for _, p := range b.Points {
		if p.Metric == metric && p.Value != 0 {
			m[attr(p, "gpu")+" "+attr(p, key)] = p.Value
		}
	}
	return m
}

// violated looks until DCGM's callbacks, which come by a thread of their own,
// have made the counts what they should be.
func (b *bench) violated(want map[string]float64) {
	b.t.Helper()
	var got map[string]float64
	for range 2000 {
		if got = by(b.look(), Violations, "condition"); cmp.Equal(got, want) {
			return
		}
	}
	b.t.Errorf("violations (-want +got):\n%s", cmp.Diff(want, got))
}

func TestPolicies(t *testing.T) {
	b := newBench(t, 3, Config{})
	for g, watts := range []float64{1000, 1000, 300} {
		b.Set(g, 164, watts)
		b.Set(g, 158, 87) // where it slows down
	}
	b.Set(2, 158, nil)
	zero := 0
	for _, p := range b.look().Points {
		if p.Metric == Violations && p.Value == 0 && p.Counter {
			zero++
		}
	}
	if zero != 7+7+6 {
		t.Errorf("%d counts begin at 0, want 7 conditions of two GPUs, and 6 of one that does not tell its temperature limit", zero)
	}
	b.Violate(0, condPower, 1050) // within the margin, and above go-dcgm's 250 W
	b.Violate(1, condPower, 1101)
	b.Violate(2, condPower, 1050)
	b.Violate(0, condThermal, 86)
	b.Violate(1, condThermal, 88)
	b.Violate(2, condThermal, 120)
	b.Violate(2, condDBE, 1)
	b.Violate(2, condDBE, 1)
	b.Violate(0, condNVLink, 3)
	b.Violate(0, condXid, 31)
	want := map[string]float64{"1 power": 1, "2 power": 1, "1 thermal": 1, "2 dbe": 2, "0 nvlink": 1, "0 xid": 1}
	b.violated(want)

	b.Keep(2) // watched on
	b.Keep(3)
	b.Cut(0, 1, "7g.80gb", "MIG-a") // watched anew
	b.look()
	b.Violate(1, condPower, 1200)
	want["1 power"] = 2
	b.violated(want)
	b.disconnect() // and by another engine
	b.look()
	b.Violate(1, condPower, 1200)
	want["1 power"] = 3
	b.violated(want)
	if b.warned != nil {
		t.Errorf("warnings %v, want none", b.warned)
	}
}

func TestClockEvents(t *testing.T) {
	b := newBench(t, 2, Config{})
	b.Set(0, 112, 0x4|0x40)
	b.Set(1, 112, 0)
	want := map[string]float64{"0 power_cap": 1, "0 hw_thermal": 1}
	got := b.look()
	if diff := cmp.Diff(want, by(got, ClockEvent, "clock_event")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	n := 0
	for _, p := range got.Points {
		if p.Metric == ClockEvent {
			n++
		}
	}
	if n != 2*len(clockEvents()) {
		t.Errorf("%d series, want one for each reason of each GPU", n)
	}
	for in, want := range map[string]string{
		"bit,reason,source\n3,r,s\n":    `c.csv:2: bit "3" is not one bit`,
		"bit,reason,source\n0x2,r,\n":   "c.csv:2: bit 0x2: reason and source",
		"bits,reason,source\n0x2,r,s\n": "c.csv:1: ",
	} {
		if _, err := parseClockEvents("c.csv", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestPeers(t *testing.T) {
	b := newBench(t, 3, Config{})
	b.Link(0, 1, 1<<(7+18)|0x20) // 18 NVLinks
	b.Link(0, 2, 0x10)           // by PCIe, of one CPU
	got := map[string]float64{}
	for _, p := range b.look().Points {
		if p.Metric == Peer {
			got[attr(p, "gpu")+" "+attr(p, "peer_gpu")+" "+attr(p, "path")+" "+attr(p, "peer_UUID")[:12]] = p.Value
		}
	}
	want := map[string]float64{"0 1 NV18 GPU-7ede77e1": 18, "1 0 NV18 GPU-7ede77e0": 18, "0 2 NODE GPU-7ede77e2": 0, "2 0 NODE GPU-7ede77e0": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.warned != nil {
		t.Errorf("warnings %v, want none", b.warned)
	}
}
