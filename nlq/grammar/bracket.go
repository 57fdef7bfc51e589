package grammar

import (
	"regexp"

	"vedette.dev/rules/catalog"
)

// inBrackets looks for what is measured by a value in brackets alone, where it says
// more exactly what the words before it describe: image cannot be pulled
// (ImagePullBackOff).
func (f *frame) inBrackets() (catalog.Metric, bool) {
	for _, s := range f.sayings() {
		if f.quiet || at(f.items, s.from-1).raw != "(" || len(s.Metrics) == 0 || !printed.MatchString(f.items[s.from].raw) {
			continue
		}
		was := *f
		was.items = append([]item(nil), f.items...)
		for k := s.from - 1; k >= 0 && !was.items[k].used && was.items[k].number == nil; k-- {
			was.items[k] = item{raw: was.items[k].raw, used: true} // a "not" there is part of it
		}
		best := catalog.Metric{}
		for i := range f.words.facts {
			m := f.words.facts[i].metric
			if _, ok := was.labelOf(m, s); ok && s.Of(m.ID) && was.suits(&m) && (best.ID == "" || len(m.ID) < len(best.ID)) {
				best = m // of containers rather than of those that come before them
			}
		}
		if best.ID != "" {
			best = was.narrowed(best, s)
			*f = was
			return best, true
		}
	}
	return catalog.Metric{}, false
}

// printed is how Kubernetes writes reasons.
var printed = regexp.MustCompile(`^(?:[A-Z][a-z]+){2,}$`)
