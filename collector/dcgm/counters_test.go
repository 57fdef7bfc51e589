package dcgm

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/rules/catalog"
)

// exporterDefaults are the metrics that dcgm-exporter reads by default, by its
// etc/default-counters.csv of 4.5.3.
const exporterDefaults = `SM_CLOCK MEM_CLOCK MEMORY_TEMP GPU_TEMP POWER_USAGE TOTAL_ENERGY_CONSUMPTION PCIE_REPLAY_COUNTER GPU_UTIL MEM_COPY_UTIL ENC_UTIL DEC_UTIL
	XID_ERRORS FB_FREE FB_USED FB_RESERVED NVLINK_BANDWIDTH_TOTAL VGPU_LICENSE_STATUS UNCORRECTABLE_REMAPPED_ROWS CORRECTABLE_REMAPPED_ROWS ROW_REMAP_FAILURE`

// Every one of them is read without being asked for, under its name.
func TestNothingOfTheExporterIsMissing(t *testing.T) {
	have := map[catalog.ID]bool{}
	for _, f := range builtinFields() {
		have[f.metric] = true
	}
	for name := range strings.FieldsSeq(exporterDefaults) {
		if !have[catalog.ID("DCGM_FI_DEV_"+name)] {
			t.Errorf("DCGM_FI_DEV_%s is not read", name)
		}
	}
	for name := range strings.FieldsSeq("GR_ENGINE_ACTIVE PIPE_TENSOR_ACTIVE DRAM_ACTIVE PCIE_TX_BYTES PCIE_RX_BYTES") {
		if !have[catalog.ID("DCGM_FI_PROF_"+name)] {
			t.Errorf("DCGM_FI_PROF_%s is not read", name)
		}
	}
}

const few = `# Format
# If line starts with a '#' it is considered a comment

DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C).
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION, counter, "Energy, in mJ."
DCGM_FI_DRIVER_VERSION, label, Driver Version
DCGM_EXP_XID_ERRORS_COUNT, gauge, Xids in a window.
`

func TestReadCounters(t *testing.T) {
	c, err := ReadCounters("c.csv", strings.NewReader(few))
	if err != nil {
		t.Fatal(err)
	}
	want := map[catalog.ID]string{"DCGM_FI_DEV_GPU_TEMP": "GPU temperature (in C).", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "Energy, in mJ.", "DCGM_FI_DRIVER_VERSION": "Driver Version"}
	if diff := cmp.Diff(want, c.Help); diff != "" {
		t.Errorf("help (-want +got):\n%s", diff)
	}
	if len(c.Skipped) != 1 || !strings.Contains(c.Skipped[0], "vedette_xid_errors_total") {
		t.Errorf("skipped %q, want the exporter's own counter with what counts here", c.Skipped)
	}
	for name := range strings.FieldsSeq(exporterDefaults) {
		if _, err := ReadCounters("c.csv", strings.NewReader("DCGM_FI_DEV_"+name+", gauge, h\n")); err != nil {
			t.Errorf("a default of the exporter: %v", err)
		}
	}
	for text, want := range map[string]string{
		"":                                   "c.csv: asks for no metric",
		"# only\n":                           "c.csv: asks for no metric",
		"DCGM_FI_DEV_GPU_TEMP,gauge\n":       "c.csv:1: 2 columns",
		"#\nDCGM_FI_DEV_WARMTH,gauge,h\n":    `c.csv:2: DCGM has no field "DCGM_FI_DEV_WARMTH"`,
		"DCGM_FI_DEV_GPU_TEMP,gouge,h\n":     `c.csv:1: DCGM_FI_DEV_GPU_TEMP: type "gouge"`,
		few + "DCGM_FI_DEV_GPU_TEMP,gauge,h": "c.csv:8: DCGM_FI_DEV_GPU_TEMP: listed twice",
	} {
		if _, err := ReadCounters("c.csv", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// The fields change under a running source, and no look is without readings.
func TestUse(t *testing.T) {
	b := newBench(t, 2, Config{HostName: "hostname"})
	c, err := ReadCounters("c.csv", strings.NewReader(few))
	if err != nil {
		t.Fatal(err)
	}
	metrics := func() string {
		t.Helper()
		set := map[string]bool{}
		for _, p := range b.look().Points {
			set[strings.TrimPrefix(string(p.Metric), "DCGM_FI_DEV_")] = true
			if attr(p, "hostname") != "gpu-node-1" || attr(p, "Hostname") != "" {
				t.Errorf("the labels of %s are %v", p.Metric, p.Attrs)
			}
			if strings.HasPrefix(string(p.Metric), "DCGM_") && attr(p, "UUID") == "" {
				t.Errorf("%s has no UUID", p.Metric)
			}
		}
		return strings.Join(slices.Sorted(maps.Keys(set)), " ")
	}
	b.Set(0, 156, 1<<40)
	b.Set(0, 203, 97) // utilization
	if got := metrics(); !strings.Contains(got, "GPU_UTIL") {
		t.Errorf("by itself it reads %s", got)
	}
	for range 2 {
		b.Use(c)
		if got, want := metrics(), "GPU_TEMP TOTAL_ENERGY_CONSUMPTION vedette_gpu_health vedette_gpu_lost vedette_gpu_policy_violations_total"; got != want {
			t.Errorf("with the file it reads %s, want %s", got, want)
		}
		b.Use(nil)
		if got := metrics(); !strings.Contains(got, "GPU_UTIL") || !strings.Contains(got, "GPU_TEMP") {
			t.Errorf("without the file it reads %s", got)
		}
	}
}
