// Package catalog is what can be measured: every metric's name, type, unit,
// labels and the words people use for it. It is a data file, metrics.csv, with
// the source of each row; the package reads it and looks things up in it. What
// people ask for and no exporter says as such, a node's CPU usage for one, is
// in derived.csv: the same facts, and the expression that computes it.
//
// A metric that is not here can still be stored and queried. The catalog is
// what lets a question be understood and a rule be checked.
package catalog

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
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
	Labels []string // the labels a series can carry, the target's (job, cluster) aside
	Min    string   // the lowest value possible, "" where there is none
	Max    string   // the highest value possible, "" where there is none
	Bad    string   // "high", "low" or "": which end hurts
	Words  []string // what people call it, most usual first
	Help   string
	Source string // where the row's facts come from
}

// Has reports whether series of m can carry label.
func (m Metric) Has(label string) bool { return slices.Contains(m.Labels, label) }

// A Catalog is an immutable set of metrics and of what is derived from them.
type Catalog struct {
	metrics []Metric // by ID
	byID    map[ID]int
	derived []Derived // by ID
}

//go:embed metrics.csv
var builtin []byte

// Builtin returns the catalog that comes with the program.
var Builtin = sync.OnceValue(func() *Catalog {
	c, err := Parse("metrics.csv", bytes.NewReader(builtin))
	if err == nil {
		c, err = c.readDerived("derived.csv", bytes.NewReader(builtinDerived))
	}
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return c
})

const header = "metric,type,unit,entity,labels,min,max,bad,words,help,source"

// Parse reads a catalog in the form of metrics.csv: a header line, lists
// separated by "|" within a field, lines starting with # ignored. An error
// names the file and the line.
func Parse(file string, r io.Reader) (*Catalog, error) {
	c := &Catalog{byID: map[ID]int{}}
	err := strictcsv.Each(file, r, header, func(f []string) error {
		return c.add(Metric{ID: ID(f[0]), Type: Type(f[1]), Unit: Unit(f[2]), Entity: f[3], Labels: strictcsv.List(f[4]),
			Min: f[5], Max: f[6], Bad: f[7], Words: strictcsv.List(f[8]), Help: f[9], Source: f[10]})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(c.metrics, func(a, b Metric) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, m := range c.metrics {
		c.byID[m.ID] = i
	}
	return c, nil
}

func (c *Catalog) add(m Metric) error {
	if err := m.check(); err != nil {
		return err
	}
	if _, twice := c.byID[m.ID]; twice {
		return fmt.Errorf("%s: listed twice", m.ID)
	}
	c.byID[m.ID] = len(c.metrics)
	c.metrics = append(c.metrics, m)
	return nil
}

func (m Metric) check() error {
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
	for _, bound := range []string{m.Min, m.Max} {
		if _, err := strconv.ParseFloat(bound, 64); bound != "" && err != nil {
			return fmt.Errorf("%s: bound %q is not a number", m.ID, bound)
		}
	}
	return nil
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
