package catalog

import (
	"strings"
	"testing"
)

func TestBuiltin(t *testing.T) {
	c := Builtin()
	if len(c.All()) < 150 || len(c.AllDerived()) < 30 {
		t.Errorf("got %d metrics and %d derived measures: the data files are cut short", len(c.All()), len(c.AllDerived()))
	}
	if m, _ := c.Metric("DCGM_FI_DEV_FB_USED"); m.Unit != "MiBy" || m.Type != Gauge {
		t.Errorf("DCGM_FI_DEV_FB_USED is a %s in %s, want a gauge in MiBy", m.Type, m.Unit)
	}
	if !c.Takes("node_cpu_usage_percent", "instance") || c.Takes("node_cpu_usage_percent", "pod") {
		t.Error("node_cpu_usage_percent must be narrowed by instance and not by pod")
	}
}

func TestParseErrors(t *testing.T) {
	h, dh := header+"\n", derivedHeader+"\n"
	tests := []struct{ name, in, want string }{
		{"columns", "a,b\n", "f:1: columns are"},
		{"type", h + "m,sum,1,gpu,,,,,w,help,src\n", "f:2: m: type"},
		{"bound", h + "m,gauge,1,gpu,,low,,,w,help,src\n", "f:2: m: bound"},
		{"source", h + "m,gauge,1,gpu,,,,,w,help,\n", "f:2: m: help and source"},
		{"twice", h + "m,gauge,1,gpu,,,,,w,help,src\nm,gauge,1,gpu,,,,,w,help,src\n", "f:3: m: listed twice"},
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
