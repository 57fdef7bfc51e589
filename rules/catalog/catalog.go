// Package catalog is what can be measured: every metric's name, type, unit,
// labels and the words people use for it. It is a data file, metrics.csv, with
// the source of each row; the package reads it and looks things up in it.
//
// A metric that is not here can still be stored and queried. The catalog is
// what lets a question be understood and a rule be checked.
package catalog

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// An ID is the name of a metric as it is stored, such as DCGM_FI_DEV_GPU_TEMP.
type ID string

// A Type is what the values of a metric do over time.
type Type string

// The types of metrics.
const (
	Gauge   Type = "gauge"
	Counter Type = "counter"
)

// A Unit is what one of a metric's values counts, in the words of UCUM where
// it has one: "Cel", "W", "%", "MiBy", "By", "s", "1" (a ratio), "{gpu}".
type Unit string

// A Metric is one row of the catalog.
type Metric struct {
	ID     ID
	Type   Type
	Unit   Unit
	Entity string   // what one series is about: gpu, node, cpu, disk, nic, pod, container, deployment, model, source
	Labels []string // the labels every series carries
	Min    string   // the lowest value possible, "" where there is none
	Max    string   // the highest value possible, "" where there is none
	Bad    string   // "high", "low" or "": which end hurts
	Words  []string // what people call it, most usual first
	Help   string
	Source string // where the row's facts come from
}

// Has reports whether every series of m carries label.
func (m Metric) Has(label string) bool { return slices.Contains(m.Labels, label) }

// A Catalog is an immutable set of metrics.
type Catalog struct {
	metrics []Metric // by ID
	byID    map[ID]int
}

//go:embed metrics.csv
var builtin []byte

// Builtin returns the catalog that comes with the program.
var Builtin = sync.OnceValue(func() *Catalog {
	c, err := Parse("metrics.csv", bytes.NewReader(builtin))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return c
})

var header = []string{"metric", "type", "unit", "entity", "labels", "min", "max", "bad", "words", "help", "source"}

// Parse reads a catalog in the form of metrics.csv: a header line, lists
// separated by "|" within a field, lines starting with # ignored. An error
// names the file and the line.
func Parse(file string, r io.Reader) (*Catalog, error) {
	cr := csv.NewReader(r)
	cr.Comment = '#'
	cr.FieldsPerRecord = len(header)
	got, err := cr.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if !slices.Equal(got, header) {
		return nil, fmt.Errorf("%s:1: columns are %v, want %v", file, got, header)
	}
	c := &Catalog{byID: map[ID]int{}}
	for {
		rec, err := cr.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		m := Metric{ID: ID(rec[0]), Type: Type(rec[1]), Unit: Unit(rec[2]), Entity: rec[3], Labels: list(rec[4]),
			Min: rec[5], Max: rec[6], Bad: rec[7], Words: list(rec[8]), Help: rec[9], Source: rec[10]}
		if err := c.add(m); err != nil {
			line, _ := cr.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
	slices.SortFunc(c.metrics, func(a, b Metric) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, m := range c.metrics {
		c.byID[m.ID] = i
	}
	return c, nil
}

func (c *Catalog) add(m Metric) error {
	switch {
	case m.ID == "":
		return fmt.Errorf("a metric without a name")
	case m.Type != Gauge && m.Type != Counter:
		return fmt.Errorf("%s: type %q is neither gauge nor counter", m.ID, m.Type)
	case m.Bad != "" && m.Bad != "high" && m.Bad != "low":
		return fmt.Errorf("%s: bad is %q, want high, low or nothing", m.ID, m.Bad)
	case m.Help == "" || m.Source == "":
		return fmt.Errorf("%s: help and source are required", m.ID)
	}
	if _, twice := c.byID[m.ID]; twice {
		return fmt.Errorf("%s: listed twice", m.ID)
	}
	c.byID[m.ID] = len(c.metrics)
	c.metrics = append(c.metrics, m)
	return nil
}

func list(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, "|")
}

// Metric returns the metric named id. It reports false where there is none.
func (c *Catalog) Metric(id ID) (Metric, bool) {
	i, ok := c.byID[id]
	if !ok {
		return Metric{}, false
	}
	return c.metrics[i], true
}

// All returns every metric, by ID. The caller must not change them.
func (c *Catalog) All() []Metric { return c.metrics }
