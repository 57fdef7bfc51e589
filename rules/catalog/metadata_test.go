package catalog_test

import (
	"strings"
	"testing"

	"vedette.dev/rules/catalog"
)

const metadata = `{"status":"success","data":{
	"coffee_wait_seconds":[{"type":"histogram","help":"Time to the cup","unit":""}],
	"coffee_cups_total":[{"type":"counter","help":"Cups served","unit":""}],
	"coffee_beans":[{"type":"gauge","help":"Beans left","unit":""},{"type":"counter","help":"Said by another","unit":""}],
	"DCGM_FI_DEV_GPU_TEMP":[{"type":"counter","help":"Not what the catalog says","unit":""}]}}`

func TestReadMetadata(t *testing.T) {
	c, err := catalog.Builtin().ReadMetadata("metadata.json", strings.NewReader(metadata))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		id   catalog.ID
		kind catalog.Type
		unit catalog.Unit
	}{
		{"coffee_wait_seconds_bucket", catalog.Counter, "{observation}"},
		{"coffee_wait_seconds_sum", catalog.Counter, "s"},
		{"coffee_wait_seconds_count", catalog.Counter, "{observation}"},
		{"coffee_cups_total", catalog.Counter, "{value}"},
		{"coffee_beans", catalog.Gauge, "{value}"},
		{"DCGM_FI_DEV_GPU_TEMP", catalog.Gauge, "Cel"}, // what is known better stays
	} {
		if m, ok := c.Metric(want.id); !ok || m.Type != want.kind || m.Unit != want.unit {
			t.Errorf("%s is %q in %q (known: %v), want %q in %q", want.id, m.Type, m.Unit, ok, want.kind, want.unit)
		}
	}
	if _, ok := catalog.Builtin().Metric("coffee_beans"); ok {
		t.Error("the catalog that was read into has changed")
	}
	if _, err := catalog.Builtin().ReadMetadata("metadata.json", strings.NewReader("[]")); err == nil || !strings.Contains(err.Error(), "metadata.json") {
		t.Errorf("a list instead of metadata: error %v, want one that names the file", err)
	}
}

func TestReadMetadataOfCountersNamedOtherwise(t *testing.T) {
	builtin := catalog.Builtin()
	c, err := builtin.ReadMetadata("metadata.json", strings.NewReader(`{"data":{
		"otelcol_receiver_refused_spans_total":[{"type":"counter","help":"a reader of its own adds the suffix"}],
		"kubelet_evictions":[{"type":"counter","help":"as it is listed"}],
		"node_disk_io_time_seconds":[{"type":"counter","help":"an OpenTelemetry pipeline took the suffix away"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for stored, listed := range map[catalog.ID]catalog.ID{
		"otelcol_receiver_refused_spans_total": "otelcol_receiver_refused_spans",
		"node_disk_io_time_seconds":            "node_disk_io_time_seconds_total",
		"kubelet_evictions":                    "kubelet_evictions",
	} {
		want, _ := builtin.Metric(listed)
		got, ok := c.Metric(stored)
		if !ok || got.ID != stored || got.Help != want.Help || len(got.Words) != len(want.Words) {
			t.Errorf("%s is %+v, want what the catalog says of %s", stored, got, listed)
		}
		if _, both := c.Metric(listed); both && stored != listed {
			t.Errorf("%s is still there beside %s, which is what is stored", listed, stored)
		}
	}
	for _, d := range c.AllDerived() {
		if strings.Contains(d.Expr, "node_disk_io_time_seconds_total") {
			t.Errorf("%s still computes with the name that is not stored: %s", d.ID, d.Expr)
		}
	}
}
