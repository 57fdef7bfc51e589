// Package catalog is what can be measured: every metric's name, type, unit,
// labels and the words people use for it. It is data, a file in metrics for
// each family of exporters, with the source of each row; the package reads it
// and looks things up in it. What people ask for and no exporter says as such,
// a node's CPU usage for one, is in derived.csv: the same facts, and the
// expression that computes it. The percentiles and the mean of a histogram are
// derived too, without a row.
//
// A metric that is not here can still be stored and queried. The catalog is
// what lets a question be understood and a rule be checked.
package catalog

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/rules/strictcsv"
)

// An ID is the name of a metric as it is stored, such as DCGM_FI_DEV_GPU_TEMP.
type ID string

// A Type is what the values of a metric do over time.
type Type string

// The types of metrics. A histogram is not stored under its own name: its
// series are counters, see [Catalog.Histograms]. A summary's own series are
// its quantiles.
const (
	Gauge     Type = "gauge"
	Counter   Type = "counter"
	Histogram Type = "histogram"
	Summary   Type = "summary"
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

	Exporter string        // what exposes it
	Default  bool          // whether the exporter does so as it comes, or has to be told to
	Window   time.Duration // over which its change is usually looked at; 0 for what is looked at as it is

	Source string // where the row's facts come from
}

// Has reports whether series of m can carry label.
func (m Metric) Has(label string) bool { return slices.Contains(m.Labels, label) }

// A Catalog is an immutable set of metrics and of what is derived from them.
type Catalog struct {
	metrics    []Metric // by ID
	byID       map[ID]int
	histograms []Metric // by ID
	rows       []Derived
	derived    func() derivedMeasures
	ends       func() map[string]ID
}

//go:embed metrics/*.csv
var builtin embed.FS

// Builtin returns the catalog that comes with the program.
var Builtin = sync.OnceValue(func() *Catalog {
	files, err := fs.Glob(builtin, "metrics/*.csv")
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	c, err := readBuiltin(files...)
	if err == nil {
		c, err = c.readDerived("derived.csv", bytes.NewReader(builtinDerived))
	}
	if err != nil {
		panic(err)
	}
	return c
})

// Node returns the part of the catalog that an agent on a node tells of, and
// nothing derived: a quarter of the whole, which counts on every node.
var Node = sync.OnceValue(func() *Catalog {
	c, err := readBuiltin("metrics/dcgm.csv", "metrics/node.csv", "metrics/infiniband.csv", "metrics/efa.csv",
		"metrics/cadvisor.csv", "metrics/kubelet.csv", "metrics/vedette.csv")
	if err != nil {
		panic(err)
	}
	return c
})

func readBuiltin(files ...string) (*Catalog, error) {
	c := newCatalog()
	for _, name := range files {
		data, err := builtin.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := c.read(name, bytes.NewReader(data)); err != nil {
			return nil, err
		}
	}
	return c.sorted(), nil
}

const header = "metric,type,unit,entity,labels,min,max,bad,words,help,exporter,default,window,source"

// Parse reads a catalog in the form of the files in metrics: a header line,
// lists separated by "|" within a field, lines starting with # ignored. An
// error names the file and the line.
func Parse(file string, r io.Reader) (*Catalog, error) {
	c := newCatalog()
	if err := c.read(file, r); err != nil {
		return nil, err
	}
	return c.sorted(), nil
}

func newCatalog() *Catalog {
	c := &Catalog{byID: map[ID]int{}}
	c.derived, c.ends = sync.OnceValue(c.derive), sync.OnceValue(c.endsInCapitals)
	return c
}

