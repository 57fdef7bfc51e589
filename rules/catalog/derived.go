package catalog

import (
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// A Derived measure is computed from metrics. Its Metric is what a result is,
// as if it were stored: a gauge whose Labels are those the expression keeps.
type Derived struct {
	Metric
	Filters []string // more labels it can be narrowed by, which the result does not keep
	Expr    string   // PromQL; every range and offset in it stands for the window asked for
}

// Takes reports whether d can be narrowed by label.
func (d Derived) Takes(label string) bool { return d.Has(label) || slices.Contains(d.Filters, label) }

// Pooled reports whether d is one result of all series together unless that of
// each thing is asked for: a percentile.
func (d Derived) Pooled() bool { return strings.Contains(d.Expr, "sum by (le)") }

// Quotient reports whether d is what one flow, or one sum, comes to by another:
// of several series together it is their sums that are divided, for a share of
// few says less than one of many.
func (d Derived) Quotient() bool {
	flows := func(s string) bool {
		return strings.Contains(s, "rate(") || strings.Contains(s, "increase(") || strings.Contains(s, "sum")
	}
	of, by, ok := strings.Cut(d.Expr, " / ")
	return ok && !d.Pooled() && flows(of) && flows(by)
}

// quotientOfTwo is a share of one metric in another.
var quotientOfTwo = regexp.MustCompile(`^(?:100 - )?(?:100 \* )?([a-zA-Z_:][a-zA-Z0-9_:]*) / ([a-zA-Z_:][a-zA-Z0-9_:]*)$`)

// Gauges returns the two metrics that d is a share of, if it is of nothing more.
func (d Derived) Gauges() (of, by ID, ok bool) {
	m := quotientOfTwo.FindStringSubmatch(d.Expr)
	if m == nil {
		return "", "", false
	}
	return ID(m[1]), ID(m[2]), true
}

//go:embed derived.csv
var builtinDerived []byte

const derivedHeader = "id,unit,entity,labels,filters,min,max,bad,words,help,expr,source"

// readDerived returns c with the derived measures of a file in the form of
// derived.csv. That their expressions parse and name metrics of c is tested
// where there is a parser: package check.
func (c *Catalog) readDerived(file string, r io.Reader) (*Catalog, error) {
	full := &Catalog{metrics: c.metrics, byID: c.byID, histograms: c.histograms, rows: slices.Clone(c.rows)}
	full.derived, full.ends = sync.OnceValue(full.derive), sync.OnceValue(full.endsInCapitals)
	seen := map[ID]bool{}
	for _, d := range full.rows {
		seen[d.ID] = true
	}
	err := strictcsv.Each(file, r, derivedHeader, func(f []string) error {
		d := Derived{Filters: strictcsv.List(f[4]), Expr: f[10]}
		d.Metric = Metric{ID: ID(f[0]), Type: Gauge, Unit: Unit(f[1]), Entity: f[2], Labels: strictcsv.List(f[3]),
			Min: f[5], Max: f[6], Bad: f[7], Words: strictcsv.List(f[8]), Help: f[9], Exporter: "Vedette", Default: true, Source: f[11]}
		if err := d.check(); err != nil {
			return err
		}
		if d.Expr == "" {
			return fmt.Errorf("%s: an expression is required", d.ID)
		}
		if _, stored := full.byID[d.ID]; stored || seen[d.ID] {
			return fmt.Errorf("%s: listed twice", d.ID)
		}
		seen[d.ID] = true
		full.rows = append(full.rows, d)
		return nil
	})
	return full, err
}

// derivedMeasures are what a catalog derives, and where each is.
type derivedMeasures struct {
	all  []Derived // by ID
	byID map[ID]int
}

// derive puts together what has rows, and what histograms and pairs come to. It is done
// when it is first asked for: an agent, which asks nothing, does not pay for it.
func (c *Catalog) derive() derivedMeasures {
	d := derivedMeasures{all: slices.Concat(c.rows, c.ofHistograms(), c.ofPairs()), byID: map[ID]int{}}
	slices.SortFunc(d.all, func(a, b Derived) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, m := range d.all {
		d.byID[m.ID] = i
		if m.Quotient() {
			d.all[i].Filters = c.shared(m)
		}
	}
	return d
}

// shared returns the labels that everything has of which d is made, but for those
// that it is made of.
func (c *Catalog) shared(d Derived) []string {
	var labels []string
	for i, id := range c.namedIn(d.Expr) {
		m, _ := c.Metric(id)
		if i == 0 {
			labels = slices.Clone(m.Labels)
		}
		labels = slices.DeleteFunc(labels, func(l string) bool {
			return !m.Has(l) || slices.ContainsFunc([]string{"=", "!"}, func(op string) bool {
				return strings.Contains(d.Expr, "{"+l+op) || strings.Contains(d.Expr, ","+l+op)
			})
		})
	}
	return labels
}

// namedIn returns the metrics of c that expr names.
func (c *Catalog) namedIn(expr string) (ids []ID) {
	for _, w := range strings.FieldsFunc(expr, func(r rune) bool {
		return r != '_' && r != ':' && (r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a')
	}) {
		if _, ok := c.byID[ID(w)]; ok {
			ids = append(ids, ID(w))
		}
	}
	return ids
}

// Derived returns the derived measure named id. It reports false where there is none.
func (c *Catalog) Derived(id ID) (Derived, bool) {
	d := c.derived()
	i, ok := d.byID[id]
	if !ok {
		return Derived{}, false
	}
	return d.all[i], true
}

// AllDerived returns every derived measure, by ID. The caller must not change them.
func (c *Catalog) AllDerived() []Derived { return c.derived().all }

// Measure returns what id measures, a metric or a derived measure alike. It
// reports false where id is neither.
func (c *Catalog) Measure(id ID) (Metric, bool) {
	if m, ok := c.Metric(id); ok {
		return m, true
	}
	d, ok := c.Derived(id)
	return d.Metric, ok
}

// Splits reports whether there can be a result of the measure id for each
// value of label: it is a label of its series, or of the histogram that a
// quantile is taken of, or of both parts of a quotient.
func (c *Catalog) Splits(id ID, label string) bool {
	label = strings.TrimPrefix(label, Renamed)
	if d, ok := c.Derived(id); ok && (d.Pooled() || d.Quotient()) && d.Takes(label) {
		return true
	}
	m, _ := c.Metric(id)
	d, _ := c.Derived(id)
	return m.Has(label) || d.Has(label) || label == External && m.ID != "" || label == batchJob && c.ofBatchJobs(id)
}

// External is the label that says which cluster series are of: a server adds it
// to whatever it scrapes or sends, so that no exporter lists it.
const External = "cluster"

// batchJob is the label by which dcgm-exporter says which job of Slurm or another
// batch system a GPU works for, where it is told (--hpc-job-mapping-dir).
const batchJob = "hpc_job"

// ofBatchJobs reports whether the measure id is of GPUs as dcgm-exporter sees them.
func (c *Catalog) ofBatchJobs(id ID) bool {
	if d, ok := c.Derived(id); ok {
		return strings.Contains(d.Expr, "DCGM_") && !strings.Contains(d.Expr, " by (")
	}
	m, _ := c.Metric(id)
	return m.Exporter == "dcgm-exporter"
}

// Renamed is how the names of labels begin that Prometheus has renamed, since its
// target has one that is called so too (honor_labels).
const Renamed = "exported_"

// Takes reports whether the measure id can be narrowed by label.
func (c *Catalog) Takes(id ID, label string) bool {
	label = strings.TrimPrefix(label, Renamed)
	if label == External || label == batchJob && c.ofBatchJobs(id) {
		return true
	}
	if d, ok := c.Derived(id); ok {
		return d.Takes(label)
	}
	m, _ := c.Metric(id)
	return m.Has(label)
}
