package dcgm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
	"vedette.dev/fixtures/dcgmstub"
)

func TestCPUs(t *testing.T) {
	b := newBench(t, 1, Config{})
	b.CPUs(2)
	b.SetOf(dcgmstub.CPU(1), 1110, 61.5)
	b.SetOf(dcgmstub.CPU(1), 1130, 240.0)
	b.SetOf(dcgmstub.CPU(0), 1130, nil)
	var got []collector.Point
	for _, p := range b.look().Points {
		if attr(p, "cpu") != "" {
			p.At = collector.Point{}.At
			got = append(got, p)
		}
	}
	labels := []collector.Attr{{Key: "Hostname", Value: "gpu-node-1"}, {Key: "cpu", Value: "1"}}
	want := []collector.Point{
		{Metric: "DCGM_FI_DEV_CPU_TEMP_CURRENT", Value: 61.5, Attrs: labels},
		{Metric: "DCGM_FI_DEV_CPU_POWER_UTIL_CURRENT", Value: 240, Attrs: labels},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.warned != nil {
		t.Errorf("warnings %v, want none", b.warned)
	}
}