// read adds the rows of a file. Lists of labels that are the same are shared:
// most metrics of an exporter have those of the next.
func (c *Catalog) read(file string, r io.Reader) error {
	labels := map[string][]string{}
	return strictcsv.Each(file, r, header, func(f []string) error {
		if _, seen := labels[f[4]]; !seen {
			labels[f[4]] = strictcsv.List(f[4])
		}
		m := Metric{ID: ID(f[0]), Type: Type(f[1]), Unit: Unit(f[2]), Entity: f[3], Labels: labels[f[4]],
			Min: f[5], Max: f[6], Bad: f[7], Words: strictcsv.List(f[8]), Help: f[9], Exporter: f[10], Default: f[11] == "on", Source: f[13]}
		if f[11] != "on" && f[11] != "off" {
			return fmt.Errorf("%s: default is %q, want on or off", m.ID, f[11])
		}
		if f[12] != "" {
			d, err := time.ParseDuration(f[12])
			if err != nil || d <= 0 {
				return fmt.Errorf("%s: window %q is not a length of time", m.ID, f[12])
			}
			m.Window = d
		}
		return c.add(m)
	})
}

// sorted puts what was read in the order of its names.
func (c *Catalog) sorted() *Catalog {
	for _, ms := range [][]Metric{c.metrics, c.histograms} {
		slices.SortFunc(ms, func(a, b Metric) int { return strings.Compare(string(a.ID), string(b.ID)) })
	}
	for i, m := range c.metrics {
		c.byID[m.ID] = i
	}
	return c
}

func (c *Catalog) add(m Metric) error {
	if err := m.check(); err != nil {
		return err
	}
	stored := m.series()
	for _, s := range stored {
		if _, twice := c.byID[s.ID]; twice {
			return fmt.Errorf("%s: listed twice", s.ID)
		}
		c.byID[s.ID] = len(c.metrics)
		c.metrics = append(c.metrics, s)
	}
	if m.Type == Histogram {
		c.histograms = append(c.histograms, m)
	}
	return nil
}

func (m Metric) check() error {
	switch {
	case m.ID == "":
		return fmt.Errorf("a metric without a name")
	case !slices.Contains([]Type{Gauge, Counter, Histogram, Summary}, m.Type):
		return fmt.Errorf("%s: type %q is none of gauge, counter, histogram, summary", m.ID, m.Type)
	case m.Bad != "" && m.Bad != "high" && m.Bad != "low":
		return fmt.Errorf("%s: bad is %q, want high, low or nothing", m.ID, m.Bad)
	case m.Help == "" || m.Exporter == "" || m.Source == "":
		return fmt.Errorf("%s: help, exporter and source are required", m.ID)
	}
	for _, bound := range []string{m.Min, m.Max} {
		if _, err := strconv.ParseFloat(bound, 64); bound != "" && err != nil {
			return fmt.Errorf("%s: bound %q is not a number", m.ID, bound)
		}
	}
	return nil
}

// Metric returns the metric that series are stored under as id. It reports
// false where there is none.
func (c *Catalog) Metric(id ID) (Metric, bool) {
	i, ok := c.byID[id]
	if !ok {
		return Metric{}, false
	}
	return c.metrics[i], true
}

// EndingIn returns the metric whose name ends with end: people leave away what all names
// of an exporter of GPUs begin with, as in FB_USED, which such exporters write in capitals.
// Of several it is the shortest. It reports false where there is none, or end is not
// several words in capitals.
func (c *Catalog) EndingIn(end string) (ID, bool) {
	id, ok := c.ends()[end]
	return id, ok
}

var capitals = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// endsInCapitals is done when it is first asked for, as [Catalog.derive] is.
func (c *Catalog) endsInCapitals() map[string]ID {
	ends := map[string]ID{}
	for _, m := range c.metrics {
		for _, end, more := strings.Cut(string(m.ID), "_"); more; _, end, more = strings.Cut(end, "_") {
			if best, found := ends[end]; capitals.MatchString(end) && (!found || len(m.ID) < len(best)) {
				ends[end] = m.ID
			}
		}
	}
	return ends
}

// All returns every metric that series are stored under, by ID. The caller
// must not change them.
func (c *Catalog) All() []Metric { return c.metrics }
