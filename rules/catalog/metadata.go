package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Discovered is the exporter of metrics of which only a Prometheus' metadata tell.
const Discovered = "metadata"

// ReadMetadata returns c with the metrics that a Prometheus knows by name,
// help and type: r is the answer of its /api/v1/metadata. What c has of them
// already stays as it is, under the name that is stored: whether a counter's
// ends in _total is up to how its exporter was set up. A histogram is what it
// is stored as: its buckets, count and sum.
func (c *Catalog) ReadMetadata(file string, r io.Reader) (*Catalog, error) {
	var answer struct {
		Data map[string][]struct{ Type, Help, Unit string } `json:"data"`
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read metadata %s: %w", file, err)
	}
	if answer.Data == nil {
		return nil, fmt.Errorf("read metadata %s: it has no \"data\"", file)
	}
	full := c.renamed(func(name string) bool { return answer.Data[name] != nil })
	for _, name := range slices.Sorted(maps.Keys(answer.Data)) {
		for _, m := range answer.Data[name][:min(1, len(answer.Data[name]))] {
			row := Metric{ID: ID(name), Type: typeOf(name, m.Type), Unit: unitOf(name, m.Unit), Entity: "target", Labels: []string{"instance"},
				Help: cmp.Or(m.Help, name), Exporter: Discovered, Default: true, Source: "/api/v1/metadata"}
			if slices.ContainsFunc(row.series(), func(s Metric) bool { _, known := full.byID[s.ID]; return known }) {
				continue
			}
			if err := full.add(row); err != nil {
				return nil, fmt.Errorf("read metadata %s: %w", file, err)
			}
		}
	}
	return full.sorted(), nil
}

// renamed returns a copy of c in which each counter that is not stored under its
// name, and is under that with _total or without it, has the name it is stored
// under.
func (c *Catalog) renamed(stored func(name string) bool) *Catalog {
	full := newCatalog()
	full.metrics, full.histograms, full.rows = slices.Clone(c.metrics), slices.Clone(c.histograms), slices.Clone(c.rows)
	full.byID = maps.Clone(c.byID)
	for i, m := range c.metrics {
		if m.Type != Counter || stored(string(m.ID)) {
			continue
		}
		name, total := strings.CutSuffix(string(m.ID), "_total")
		if !total {
			name += "_total"
		}
		if _, known := c.byID[ID(name)]; known || !stored(name) {
			continue
		}
		full.metrics[i].ID = ID(name)
		delete(full.byID, m.ID)
		full.byID[ID(name)] = i
		whole := regexp.MustCompile(`\b` + regexp.QuoteMeta(string(m.ID)) + `\b`)
		for j := range full.rows {
			full.rows[j].Expr = whole.ReplaceAllLiteralString(full.rows[j].Expr, name)
		}
	}
	return full
}

// typeOf is the type that an exporter says its metric has, or, where it says
// none, that its name says.
func typeOf(name, said string) Type {
	switch said {
	case "counter", "histogram", "summary":
		return Type(said)
	case "gaugehistogram":
		return Histogram
	case "unknown", "untyped", "":
		for _, end := range []string{"_total", "_bucket", "_count", "_sum"} {
			if strings.HasSuffix(name, end) {
				return Counter
			}
		}
	}
	return Gauge
}

// suffixUnits are the units that names end in, by Prometheus' rules for naming.
var suffixUnits = []struct {
	suffix string
	unit   Unit
}{{"_seconds", "s"}, {"_bytes", "By"}, {"_ratio", "1"}, {"_percent", "%"}, {"_celsius", "Cel"}, {"_watts", "W"}, {"_joules", "J"}, {"_volts", "V"}, {"_milliseconds", "ms"}, {"_hertz", "Hz"}}

func unitOf(name, said string) Unit {
	base := strings.TrimSuffix(name, "_total")
	if said != "" {
		base += "_" + said
	}
	for _, s := range suffixUnits {
		if strings.HasSuffix(base, s.suffix) {
			return s.unit
		}
	}
	return "{value}"
}
