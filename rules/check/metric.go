package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
)

func (w *walk) selector(v *parser.VectorSelector, path []parser.Node) {
	if v.Name == "" {
		w.add(v, "metric", Warning, "no metric is named: this reads every series that matches")
	}
	m, known := w.Catalog.Metric(catalog.ID(v.Name))
	if v.Name != "" && v.Name != "ALERTS" && v.Name != "ALERTS_FOR_STATE" {
		w.named(v, known)
	}
	for _, lm := range v.LabelMatchers {
		if lm.Name == labels.MetricName {
			continue
		}
		w.matcher(v, lm)
		if known && !m.Has(lm.Name) && !slices.Contains(ofTarget, lm.Name) && !open(v.Name, lm.Name) && !(lm.Value == "" && lm.Type == labels.MatchEqual) {
			w.add(v, "label", w.labelled(m), "series of %s have no label %s; they have %s", m.ID, lm.Name, strings.Join(m.Labels, ", "))
		}
	}
	if known && m.Type == catalog.Counter {
		w.counter(v, m, path)
	}
}

// complete are the exporters whose labels the catalog has all of. Others, a
// mesh's proxies for one, are told by their configuration which to add.
var complete = []string{"dcgm-exporter", "node_exporter", "kube-state-metrics", "cAdvisor", "vedette-agent", "Vedette"}

func (w *walk) labelled(m catalog.Metric) Severity {
	if slices.Contains(complete, m.Exporter) {
		return Warning
	}
	return Info
}

// open reports whether series of a metric may have a label that nobody can
// know beforehand: up is of any target, and the labels of objects are their owners'.
func open(metric, label string) bool {
	return metric == "up" || strings.HasPrefix(metric, "scrape_") ||
		strings.HasPrefix(metric, "kube_") && (strings.HasPrefix(label, "label_") || strings.HasPrefix(label, "annotation_"))
}

// named finds metrics that nobody has: neither the catalog, nor the rules of
// the same file, nor the server, where one is asked.
func (w *walk) named(v *parser.VectorSelector, known bool) {
	switch {
	case w.Recorded[v.Name] != "":
		return
	case w.Server != nil && w.Server.Has(v.Name):
		w.valued(v)
		return
	case w.Server != nil && known:
		w.add(v, "series", Warning, "the server has no series of %s now: either nothing exposes it, or not yet", v.Name)
	case !known && w.recording(v.Name):
		w.add(v, "metric", Info, "%s is the name of a recording rule, which is not in this file", v.Name)
	case !known:
		w.unknown(v)
	}
}

// recording reports whether name is of a recording rule: by convention those
// have colons. So have vLLM's own metrics, which the catalog knows by their prefix.
func (w *walk) recording(name string) bool {
	prefix, _, colon := strings.Cut(name, ":")
	return colon && !slices.ContainsFunc(w.Catalog.All(), func(m catalog.Metric) bool { return strings.HasPrefix(string(m.ID), prefix+":") })
}

// valued finds label values that the server has never seen.
func (w *walk) valued(v *parser.VectorSelector) {
	for _, m := range v.LabelMatchers {
		if m.Type != labels.MatchEqual || m.Name == labels.MetricName || m.Value == "" {
			continue
		}
		if vs := w.Server.Values(v.Name, m.Name); len(vs) > 0 && !slices.Contains(vs, m.Value) {
			w.add(v, "series", Warning, "no series of %s has %s: it has %s", v.Name, m, some(vs))
		}
	}
}

// some lists a few of many.
func some(vs []string) string {
	const few = 5
	if len(vs) <= few {
		return strings.Join(vs, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(vs[:few], ", "), len(vs)-few)
}

func (w *walk) unknown(v *parser.VectorSelector) {
	if h, ok := w.Catalog.Histogram(catalog.ID(v.Name)); ok {
		w.add(v, "metric", Warning, "%s is a histogram: its series are %[1]s_bucket, %[1]s_sum and %[1]s_count, unless it is scraped as a native one", h.ID)
		return
	}
	best, least := catalog.ID(""), 2+len(v.Name)/16 // a slip or two; what is further off is another metric
	for _, m := range w.Catalog.All() {
		if d := distance(strings.ToLower(v.Name), strings.ToLower(string(m.ID)), least); d < least {
			best, least = m.ID, d
		}
	}
	switch _, derived := w.Catalog.Derived(catalog.ID(v.Name)); {
	case derived:
		w.add(v, "metric", Error, "%s is computed, not stored: ask for it in words", v.Name)
	case best != "":
		w.add(v, "metric", Warning, "the catalog has no metric %s; did you mean %s?", v.Name, best)
	default:
		w.add(v, "metric", Info, "the catalog has no metric %s: only a server can say whether it is there", v.Name)
	}
}

// distance is the edit distance between a and b, or limit where it is more.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}
