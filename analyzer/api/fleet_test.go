package api

import (
	"testing"

	"vedette.dev/analyzer/series"
)

// The cell of a GPU that is cut into MIG instances shows their memory together,
// and none of their pods.
func TestFleetOfMIG(t *testing.T) {
	b := &fleetBuilder{gpus: map[string]*GPU{}, byBus: map[string]*GPU{}, nodes: map[string]*Node{}}
	of := func(metric, instance, pod string) series.Series {
		return series.Series{Labels: map[string]string{"__name__": metric, "Hostname": "n", "UUID": "GPU-1", "GPU_I_ID": instance, "pod": pod}}
	}
	b.known(of("DCGM_FI_DEV_GPU_TEMP", "", ""), 60)
	b.reading(of("DCGM_FI_DEV_GPU_TEMP", "", ""), 60)
	b.reading(of("DCGM_FI_DEV_FB_USED", "1", "a"), 600)
	b.reading(of("DCGM_FI_DEV_FB_USED", "2", "b"), 30)
	g := b.gpus["n/GPU-1"]
	if g.Pod != "" || g.MemUsed == nil || *g.MemUsed != 630 || g.Temp == nil || *g.Temp != 60 {
		t.Errorf("the cell is %+v, want 630 MiB in use, 60 °C and no pod", g)
	}
}
