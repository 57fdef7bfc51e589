package prose

import (
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// by is what results of m are for: the places that the text asks them by, and
// those of which it speaks of any; else the copies of software that a cluster
// runs one of on each node. The details that m's series are told apart by
// beside that (reasons, directions, routes) are summed over.
func (r *reading) by(m catalog.Metric) []string {
	by := r.scope.By(m)
	for _, l := range m.Labels {
		if !slices.Contains(by, l) && (alone(l) && r.speaksOfAny(l) || strings.Contains(r.text, " by "+strings.ReplaceAll(l, "_", " ")+" ")) {
			by = append(by, l)
		}
	}
	copies := r.copies(m)
	for _, l := range copies {
		if len(by) == 0 || slices.Contains(by, l) { // "any instance" of what has one in each namespace
			return slices.Concat(slices.DeleteFunc(by, func(said string) bool { return slices.Contains(copies, said) }), copies)
		}
	}
	return by
}

// asOne reports whether the software that m is of is looked at as one, however
// many copies it has.
func (r *reading) asOne(m catalog.Metric) bool {
	return slices.Contains(r.lexicon.Brands[r.traits[m.ID].first].Each, "-")
}

// copies are the labels by which copies of the software that m is of are told apart.
func (r *reading) copies(m catalog.Metric) (labels []string) {
	for _, l := range r.lexicon.Brands[r.traits[m.ID].first].Each {
		if r.catalog.Takes(m.ID, l) {
			labels = append(labels, l)
		}
	}
	return labels
}

// alone reports whether a label names one thing by itself: a device, a GPU or
// a container is one only together with where it is.
func alone(label string) bool {
	return slices.Contains([]string{"instance", "pod", "node", "namespace", "source_cluster", "target_cluster", "node_group", "nodepool"}, label)
}

// speaksOfAny reports whether the text speaks of any, each or every thing that
// a label names.
func (r *reading) speaksOfAny(label string) bool {
	what := strings.ReplaceAll(label, "_", " ")
	return slices.ContainsFunc([]string{"any", "each", "every", "per"}, func(w string) bool { return strings.Contains(r.text, " "+w+" "+what+" ") })
}

// together puts a gauge of software with copies together, by copy: shares as
// their mean, where they are shown, all else as what there is of it.
func (r *reading) together(m catalog.Metric) (nlq.Aggregation, []string) {
	by := r.scope.By(m)
	for _, l := range m.Labels {
		if !slices.Contains(by, l) && strings.Contains(r.text, " by "+strings.ReplaceAll(l, "_", " ")+" ") {
			by = append(by, l)
		}
	}
	if len(by) == 0 {
		by = r.copies(m)
	}
	share := r.traits[m.ID].share
	switch {
	case len(by) == 0 && !r.asOne(m), share && !r.asks():
		return nlq.Each, nil
	case share:
		return nlq.Mean, by
	}
	return nlq.Sum, by
}
