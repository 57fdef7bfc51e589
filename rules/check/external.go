package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"vedette.dev/rules"
)

var externalInUse = regexp.MustCompile(`(?:\$externalLabels|\.ExternalLabels)\.([A-Za-z_][A-Za-z0-9_]*)`)

// external compares a rule with the labels that its Prometheus adds to whatever
// leaves it and does not have them.
func (c Checker) external(r rules.Rule) []Finding {
	if c.External == nil {
		return nil
	}
	var fs []Finding
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		added, is := c.External[k]
		switch {
		case is && added == r.Labels[k]:
			fs = append(fs, Finding{Check: "external", Severity: Info, Text: fmt.Sprintf("label %s is %q on everything that leaves this Prometheus: it can go", k, added)})
		case is:
			fs = append(fs, Finding{Check: "external", Severity: Warning,
				Text: fmt.Sprintf("label %s is %q here and %q on everything else that leaves this Prometheus", k, r.Labels[k], added)})
		}
	}
	for _, texts := range []map[string]string{r.Labels, r.Annotations} {
		for _, k := range slices.Sorted(maps.Keys(texts)) {
			for _, use := range externalInUse.FindAllStringSubmatch(texts[k], -1) {
				if _, is := c.External[use[1]]; !is {
					fs = append(fs, Finding{Check: "external", Severity: Warning, Text: fmt.Sprintf("%s names external label %s, which this Prometheus does not have", k, use[1])})
				}
			}
		}
	}
	return fs
}
