package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltin(t *testing.T) {
	c := Builtin()
	if len(c.All()) < 11000 || len(c.AllDerived()) < 3000 {
		t.Errorf("got %d metrics and %d derived measures: the data files are cut short", len(c.All()), len(c.AllDerived()))
	}
	if m, _ := c.Metric("DCGM_FI_DEV_FB_USED"); m.Unit != "MiBy" || m.Type != Gauge {
		t.Errorf("DCGM_FI_DEV_FB_USED is a %s in %s, want a gauge in MiBy", m.Type, m.Unit)
	}
	if !c.Takes("node_cpu_usage_percent", "instance") || c.Takes("node_cpu_usage_percent", "pod") {
		t.Error("node_cpu_usage_percent must be narrowed by instance and not by pod")
	}
}

// tooLittle is said of several things on purpose: it is asked back which.
var tooLittle = []string{"temperature", "clock"}

// TestWords finds phrases by which two metrics are known: who says one of them
// could only be asked back. Measures of one name in different units are told
// apart by the unit of the limit; they are derived, and have no file here.
func TestWords(t *testing.T) {
	known := map[string]ID{}
	for _, m := range append(slices.Clone(Builtin().All()), Builtin().Histograms()...) {
		for _, w := range m.Words {
			w = strings.ToLower(w)
			if w != strings.Join(strings.Fields(w), " ") || w == "" {
				t.Errorf("%s: %q has spaces that do not belong there", m.ID, w)
			}
			if other, twice := known[w]; twice && !slices.Contains(tooLittle, w) {
				t.Errorf("%q is said of %s and of %s", w, other, m.ID)
			}
			known[w] = m.ID
		}
	}
}

func TestHistogram(t *testing.T) {
	c, err := Parse("f", strings.NewReader(header+"\nwait_seconds,histogram,s,gpu,pod,0,,high,wait|waiting time,Time waited,ex,off,5m,src\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Metric("wait_seconds"); ok {
		t.Error("a histogram must not be listed under its own name: no series has it")
	}
	if h, ok := c.Histogram("wait_seconds"); !ok || h.Type != Histogram || h.Default || h.Window != 5*time.Minute {
		t.Errorf("got %+v, want the row as it is", h)
	}
	for id, want := range map[ID]struct {
		unit   Unit
		labels string
	}{"wait_seconds_sum": {"s", "pod"}, "wait_seconds_count": {"{observation}", "pod"}, "wait_seconds_bucket": {"{observation}", "pod le"}} {
		if m, _ := c.Metric(id); m.Type != Counter || m.Unit != want.unit || strings.Join(m.Labels, " ") != want.labels || len(m.Words) > 0 {
			t.Errorf("%s: got %+v, want a counter of %s over %s without words", id, m, want.unit, want.labels)
		}
	}
	for id, want := range map[ID]string{
		"wait_seconds:mean": "rate(wait_seconds_sum[5m]) / rate(wait_seconds_count[5m])",
		"wait_seconds:p99":  "histogram_quantile(0.99, sum by (le) (rate(wait_seconds_bucket[5m])))",
	} {
		if d, ok := c.Derived(id); !ok || d.Expr != want || d.Type != Gauge {
			t.Errorf("%s: got %q, want %q", id, d.Expr, want)
		}
	}
	if d, _ := c.Derived("wait_seconds:p95"); strings.Join(d.Words, "|") != "p95 wait|p95 waiting time" {
		t.Errorf("wait_seconds:p95 is called %q", d.Words)
	}
	if _, ok := Builtin().Derived("vllm:time_to_first_token_seconds:p99"); ok {
		t.Error("a histogram that derived.csv has rows of must be left to them")
	}
}

func TestParseErrors(t *testing.T) {
	h, dh := header+"\n", derivedHeader+"\n"
	tests := []struct{ name, in, want string }{
		{"columns", "a,b\n", "f:1: columns are"},
		{"type", h + "m,sum,1,gpu,,,,,w,help,ex,on,,src\n", "f:2: m: type"},
		{"bound", h + "m,gauge,1,gpu,,low,,,w,help,ex,on,,src\n", "f:2: m: bound"},
		{"source", h + "m,gauge,1,gpu,,,,,w,help,ex,on,,\n", "f:2: m: help, exporter and source"},
		{"exporter", h + "m,gauge,1,gpu,,,,,w,help,,on,,src\n", "f:2: m: help, exporter and source"},
		{"default", h + "m,gauge,1,gpu,,,,,w,help,ex,yes,,src\n", "f:2: m: default"},
		{"window", h + "m,counter,1,gpu,,,,,w,help,ex,on,often,src\n", "f:2: m: window"},
		{"part of a histogram", h + "m,histogram,s,gpu,,,,,w,help,ex,on,,src\nm_sum,counter,s,gpu,,,,,w,help,ex,on,,src\n", "f:3: m_sum: listed twice"},
		{"twice", h + "m,gauge,1,gpu,,,,,w,help,ex,on,,src\nm,gauge,1,gpu,,,,,w,help,ex,on,,src\n", "f:3: m: listed twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", strings.NewReader(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
	_, err := Builtin().readDerived("f", strings.NewReader(dh+"up,1,node,,,,,,w,help,up,src\n"))
	if err == nil || !strings.Contains(err.Error(), "f:2: up: listed twice") {
		t.Errorf("a derived measure named like a metric: got error %v", err)
	}
}

// What an agent knows is what everybody knows.
func TestNode(t *testing.T) {
	for _, m := range Node().All() {
		known, ok := Builtin().Metric(m.ID)
		if diff := cmp.Diff(known, m); !ok || diff != "" {
			t.Errorf("%s (-all +node):\n%s", m.ID, diff)
		}
	}
	for _, id := range []ID{"DCGM_FI_DEV_GPU_TEMP", "node_load1", "node_infiniband_port_data_received_bytes_total", "container_memory_working_set_bytes", "kubelet_volume_stats_used_bytes", "vedette_source_up"} {
		if _, ok := Node().Metric(id); !ok {
			t.Errorf("an agent does not know %s", id)
		}
	}
}
