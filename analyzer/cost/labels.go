package cost

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

//go:embed labels.csv
var labelsCSV []byte

// A label is a row of labels.csv.
type label struct {
	of, says, name string
	series         string // as kube-state-metrics has it on kube_<of>_labels
}

var labels = sync.OnceValue(func() (ls []label) {
	must(0, strictcsv.Each("labels.csv", bytes.NewReader(labelsCSV), "of,says,label,source", func(f []string) error {
		if f[3] == "" {
			return fmt.Errorf("%s has no source", f[2])
		}
		ls = append(ls, label{f[0], f[1], f[2], seriesLabel(f[2])})
		return nil
	}))
	return ls
})

var (
	notInLabels = regexp.MustCompile(`[^a-zA-Z0-9_]`)
	camel       = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// seriesLabel names a Kubernetes label as kube-state-metrics does:
// https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/README.md#label-names
func seriesLabel(name string) string {
	return "label_" + strings.ToLower(camel.ReplaceAllString(notInLabels.ReplaceAllString(name, "_"), "${1}_$2"))
}

// Labels returns which labels a report goes by, by kind of object: what is to
// be shown as kube_node_labels and the like.
func Labels() map[string][]string {
	by := map[string][]string{}
	for _, l := range labels() {
		by[l.of] = append(by[l.of], l.name)
	}
	return by
}

// said returns what the labels of a series say of what it is about.
func said(of, what string, series map[string]string) string {
	for _, l := range labels() {
		if v := series[l.series]; l.of == of && l.says == what && v != "" {
			return v
		}
	}
	return ""
}

// seriesOf returns the first label of a series that says something.
func seriesOf(of, what string) string {
	for _, l := range labels() {
		if l.of == of && l.says == what {
			return l.series
		}
	}
	panic("unreachable: labels.csv has no " + what + " of " + of)
}
