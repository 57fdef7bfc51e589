package catalog

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ReadMetadata returns c with the metrics that a Prometheus knows by name,
// help and type: r is the answer of its /api/v1/metadata. What c has of them
// already stays as it is. A histogram is what it is stored as: its buckets,
// count and sum.
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
	full := &Catalog{metrics: slices.Clone(c.metrics), byID: maps.Clone(c.byID), derived: c.derived}
	for _, name := range slices.Sorted(maps.Keys(answer.Data)) {
		for _, m := range answer.Data[name][:min(1, len(answer.Data[name]))] {
			for _, row := range stored(name, m.Type, m.Help, m.Unit) {
				if _, known := full.byID[row.ID]; !known {
					full.byID[row.ID] = len(full.metrics)
					full.metrics = append(full.metrics, row)
				}
			}
		}
	}
	slices.SortFunc(full.metrics, func(a, b Metric) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, m := range full.metrics {
		full.byID[m.ID] = i
	}
	return full, nil
}

// stored returns the rows of the series that a metric of type kind is stored as.
func stored(name, kind, help, unit string) []Metric {
	row := func(suffix string, t Type, labels ...string) Metric {
		id := name + suffix
		return Metric{ID: ID(id), Type: t, Unit: unitOf(id, unit), Entity: "target", Labels: append([]string{"instance"}, labels...), Help: help, Source: "/api/v1/metadata"}
	}
	switch kind {
	case "counter":
		return []Metric{row("", Counter)}
	case "histogram", "gaugehistogram":
		return []Metric{row("_bucket", Counter, "le"), row("_count", Counter), row("_sum", Counter)}
	case "summary":
		return []Metric{row("", Gauge, "quantile"), row("_count", Counter), row("_sum", Counter)}
	case "unknown", "untyped", "":
		if strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum") {
			return []Metric{row("", Counter)}
		}
	}
	return []Metric{row("", Gauge)}
}

// suffixUnits are the units that names end in, by Prometheus' rules for naming.
var suffixUnits = []struct {
	suffix string
	unit   Unit
}{{"_seconds", "s"}, {"_bytes", "By"}, {"_ratio", "1"}, {"_percent", "%"}, {"_celsius", "Cel"}, {"_watts", "W"}, {"_joules", "J"}, {"_volts", "V"}, {"_milliseconds", "ms"}, {"_hertz", "Hz"}}

func unitOf(name, said string) Unit {
	base := name
	for _, s := range []string{"_total", "_bucket", "_sum"} {
		base = strings.TrimSuffix(base, s)
	}
	if said != "" {
		base += "_" + said
	}
	for _, s := range suffixUnits {
		if strings.HasSuffix(base, s.suffix) && !strings.HasSuffix(name, "_count") && !strings.HasSuffix(name, "_bucket") {
			return s.unit
		}
	}
	return "{value}"
}
