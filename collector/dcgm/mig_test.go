package dcgm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/fixtures/dcgmstub"
)

// parts returns what was read of metric, by GPU and instance.
func parts(b collector.Batch, metric string) map[string]float64 {
	m := map[string]float64{}
	for _, p := range b.Points {
		if string(p.Metric) == metric {
			m[strings.TrimRight(attr(p, "gpu")+" "+attr(p, "GPU_I_ID")+" "+attr(p, "MIG_UUID"), " ")] = p.Value
		}
	}
	return m
}

func TestMIG(t *testing.T) {
	b := newBench(t, 3, Config{})
	for g := range 3 {
		b.Set(g, 252, 1000*g) // memory used: an instance has its own
		b.Set(g, 202, 7)      // PCIe replays: the GPU's
		b.Set(g, 1004, 0.5)
	}
	gi1, _ := b.Cut(1, 1, "3g.40gb", "MIG-aa")
	gi2, _ := b.Cut(1, 5, "2g.20gb", "MIG-bb", "MIG-cc")
	b.SetOf(gi1, 252, 600)
	b.SetOf(gi1, 1004, 0.25)
	b.SetOf(gi2, 252, 300)
	got := b.look()

	for _, tt := range []struct {
		metric string
		want   map[string]float64
	}{
		{"DCGM_FI_DEV_FB_USED", map[string]float64{"0": 0, "1 1": 600, "1 5": 300, "2": 2000}},
		{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", map[string]float64{"0": 0.5, "1 1": 0.25, "2": 0.5}},
		{"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", map[string]float64{"0": 7, "1": 7, "2": 7}},
		{"DCGM_FI_DEV_GPU_TEMP", map[string]float64{"0": 40, "1": 41, "2": 42}},
		{"DCGM_FI_DEV_XID_ERRORS", map[string]float64{"0": 0, "1": 0, "2": 0}},
		{string(Lost), map[string]float64{"0": 0, "1": 0, "2": 0}},
		{string(collector.Instance), map[string]float64{"1 1 MIG-aa": 1, "1 5 MIG-bb": 1, "1 5 MIG-cc": 1}},
	} {
		if diff := cmp.Diff(tt.want, parts(got, tt.metric)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.metric, diff)
		}
	}
	labels := []collector.Attr{
		{Key: "Hostname", Value: "gpu-node-1"}, {Key: "device", Value: "nvidia1"}, {Key: "gpu", Value: "1"},
		{Key: "DCGM_FI_DRIVER_VERSION", Value: "570.86.15"}, {Key: "modelName", Value: "NVIDIA H100 80GB HBM3"},
		{Key: "UUID", Value: "GPU-7ede77e1-5d1c-4f7a-9c3e-000000000001"}, {Key: "pci_bus_id", Value: "00000000:29:00.0"},
		{Key: "GPU_I_PROFILE", Value: "3g.40gb"}, {Key: "GPU_I_ID", Value: "1"},
	}
	for _, p := range got.Points {
		if p.Metric == "DCGM_FI_DEV_FB_USED" && attr(p, "GPU_I_ID") == "1" {
			if diff := cmp.Diff(labels, p.Attrs); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		}
	}
	if b.warned != nil {
		t.Errorf("warnings %v, want none", b.warned)
	}
}

