package grammar

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// quantile makes "p95" and "median", which no measure found is called by, one
// over series.
func (f *frame) quantile() bool {
	for i := range f.items {
		it := &f.items[i]
		if it.used {
			continue
		}
		said := strings.Join(it.norms, "")
		if n := it.number; n != nil && strings.HasPrefix(at(f.items, i+1).low, "percentile") {
			said = "p" + strconv.FormatFloat(n.value, 'f', -1, 64) // "95 percentile"
			f.use(i + 1)
		}
		if nth := ordinal.FindStringSubmatch(it.low); nth != nil && strings.HasPrefix(at(f.items, i+1).low, "percentile") {
			said = "p" + nth[1]
			f.use(i + 1)
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(said, "p"), 64)
		if err != nil || !strings.HasPrefix(said, "p") || q <= 0 || q >= 100 {
			continue
		}
		it.used = true
		by := append(slices.Clone(f.by), f.eachPlace()...)
		f.by, f.subject, f.whole = nil, "", false
		f.values = append(f.values, func(t nlq.Term, m catalog.Metric) nlq.Term {
			return nlq.Group{Agg: nlq.Quantile, Param: round(q / 100), Of: t, By: f.kept(m, by)}
		})
		return true
	}
	return false
}

// ordinal is what stands before "percentile".
var ordinal = regexp.MustCompile(`^([0-9]+)(?:st|nd|rd|th)$`)
