package otlp

import (
	"fmt"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// TestPageIsRead has Prometheus' own parser read the page: what was pushed
// comes back, whatever is in it.
func TestPageIsRead(t *testing.T) {
	shared := []collector.Attr{{Key: "modelName", Value: `a "quoted" \ name`}, {Key: "gpu", Value: "0"}}
	points := []collector.Point{
		{Metric: "b", Value: math.Inf(1), Attrs: shared},
		{Metric: "a", Value: math.NaN(), Attrs: shared},
		{Metric: "b", Value: math.Inf(-1), Attrs: shared[:1]}, // another series, of the same array
		{Metric: "c", Value: 1e21, Counter: true},
		{Metric: "c", Value: 0.1 + 0.2, Counter: true, Attrs: []collector.Attr{{Key: "pod", Value: "two\nlines"}}},
		{Metric: "a", Value: -1.5, Attrs: []collector.Attr{{Key: "pod", Value: "not \xff text"}}},
	}
	page := &Page{Help: func(catalog.ID) string { return "a \\ and\nanother line" }}
	if err := page.Push(t.Context(), collector.Batch{Points: points}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for name, f := range families {
		if f.GetHelp() != "a \\ and\nanother line" {
			t.Errorf("help of %s is %q", name, f.GetHelp())
		}
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			got = append(got, fmt.Sprintln(name, f.GetType(), labels, m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	for _, p := range points {
		var labels []string
		for _, a := range p.Attrs {
			labels = append(labels, fmt.Sprintf("%s=%q", a.Key, strings.ToValidUTF8(a.Value, "\uFFFD")))
		}
		slices.Sort(labels)
		kind := "GAUGE"
		if p.Counter {
			kind = "COUNTER"
		}
		want = append(want, fmt.Sprintln(p.Metric, kind, labels, p.Value))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

// A page that nobody has changed since is written once for all who ask.
func TestPageIsKept(t *testing.T) {
	page := &Page{}
	for value := range 2 {
		if err := page.Push(t.Context(), collector.Batch{Points: []collector.Point{{Metric: "up", Value: float64(value)}}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w := httptest.NewRecorder()
			page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			if want := fmt.Sprintf("up %d\n", value); !strings.HasSuffix(w.Body.String(), want) {
				t.Errorf("page is %q, want %q", w.Body.String(), want)
			}
		}
	}
}
