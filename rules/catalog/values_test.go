package catalog

import (
	"slices"
	"strings"
	"testing"
)

// TestLabelValues holds values.csv to the catalog: each value is one of a label
// that some metric with such a name has.
func TestLabelValues(t *testing.T) {
	all := Builtin().All()
	for _, v := range LabelValues() {
		if len(v.Words) == 0 || !slices.Contains([]string{"=", "!=", "=~", "!~"}, v.Op) {
			t.Errorf("%v %s %q: words and an operator are required", v.Labels, v.Op, v.Value)
		}
		if !slices.ContainsFunc(all, func(m Metric) bool { return v.Of(m.ID) && slices.ContainsFunc(v.Labels, m.Has) }) {
			t.Errorf("%s: no metric that begins with %s has a label %s", v.Value, strings.Join(v.Metrics, " or "), strings.Join(v.Labels, " or "))
		}
		for _, begin := range v.Metrics {
			if !slices.ContainsFunc(all, func(m Metric) bool { return strings.HasPrefix(string(m.ID), begin) }) {
				t.Errorf("%s: no metric begins with %s", v.Value, begin)
			}
		}
	}
}
