package detect

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vedette.dev/analyzer"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

// A Watch says how the series of one metric are watched. It is a row of watches.csv or,
// where it has a Given, of explained.csv, or where it has a Model, of joint.csv.
type Watch struct {
	Metric    catalog.ID
	Given     catalog.ID // what explains it, of the same subject: what is left is watched; none: the metric itself
	Model     string     // what it is judged with, and with nothing else: see whole; "": by itself
	Kind      catalog.Type
	Direction Direction
	Subject   string     // the kind of what a series is about: gpu, node, pod or target, which is scraped
	Labels    []string   // that name the subject, in the order in which it is written
	Ignore    []string   // that are no part of what a series is
	While     catalog.ID // of the same Model: it counts only while that is Above; "": always
	Above     float64
	Keep      []string // that are part of what is judged in a Model, where there are such
	Group     []string // whose equal values make peers; none: no peers
	Absence   bool     // a subject that is no longer heard of is a finding
	Leaks     bool     // a value that grows without end is a finding
	MinEffect float64  // a smaller deviation is nothing; in the metric's unit, per second for a counter
	Reason    string
}

// A Direction says which deviation of a metric hurts.
type Direction string

// The directions.
const (
	High Direction = "high"
	Low  Direction = "low"
	Both Direction = "both"
)

// off returns by how much value is away from usual on the side that hurts, 0
// where it is not.
func (d Direction) off(value, usual float64) float64 {
	switch d {
	case High:
		return max(0, value-usual)
	case Low:
		return max(0, usual-value)
	}
	return max(value-usual, usual-value)
}

// hurts reports whether a deviation upwards, or downwards, hurts.
func (d Direction) hurts(up bool) bool { return d == Both || up == (d == High) }

// subject returns what the series with these labels is about. It reports false
// where a label is missing.
func (w Watch) subject(labels map[string]string) (analyzer.Subject, bool) {
	var names [2]string
	for i, l := range w.Labels {
		if names[i] = labels[l]; names[i] == "" {
			return analyzer.Subject{}, false
		}
	}
	switch w.Subject {
	case "gpu":
		return analyzer.GPU(names[0], names[1]), true
	case "pod":
		return analyzer.Pod(names[0], names[1]), true
	case "target":
		return analyzer.Subject{Kind: "target", Name: names[0]}, true
	}
	return analyzer.Node(names[0]), true
}

// name is that of the series that are watched.
func (w Watch) name() string {
	if w.Given == "" {
		return string(w.Metric)
	}
	return string(w.Metric) + " given " + string(w.Given)
}

var (
	//go:embed watches.csv
	builtin []byte
	//go:embed explained.csv
	explained []byte
	//go:embed joint.csv
	jointly []byte
)

// Builtin returns the watches that come with the program. The caller must not
// change them.
var Builtin = sync.OnceValue(func() []Watch {
	ws, err := ParseWatches("watches.csv", bytes.NewReader(builtin))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	more, err := ParseExplained("explained.csv", bytes.NewReader(explained))
	if err != nil {
		panic(err)
	}
	joint, err := ParseJoint("joint.csv", bytes.NewReader(jointly))
	if err != nil {
		panic(err)
	}
	return slices.Concat(ws, more, joint)
})

const (
	header          = "metric,kind,direction,subject,labels,ignore,group,absence,leaks,min_effect,reason"
	headerExplained = "metric,given,direction,subject,labels,group,min_effect,reason"
	headerJoint     = "model,metric,kind,direction,subject,labels,keep,while,min_effect,reason"
)

// ParseWatches reads watches in the form of watches.csv: a header line, lists
// separated by "|", lines starting with # ignored. An error names file and line.
func ParseWatches(file string, r io.Reader) ([]Watch, error) {
	return parse(file, r, header, parseWatch)
}

// ParseExplained reads watches of what another metric leaves unexplained, in
// the form of explained.csv, likewise.
func ParseExplained(file string, r io.Reader) ([]Watch, error) {
	return parse(file, r, headerExplained, func(rec []string) (Watch, error) {
		w, err := parseWatch([]string{rec[0], string(catalog.Gauge), rec[2], rec[3], rec[4], "", rec[5], "no", "no", rec[6], rec[7]})
		w.Given = catalog.ID(rec[1])
		if err == nil && (w.Given == "" || w.Given == w.Metric) {
			err = fmt.Errorf("%s: given %q explains nothing", w.Metric, rec[1])
		}
		return w, err
	})
}

