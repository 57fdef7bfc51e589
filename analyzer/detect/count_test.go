package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
)

// A node that goes on with fewer readings than it had is a finding, and a warning.
func TestReadingsThatStop(t *testing.T) {
	c := newCluster()
	stopped := 0
	c.change = func(metric string, node, gpu int, _ *float64) bool {
		return metric != "DCGM_FI_DEV_GPU_UTIL" || node != 1 || gpu >= stopped
	}
	c.run(time.Hour)
	stopped = fewestLost - 1
	c.run(3 * time.Minute)
	if fs := c.findings(t); len(fs) > 0 {
		t.Fatalf("without %d of a node's twelve readings: %v", stopped, fs)
	}
	began := time.UnixMilli(c.now)
	stopped = 4
	c.run(3 * time.Minute)
	fs := c.findings(t)
	if diff := cmp.Diff([]string{"anomaly|readings|node/node-1"}, keys(fs)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	f := fs[0]
	if want := "4 readings are no longer reported where 12 were: DCGM_FI_DEV_GPU_UTIL"; f.Text != want || f.Severity != "warning" || f.Query != `count by (__name__) ({Hostname="node-1"})` || len(f.Caveats) == 0 {
		t.Errorf("finding is %+v, want %q", f, want)
	}
	if f.From.After(began.Add(time.Minute)) {
		t.Errorf("it began at %s, want %s", f.From, began)
	}

	// Somebody profiles there: as many are quiet, and more would be told.
	c.bank.Heed([]analyzer.Mark{analyzer.NewMark(f, "ada", "a profiler", time.UnixMilli(c.now), time.Time{})})
	if fs := told(c.findings(t)); len(fs) > 0 {
		t.Errorf("marked: told are %v", fs)
	}
	c.change = func(metric string, node, _ int, _ *float64) bool {
		return node != 1 || metric == "DCGM_FI_DEV_GPU_TEMP"
	}
	c.run(3 * time.Minute)
	if diff := cmp.Diff([]string{"anomaly|readings|node/node-1"}, keys(told(c.findings(t)))); diff != "" {
		t.Errorf("twice as many: told (-want +got):\n%s", diff)
	}
	c.change = nil
	c.run(3 * time.Minute)
	if fs := c.findings(t); len(fs) > 0 {
		t.Errorf("back again: %v", fs)
	}
}

// A pod that is seen on fewer of its GPUs, which go on, lost them.
func TestAPodThatLosesAGPU(t *testing.T) {
	c := newCluster()
	c.run(time.Hour)
	other := map[string]string{"__name__": "DCGM_FI_DEV_GPU_TEMP", "Hostname": "node-0", "UUID": "GPU-01", "gpu": "1"}
	c.change = func(metric string, node, gpu int, v *float64) bool {
		if metric != "DCGM_FI_DEV_GPU_TEMP" || node != 0 || gpu != 1 {
			return true
		}
		c.bank.Observe(1000, func() map[string]string { return other }, c.now, *v)
		return false
	}
	c.run(3 * time.Minute)
	fs := c.findings(t)
	if diff := cmp.Diff([]string{"anomaly|GPUs|pod/train/llm-0"}, keys(fs)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	if want := "seen on 3 GPUs where it was on 4"; !strings.Contains(fs[0].Text, want) {
		t.Errorf("text is %q, want %q in it", fs[0].Text, want)
	}
}

// What goes on under another pod has not stopped, though its series have, and the
// new ones are young.
func TestReadingsUnderAnotherPodGoOn(t *testing.T) {
	c := newCluster()
	c.run(time.Hour)
	c.change = func(metric string, node, gpu int, v *float64) bool {
		if node != 0 {
			return true
		}
		ls := map[string]string{"__name__": metric, "Hostname": "node-0", "UUID": fmt.Sprintf("GPU-0%d", gpu), "gpu": fmt.Sprint(gpu), "namespace": "train", "pod": "next-0"}
		c.bank.Observe(fingerprint(keyOf(ls)), func() map[string]string { return ls }, c.now, *v)
		return false
	}
	for range 40 {
		c.run(15 * time.Second)
		for _, f := range c.findings(t) {
			if f.Signal == "readings" {
				t.Fatalf("under another pod: %+v", f)
			}
		}
	}
}

// Nothing is said of the others where all is silent, as when the server was away.
func TestASilentClusterHasNoFewerReadings(t *testing.T) {
	c := newCluster()
	c.run(time.Hour)
	c.now += 10 * time.Minute.Milliseconds()
	if fs := c.findings(t); len(fs) > 0 {
		t.Errorf("findings are %v", fs)
	}
}

// A target whose scrape slows down, and a source that our agent waits for.
func TestSlowScrapes(t *testing.T) {
	b := NewBank(Builtin(), 0)
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	at := from
	for i := range 8 * 240 {
		took := 0.02 + 0.001*float64(i*i%17)
		if i >= 8*240-10 {
			took = 4
		}
		for ref, ls := range []map[string]string{{"__name__": "scrape_duration_seconds", "instance": "10.0.0.7:9400"}, {"__name__": "vedette_source_seconds", "instance": "gpu-07", "source": "dcgm"}} {
			b.Observe(uint64(ref+1), func() map[string]string { return ls }, at.UnixMilli(), took)
		}
		at = at.Add(15 * time.Second)
	}
	fs, err := b.Findings(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"anomaly|vedette_source_seconds|node/gpu-07", "anomaly|scrape_duration_seconds|target/10.0.0.7:9400"}, keys(fs)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
