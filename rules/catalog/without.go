package catalog

import (
	"slices"
	"strings"
)

// Without returns c without the metrics of one exporter, and without what is
// derived of them: what a cluster knows where it does not run.
func (c *Catalog) Without(exporter string) *Catalog {
	less := newCatalog()
	gone := []string{}
	keep := func(ms []Metric) []Metric {
		return slices.DeleteFunc(slices.Clone(ms), func(m Metric) bool {
			if m.Exporter == exporter {
				gone = append(gone, string(m.ID))
			}
			return m.Exporter == exporter
		})
	}
	less.metrics, less.histograms = keep(c.metrics), keep(c.histograms)
	less.rows = slices.DeleteFunc(slices.Clone(c.rows), func(d Derived) bool {
		return slices.ContainsFunc(gone, func(id string) bool { return strings.Contains(d.Expr, id) })
	})
	return less.sorted()
}