// Instances come and go while the agent runs, and no Xid is lost over it.
func TestMIGChanges(t *testing.T) {
	b := newBench(t, 1, Config{})
	b.Set(0, 252, 900)
	used := func() map[string]float64 { t.Helper(); return parts(b.look(), "DCGM_FI_DEV_FB_USED") }
	if diff := cmp.Diff(map[string]float64{"0": 900}, used()); diff != "" {
		t.Errorf("whole (-want +got):\n%s", diff)
	}
	gi, cis := b.Cut(0, 2, "7g.80gb", "MIG-a")
	b.SetOf(gi, 252, 70)
	if diff := cmp.Diff(map[string]float64{"0 2": 70}, used()); diff != "" {
		t.Errorf("cut (-want +got):\n%s", diff)
	}
	b.Happen(cis[0], 230, 31)
	b.Uncut(gi)
	gi, _ = b.Cut(0, 9, "3g.40gb", "MIG-b")
	b.SetOf(gi, 252, 30)
	got := b.look()
	if diff := cmp.Diff(map[string]float64{"0 9": 30}, parts(got, "DCGM_FI_DEV_FB_USED")); diff != "" {
		t.Errorf("cut anew (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"0 9 MIG-b": 1}, parts(got, string(collector.Instance))); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	if len(got.Events) != 1 || got.Events[0].Attr(collector.AttrXid) != "31" || got.Events[0].Attr(collector.AttrInstance) != "2" {
		t.Errorf("events %v, want the Xid 31 of the instance that was", got.Events)
	}
	b.Uncut(gi)
	if diff := cmp.Diff(map[string]float64{"0": 900}, used()); diff != "" {
		t.Errorf("whole again (-want +got):\n%s", diff)
	}
}

func TestMIGXids(t *testing.T) {
	b := newBench(t, 2, Config{})
	gi, cis := b.Cut(1, 3, "1g.10gb", "MIG-a", "MIG-b")
	b.look()
	b.Happen(gi, 230, 94)
	b.Happen(cis[1], 230, 31)
	b.Happen(cis[1], 230, 31) // a repeat
	b.Xid(1, 79)
	var got []string
	for _, e := range b.look().Events {
		got = append(got, e.Attr(collector.AttrPCI)+" "+e.Attr(collector.AttrXid)+" "+e.Attr(collector.AttrInstance))
	}
	const pci = "00000000:29:00.0 "
	want := []string{pci + "79 ", pci + "94 3", pci + "31 3", pci + "31 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Xids (-want +got):\n%s", diff)
	}
	if again := b.look().Events; again != nil {
		t.Errorf("told twice: %v", again)
	}
}

// An instance without a name is read all the same, and is asked for it again
// after a while, not in every look.
func TestMIGWithoutNames(t *testing.T) {
	now := time.Now()
	b := newBench(t, 1, Config{Now: func() time.Time { return now }})
	gi, cis := b.Cut(0, 1, "1g.10gb", "MIG-a")
	b.SetOf(gi, 252, 5)
	b.SetOf(gi, 50, nil)
	b.SetOf(cis[0], 54, nil)
	unnamed := map[string]float64{"0 1": 1}
	cost := func() int { before := dcgmstub.Calls(); b.look(); return dcgmstub.Calls() - before }
	for range 2 {
		got := b.look()
		if diff := cmp.Diff(map[string]float64{"0 1": 5}, parts(got, "DCGM_FI_DEV_FB_USED")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(unnamed, parts(got, string(collector.Instance))); diff != "" {
			t.Errorf("devices (-want +got):\n%s", diff)
		}
	}
	waiting := cost()
	b.SetOf(gi, 50, "1g.10gb")
	b.SetOf(cis[0], 54, "MIG-a")
	now = now.Add(nameAgain)
	b.look()
	if named := cost(); named != waiting {
		t.Errorf("a look costs %d calls with names and %d while they are waited for, want the same", named, waiting)
	}
	if diff := cmp.Diff(map[string]float64{"0 1 MIG-a": 1}, parts(b.look(), string(collector.Instance))); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}

// 56 instances cost a few calls more than none: they are read by the dozen.
func TestMIGCost(t *testing.T) {
	cost := func(perGPU int) int {
		b := newBench(t, 8, Config{})
		for g := range 8 {
			for i := range perGPU {
				gi, _ := b.Cut(g, i+1, "1g.10gb", fmt.Sprintf("MIG-%d-%d", g, i))
				b.SetOf(gi, 252, i)
			}
		}
		b.look() // and watches
		before := dcgmstub.Calls()
		if n := len(parts(b.look(), "DCGM_FI_DEV_FB_USED")); n != 8*perGPU {
			t.Errorf("%d instances were read, want %d", n, 8*perGPU)
		}
		calls := dcgmstub.Calls() - before
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		return calls
	}
	whole, cut := cost(0), cost(7)
	t.Logf("a look of 8 GPUs costs %d calls, and with 56 instances %d", whole, cut)
	if cut > whole+4 {
		t.Errorf("a look costs %d calls with 56 instances and %d without", cut, whole)
	}
}