// ParseJoint reads watches of metrics that are judged together, in the form of
// joint.csv, likewise.
func ParseJoint(file string, r io.Reader) ([]Watch, error) {
	ws, err := parse(file, r, headerJoint, func(rec []string) (Watch, error) {
		w, err := parseWatch([]string{rec[1], rec[2], rec[3], rec[4], rec[5], "", "", "no", "no", rec[8], rec[9]})
		w.Model, w.Keep = rec[0], strictcsv.List(rec[6])
		if metric, least, ok := strings.Cut(rec[7], ">"); ok && err == nil {
			w.While = catalog.ID(metric)
			w.Above, err = strconv.ParseFloat(least, 64)
		}
		switch {
		case err != nil:
		case rec[7] != "" && w.While == "":
			err = fmt.Errorf("%s: while %q is not of the form metric>value", w.Metric, rec[7])
		case w.Model == "":
			err = fmt.Errorf("%s: a model is required", w.Metric)
		case w.MinEffect == 0:
			err = fmt.Errorf("%s: min_effect is 0, want what matters: what is less than a tenth of that is noise", w.Metric)
		}
		return w, err
	})
	ms, _ := models(ws)
	for _, m := range ms {
		first := m.metrics[0]
		for _, w := range m.metrics {
			if w.Subject != first.Subject || !slices.Equal(w.Labels, first.Labels) || !slices.Equal(w.Keep, first.Keep) {
				return nil, errors.Join(err, fmt.Errorf("%s: %s and %s of model %q are of different subjects", file, first.Metric, w.Metric, m.name))
			}
			if w.While != "" && !slices.Contains(m.names(), string(w.While)) {
				return nil, errors.Join(err, fmt.Errorf("%s: %s is judged while %s, which is not of model %q", file, w.Metric, w.While, m.name))
			}
		}
		if n := len(m.metrics); n < 2 || n > mostJoint {
			return nil, errors.Join(err, fmt.Errorf("%s: model %q is of %d metrics, want 2 to %d", file, m.name, n, mostJoint))
		}
	}
	return ws, err
}

func parse(file string, r io.Reader, header string, row func(rec []string) (Watch, error)) ([]Watch, error) {
	var ws []Watch
	seen := map[string]bool{}
	err := strictcsv.Each(file, r, header, func(rec []string) error {
		w, err := row(rec)
		key := w.Model + "\xff" + string(w.Metric)
		if err == nil && seen[key] {
			err = fmt.Errorf("%s: listed twice", w.Metric)
		}
		seen[key] = true
		ws = append(ws, w)
		return err
	})
	return ws, err
}

func parseWatch(rec []string) (Watch, error) {
	w := Watch{Metric: catalog.ID(rec[0]), Kind: catalog.Type(rec[1]), Direction: Direction(rec[2]), Subject: rec[3],
		Labels: strictcsv.List(rec[4]), Ignore: strictcsv.List(rec[5]), Group: strictcsv.List(rec[6]), Absence: rec[7] == "yes", Leaks: rec[8] == "yes", Reason: rec[10]}
	effect, err := strconv.ParseFloat(rec[9], 64)
	w.MinEffect = effect
	want := map[string]int{"gpu": 2, "node": 1, "pod": 2, "target": 1}[w.Subject]
	switch {
	case w.Metric == "" || w.Reason == "":
		return w, fmt.Errorf("metric and reason are required")
	case w.Kind != catalog.Gauge && w.Kind != catalog.Counter:
		return w, fmt.Errorf("%s: kind %q is neither gauge nor counter", w.Metric, w.Kind)
	case w.Direction != High && w.Direction != Low && w.Direction != Both:
		return w, fmt.Errorf("%s: direction %q is not high, low or both", w.Metric, w.Direction)
	case want == 0:
		return w, fmt.Errorf("%s: subject %q is not gpu, node, pod or target", w.Metric, w.Subject)
	case len(w.Labels) != want:
		return w, fmt.Errorf("%s: a %s is named by %d labels, have %v", w.Metric, w.Subject, want, w.Labels)
	case rec[7] != "yes" && rec[7] != "no":
		return w, fmt.Errorf("%s: absence %q is not yes or no", w.Metric, rec[7])
	case rec[8] != "yes" && rec[8] != "no":
		return w, fmt.Errorf("%s: leaks %q is not yes or no", w.Metric, rec[8])
	case rec[8] == "yes" && (w.Kind != catalog.Gauge || w.Direction == Both):
		return w, fmt.Errorf("%s: only a gauge leaks, and to one side", w.Metric)
	case err != nil || effect < 0:
		return w, fmt.Errorf("%s: min_effect %q is not a number of 0 or more", w.Metric, rec[9])
	}
	return w, nil
}
