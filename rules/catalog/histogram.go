package catalog

import (
	"slices"
	"strings"
)

// Histograms returns every metric of type Histogram under the name that its
// exporter gives it, by ID. Its series are stored, and listed in [Catalog.All],
// under that name and _bucket, _sum and _count. The caller must not change them.
func (c *Catalog) Histograms() []Metric { return c.histograms }

// Histogram returns the histogram named id. It reports false where there is none.
func (c *Catalog) Histogram(id ID) (Metric, bool) {
	i, ok := slices.BinarySearchFunc(c.histograms, id, func(m Metric, id ID) int { return strings.Compare(string(m.ID), string(id)) })
	if !ok {
		return Metric{}, false
	}
	return c.histograms[i], true
}

// series returns what is stored of m. Parts of a histogram or a summary have no
// words: nobody asks for them, but for what they come to.
func (m Metric) series() []Metric {
	if m.Type != Histogram && m.Type != Summary {
		return []Metric{m}
	}
	part := func(suffix, what string, u Unit, labels []string) Metric {
		return Metric{ID: m.ID + ID(suffix), Type: Counter, Unit: u, Entity: m.Entity, Labels: labels, Min: "0",
			Help: what + m.Help, Exporter: m.Exporter, Default: m.Default, Window: m.Window, Source: m.Source}
	}
	sum := part("_sum", "Sum of: ", m.Unit, m.Labels)
	count := part("_count", "Number of: ", "{observation}", m.Labels)
	if m.Type == Summary {
		own := m
		own.Labels = append(slices.Clone(m.Labels), "quantile")
		return []Metric{own, sum, count}
	}
	return []Metric{sum, count, part("_bucket", "Buckets of: ", "{observation}", append(slices.Clone(m.Labels), "le"))}
}

// percentiles are those that people ask for and published rules alert on.
var percentiles = []struct{ name, quantile string }{{"p50", "0.5"}, {"p75", "0.75"}, {"p90", "0.9"}, {"p95", "0.95"}, {"p99", "0.99"}, {"p999", "0.999"}}

// ofHistograms returns the mean and the percentiles of histograms, but for the
// derived measures that have rows of their own. Means are of each series, as for any
// other metric; a percentile is of all of them, or of those of each thing that is asked about.
func (c *Catalog) ofHistograms() []Derived {
	own := map[ID][]string{} // expressions
	for _, d := range c.rows {
		for rest, found := d.Expr, true; found; {
			var before string
			before, rest, found = strings.Cut(rest, "_bucket")
			of := ID(before[strings.LastIndexAny(before, " (")+1:])
			own[of] = append(own[of], d.Expr)
		}
	}
	var ds []Derived
	for _, m := range c.histograms {
		if len(m.Words) == 0 {
			continue
		}
		rate := func(part string) string { return "rate(" + string(m.ID) + part + "[5m])" }
		if len(own[m.ID]) == 0 {
			ds = append(ds, m.come("mean", "", ", mean", rate("_sum")+" / "+rate("_count")))
		}
		for _, p := range percentiles {
			if slices.ContainsFunc(own[m.ID], func(expr string) bool { return strings.HasPrefix(expr, "histogram_quantile("+p.quantile+",") }) {
				continue
			}
			q := m.come(p.name, p.name+" ", ", percentile "+p.quantile, "histogram_quantile("+p.quantile+", sum by (le) ("+rate("_bucket")+"))")
			q.Labels, q.Filters = nil, m.Labels
			ds = append(ds, q)
		}
	}
	return ds
}

// come returns one thing that a histogram comes to.
func (m Metric) come(name, word, what, expr string) Derived {
	d := Derived{Metric: m, Expr: expr}
	d.ID, d.Type, d.Help = m.ID+ID(":"+name), Gauge, m.Help+what
	d.Words = make([]string, len(m.Words))
	for i, w := range m.Words {
		d.Words[i] = word + w
	}
	return d
}
