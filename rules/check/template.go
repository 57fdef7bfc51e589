package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

var (
	labelInUse = regexp.MustCompile(`(?:\$labels|\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)`)
	bareValue  = regexp.MustCompile(`\{\{-?\s*(?:\$value|\.Value)\s*-?\}\}`)
	queried    = regexp.MustCompile("query\\s+(?:\"((?:[^\"\\\\]|\\\\.)*)\"|`([^`]*)`)")
)

// templateFuncs are the names Prometheus has in its templates; only that they
// exist matters here.
var templateFuncs = func() template.FuncMap {
	m := template.FuncMap{}
	for _, name := range strings.Fields(`query first label value strvalue args reReplaceAll safeHtml match title toUpper toLower
		graphLink tableLink sortByLabel stripPort stripDomain humanize humanize1024 humanizeDuration humanizePercentage
		humanizeTimestamp toTime toDuration now pathPrefix externalURL parseDuration urlQueryEscape`) {
		m[name] = func(...any) (any, error) { return nil, nil }
	}
	return m
}()

const templateHead = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// templates checks the texts of r: that they parse, that they name labels the
// result has, that no label changes with the value, and that a value with a
// tail of digits is rounded.
func templates(r rules.Rule, e parser.Expr, has labelSet) []Finding {
	var fs []Finding
	add := func(s Severity, format string, args ...any) {
		fs = append(fs, Finding{Check: "template", Severity: s, Text: fmt.Sprintf(format, args...)})
	}
	for _, part := range []struct {
		name string
		m    map[string]string
	}{{"annotation", r.Annotations}, {"label", r.Labels}} {
		for _, k := range slices.Sorted(maps.Keys(part.m)) {
			text := part.m[k]
			if _, err := template.New(k).Funcs(templateFuncs).Parse(templateHead + text); err != nil {
				add(Error, "%s %s: %v", part.name, k, err)
				continue
			}
			for _, q := range queried.FindAllStringSubmatch(text, -1) {
				if asked := q[1] + q[2]; !strings.Contains(asked, "%") { // a printf fills it in
					if _, err := syntax.Parse(strings.ReplaceAll(asked, `\"`, `"`)); err != nil {
						add(Error, "%s %s asks a query that does not parse: %v", part.name, k, err)
					}
				}
			}
			if part.name == "label" && (strings.Contains(text, "$value") || strings.Contains(text, ".Value")) {
				add(Warning, "label %s changes with the value: each change is a new alert", k)
			}
			if part.name == "annotation" && bareValue.MatchString(text) && moves(e) {
				add(Info, "annotation %s shows a rate with all its digits: {{ $value | humanize }} rounds it", k)
			}
			for _, use := range labelInUse.FindAllStringSubmatch(text, -1) {
				if l := has.of(use[1]); l.Is == Impossible && use[1] != "alertname" && r.Labels[use[1]] == "" {
					add(Warning, "%s %s names label %s, which the result does not have: %s", part.name, k, use[1], l.Why)
				}
			}
		}
	}
	return fs
}
