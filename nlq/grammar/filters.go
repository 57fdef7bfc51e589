package grammar

import (
	"slices"
	"strings"
)

// add notes a filter that took items, the first of which is i; a "not" before
// it, or before the preposition before it, turns it round.
func (f *frame) add(i int, fl filter, took ...int) {
	if len(took) > 0 {
		after := took[len(took)-1] + 1
		if _, out := f.says(after, "left out"); out {
			f.use(after) // "kube-system left out"
			fl.not = true
		}
	}
	for _, k := range took {
		f.items[k].used = true
	}
	fl.value = strings.ReplaceAll(fl.value, ".*", "*") // a pattern, as expressions have it
	if last := len(f.filters) - 1; at(f.items, i-1).raw == "(" && last >= 0 && f.filters[last].not && f.filters[last].end == i-1 {
		fl.not, f.filters = true, f.filters[:last] // "leaving out the test namespaces (namespace test-*)"
	} else if from, not := f.excludes(i); not {
		f.useAll(span(from, i)...)
		fl.not, f.items[from].used = true, true
	}
	fl.end = slices.Max(append(took, i)) + 1
	f.filters = append(f.filters, fl)
	f.alternatives(i)
}

// farthest is how many items at most stand between an exclusion and the name of
// what is left out: not counting the nodes whose instance is infra-1.
const farthest = 6

// excludes reports whether what is named at item i is left out, and where that
// is said: but not on the maintenance nodes (instance maint-*).
func (f *frame) excludes(i int) (from int, not bool) {
	within := 3
	for back := 0; back <= within && i-back >= 0; back++ {
		it := f.items[i-back]
		if _, not := it.has("not"); not || it.low == "without" && back > 0 {
			return i - back, true
		}
		_, _, place := f.place(i - back)
		switch {
		case it.raw == "(", f.lexicon.sets["whose"][it.low]:
			within = farthest
		case back == 0, f.lexicon.stop[it.low]:
		case within == farthest && (place || it.number == nil && len(it.roles) == 0):
		default:
			return 0, false
		}
	}
	return 0, false
}
