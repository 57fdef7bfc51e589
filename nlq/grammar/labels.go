package grammar

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// takeLabel reads: with label LABEL VALUE.
func (f *frame) takeLabel(i int) bool {
	if f.items[i].low != "with label" || i+2 >= len(f.items) {
		return false
	}
	f.add(i, filter{label: f.items[i+1].raw, value: f.items[i+2].raw}, i, i+1, i+2)
	return true
}

// matchers makes one item of each label that is written as in an expression:
// reporter=destination. It comes first: neither part of it is a word.
func (f *frame) matchers() {
	for i := 0; i+2 < len(f.items); i++ {
		sign, value := f.items[i+1], f.items[i+2]
		if !sign.sign || sign.raw != "=" && sign.raw != "==" && sign.raw != "!=" || value.sign || value.raw == "" {
			continue
		}
		if _, state := value.has("state"); state && sign.raw != "!=" {
			f.items = slices.Delete(f.items, i, i+2) // phase=Pending
			continue
		}
		name, to := f.name(i + 2)
		fl := filter{value: name, not: sign.raw == "!=", must: true}
		if label, n, ok := f.labelAt(i); ok && n == 1 {
			fl.label = label
		} else if p, n, ok := f.place(i); ok && n == 1 && (value.number == nil || p.Name == "gpu") {
			fl.place, fl.must = p.Name, false
		} else {
			continue
		}
		one := item{raw: f.items[i].raw + sign.raw + name, match: &fl, lead: value.lead}
		one.low = strings.ToLower(one.raw)
		f.items = slices.Replace(f.items, i, to, one)
	}
}

// takeNamedLabel reads a label by the words of its name: cluster queue gpu-batch.
func (f *frame) takeNamedLabel(i int) bool {
	label, n, ok := f.labelAt(i)
	if i+1 < len(f.items) && renamed.MatchString(f.items[i].raw) && !f.items[i].used && (f.isName(i+1) || f.unknown(i+1)) {
		name, to := f.name(i + 1)
		f.add(i, filter{label: f.items[i].raw, value: name}, span(i, to)...)
		return true
	}
	before := at(f.items, i-1).low
	of := before == "of" || before == "for" // of ingress shop
	exact := ok && strings.Contains(f.items[i].raw, "_") && i+n < len(f.items) && f.items[i+n].number == nil && !f.items[i+n].sign && f.onlyWord(i+n)
	if !ok || at(f.items, i+n-1).ends || !exact && !f.isName(i+n) && at(f.items, i+n).whole == "" && !((n > 1 || of || len(f.items[i].norms) > 1) && i+n < len(f.items) && f.unknown(i+n)) && !f.agentOf(i, i+n) || n == 1 && f.shapeOf(i+n).Name != "" {
		return false
	}
	name, to := f.name(i + n)
	if !exact && f.words.called(f.normsOf(i, to)...) {
		return false // failed scale-ups are measured
	}
	for _, it := range f.items[i : i+n] {
		f.implied = append(f.implied, it.norms...)
	}
	f.add(i, filter{label: label, kind: strings.Join(f.normsOf(i, i+n), " "), value: name, must: true}, span(i, to)...)
	return true
}

// takeKinds narrows m by what is named right behind the word for a kind of things
// that m is told apart by: envoy cluster embedder, of database orders. It comes
// when m is known, for only then is it known which words are not what m is called.
func (f *frame) takeKinds(m catalog.Metric) {
	own := slices.Concat(f.extra, makersOf(m), []string{m.Entity, brandOf(m.ID)})
	foreign := func(w string) bool {
		return !slices.Contains(own, w) && !(len(m.Words) > 0 && f.words.says(m.ID, w))
	}
	for j := range f.items {
		it := f.items[j]
		if it.used || it.weak || it.inside || it.metric || it.sign || it.number != nil || f.lexicon.sets["verb"][it.low] || at(f.items, j-1).ends || f.lexicon.stop[it.low] || len(f.words.values[it.low]) > 0 || !f.onlyWord(j) || pastTense.MatchString(it.low) {
			continue
		}
		name, to := f.name(j)
		if norms := f.normsOf(j, to); len(norms) > 0 && !slices.ContainsFunc(norms, foreign) {
			continue
		}
		for n := min(3, j); n > 0; n-- {
			label, ok := f.kindOf(m, j-n, j)
			narrowed := slices.ContainsFunc(f.filters, func(fl filter) bool { l, _ := f.filtered(fl, m); return l == label })
			if !ok || narrowed || !f.isName(j) && !f.acts(to) && !f.onlyNames(j-n, j) {
				continue
			}
			f.add(j, filter{label: label, value: name}, span(j, to)...)
			break
		}
		if label, ok := f.kindBehind(m, j, to); ok && !f.items[j].used {
			f.add(j, filter{label: label, value: name}, span(j, to+1)...)
		}
	}
}

// kindBehind returns the label of m that the word behind the name in quotation
// marks at item j is for: the "Inlet Temp" sensor.
func (f *frame) kindBehind(m catalog.Metric, j, to int) (string, bool) {
	if !f.items[j].name || to >= len(f.items) || f.items[to].used {
		return "", false
	}
	return f.kindOf(m, to, to+1)
}

// filtered returns the label of m that fl narrows by, and whether m has it. What
// most metrics have goes by another name on some: the partition of a disk is a
// mount point, that of Slurm is a partition.
func (f *frame) filtered(fl filter, m catalog.Metric) (label string, ok bool) {
	switch {
	case fl.label != "":
		label, ok = fl.label, !fl.must || f.catalog.Takes(m.ID, fl.label)
	default:
		label, ok = f.placeNamed(fl.place).Label(m.ID, f.catalog)
	}
	if !ok && fl.kind != "" {
		if l, called := f.labelCalled(m, fl.kind); called {
			return l, true
		}
	}
	return label, ok
}

// isKind reports whether said is the word for a kind of things.
func (f *frame) isKind(said string) bool {
	_, label := f.words.labels[said]
	_, joined := f.words.joined[said]
	return label || joined || f.placeWord(said) || len(f.lexicon.sets["called "+said]) > 0
}

// asideFrom looks for what is measured without a word that may be a name behind
// the word for a kind of things, although measures are called by it, if by what is
// found then it is one: the Slurm partition debug.
func (f *frame) asideFrom() (catalog.Metric, bool) {
	if f.quiet {
		return catalog.Metric{}, false
	}
	for j := range f.items {
		if it := f.items[j]; it.used || it.weak || it.inside || it.metric || it.sign || it.number != nil || f.lexicon.sets["verb"][it.low] {
			continue
		}
		_, to := f.name(j)
		kind := j - 1
		if it := f.items[j]; it.name && f.isKind(strings.Join(at(f.items, to).norms, " ")) {
			kind = to
		} else if !f.isKind(strings.Join(at(f.items, kind).norms, " ")) || !f.isName(j) && !f.acts(to) && !f.onlyNames(kind, j) {
			continue
		}
		g := *f
		g.items = slices.Clone(f.items)
		g.useAll(span(j, to)...)
		g.items[kind].weak, g.unheard = true, true
		m, err := g.lookUp()
		if err != nil {
			continue
		}
		for k := j; k < to; k++ {
			g.items[k].used = false
		}
		if g.takeKinds(m); g.items[j].used {
			g.unheard = f.unheard
			*f = g
			return m, true
		}
	}
	return catalog.Metric{}, false
}

// acts reports whether item i says that something named before it has or uses
// something: the length of a queue does not.
func (f *frame) acts(i int) bool {
	low := at(f.items, i).low
	return f.lexicon.sets["having"][low] || low == "has" || low == "have"
}

// normsOf returns the items from i to to in the words of the catalog.
func (f *frame) normsOf(i, to int) []string {
	var norms []string
	for _, it := range f.items[i:to] {
		norms = append(norms, it.norms...)
	}
	return norms
}

// onlyNames reports whether the plain word at item j can only name one of what the
// items from kind on say: no one of many is spoken of, and nothing is called by both.
func (f *frame) onlyNames(kind, j int) bool {
	_, by := at(f.items, kind-1).has("by")
	_, determiner := at(f.items, kind-1).has("determiner")
	if plural := f.items[j-1].low; by || determiner || f.anySuch(kind-1) || singular(plural) != plural {
		return false
	}
	return f.items[j].whole != "" && f.compoundName(j) || !slices.ContainsFunc(f.items[j].norms, func(w string) bool { return f.words.called(w, f.items[j-1].norms[0]) })
}

// kindOf returns the label of m by which it tells the kind of things apart that
// the items from i to j say: the envoy cluster, a database.
func (f *frame) kindOf(m catalog.Metric, i, j int) (string, bool) {
	said := strings.Join(f.normsOf(i, j), " ")
	if said == "" || f.items[j-1].inside {
		return "", false
	}
	return f.labelCalled(m, said)
}

// labelCalled returns the label of m that tells the kind of things apart that said
// is the word for.
func (f *frame) labelCalled(m catalog.Metric, said string) (string, bool) {
	for _, p := range f.places {
		if !slices.Contains(p.Words, said) || p.Name == "gpu" {
			continue
		}
		if l, ok := p.Label(m.ID, f.catalog); ok && l != catalog.External {
			return l, true
		}
	}
	if l, ok := f.words.labels[said]; ok && f.catalog.Takes(m.ID, l) {
		return l, true
	}
	var ends []string
	for _, l := range m.Labels {
		words := strings.TrimSuffix(f.words.labelName(l), " name")
		if whose, rest, ok := strings.Cut(words, " "); ok && whose == brandOf(m.ID) {
			words = rest
		}
		switch {
		case l == "gpu" || l == "xid":
		case words == said, strings.ReplaceAll(words, " ", "") == said, f.lexicon.sets["called "+said][l]:
			return l, true
		case strings.HasSuffix(words, said) && f.isKind(said):
			ends = append(ends, l)
		}
	}
	if to := slices.DeleteFunc(slices.Clone(ends), func(l string) bool { return !strings.HasPrefix(l, "destination_") }); len(ends) > 1 && len(to) == 1 {
		ends = to // requests of a workload are those that it gets
	}
	switch {
	case len(ends) == 1:
		return ends[0], true // the group of a consumergroup
	case f.lexicon.sets["called "+said]["name"] && m.Has("name"), (m.Entity == said || slices.Contains(f.placeNamed(m.Entity).Words, said)) && m.Has("name"):
		return "name", true
	}
	return "", false
}

// takeCalledLabel reads what a label is called like: whose instance begins with infra.
func (f *frame) takeCalledLabel(i int) bool {
	label, n, ok := f.labelAt(i)
	v, called := f.says(i+n, "called")
	if j := i + n + 1; !ok || !called || v != "" || j >= len(f.items) || f.items[j].number != nil {
		return false
	}
	name, to := f.name(i + n + 1)
	if low := f.items[i+n].low; strings.Contains(low, "start") || strings.Contains(low, "begin") {
		name = strings.TrimSuffix(name, "*") + "*"
	}
	f.add(i, filter{label: label, kind: strings.Join(f.normsOf(i, i+n), " "), value: name, must: true}, span(i, to)...)
	return true
}

// agentOf reports whether item i is the name of one of what the items from label on
// are, and does something: node pool spot uses …
func (f *frame) agentOf(label, i int) bool {
	it := at(f.items, i)
	if !f.lexicon.sets["having"][at(f.items, i+1).low] || it.used || it.number != nil || len(it.roles) > 0 || f.lexicon.stop[it.low] || len(it.norms) == 0 || pastTense.MatchString(it.low) {
		return false
	}
	called := slices.Clone(it.norms)
	for _, of := range f.items[label:i] {
		called = append(called, of.norms...)
	}
	return !f.words.called(called...) // the queue length has a name
}

// renamed is the name of a label that Prometheus has renamed.
var renamed = regexp.MustCompile(`^` + catalog.Renamed + `[a-z_]+$`)

// labelWords returns the labels of a catalog's metrics by the words of their
// names, of several with the same words the one that most metrics have. Labels
// that places go by, and what every exporter has, are no words for anything.
func labelWords(c *catalog.Catalog) map[string]string {
	count := map[string]int{}
	for _, m := range c.All() {
		for _, l := range m.Labels {
			count[l]++
		}
	}
	for _, p := range nlq.Places() {
		for _, l := range p.Labels {
			if strings.Count(l, "_") < 2 { // nobody says "destination service name" but of the label
				delete(count, l)
			}
		}
	}
	out := map[string]string{}
	for _, l := range slices.Sorted(maps.Keys(count)) {
		words := labelName(l)
		if first, _, more := strings.Cut(words, " "); more && (first == "to" || first == "from") {
			continue // "to model" is where requests go, and no label
		}
		for _, w := range []string{words, strings.TrimSuffix(words, " name"), strings.TrimSuffix(words, " id"), strings.TrimPrefix(words, fieldID)} {
			if old, taken := out[w]; len(w) > 3 && !isPlaceWord(w) && (!taken || count[l] > count[old]) {
				out[w] = l
			}
		}
	}
	return out
}

// fieldID is how DCGM calls its fields; some are labels: DCGM_FI_DRIVER_VERSION.
const fieldID = "dcgm fi "

// ownLabel returns the label of m that is called like label, however exporters
// write it: State, state. It is "" where there is none.
func (f *frame) ownLabel(m catalog.Metric, label string) string {
	if f.catalog.Splits(m.ID, label) {
		return label
	}
	if i := slices.IndexFunc(m.Labels, func(l string) bool {
		return strings.TrimPrefix(f.words.labelName(l), fieldID) == strings.TrimPrefix(f.words.labelName(label), fieldID)
	}); i >= 0 {
		return m.Labels[i]
	}
	if f.lexicon.sets["goes by name"][label] && m.Has("name") {
		return "name" // ipmi_exporter says so which sensor it is
	}
	for _, p := range f.places {
		if slices.Contains(p.Labels, label) {
			l, _ := f.keptLabel(m, p) // model_name, which others call model
			return l
		}
	}
	return ""
}

// labelName is the words of a label's name, which is mostly known.
func (v *vocabulary) labelName(l string) string {
	if words, ok := v.named[l]; ok {
		return words
	}
	return labelName(l)
}

// labelName is the words of a label's name.
func labelName(l string) string {
	return strings.ToLower(camel.ReplaceAllString(strings.ReplaceAll(l, "_", " "), "$1 $2"))
}

// camel is where a word begins within another: clusterQueue.
var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// labelAt returns the label whose name the items from i say, and how many they are.
func (f *frame) labelAt(i int) (label string, n int, ok bool) {
	if it := at(f.items, i); strings.Contains(it.low, "_") && !it.used { // model_name, as it is written
		if f.words.exactly[it.raw] {
			return it.raw, 1, true
		}
		if l, ok := f.words.labels[strings.ReplaceAll(it.low, "_", " ")]; ok {
			return l, 1, true
		}
	}
	if it := at(f.items, i); len(it.norms) > 0 && !f.words.labelsBegin[it.norms[0]] {
		if first, _, _ := strings.Cut(it.low, " "); !f.words.labelsBegin[first] {
			return "", 0, false // most words
		}
	}
	for n := min(3, len(f.items)-i); n > 0; n-- {
		its := f.items[i : i+n]
		if closed(its) {
			continue
		}
		said := append(make([]byte, 0, roomy), its[0].low...)
		for _, it := range its[1:] {
			said = append(append(said, ' '), it.low...)
		}
		if l, ok := f.words.labels[string(said)]; ok {
			return l, n, true
		}
		if l, ok := f.words.joined[its[0].low]; ok && n == 1 {
			return l, n, true // ClusterQueue
		}
		if _, word := its[0].has("word"); word || n > 1 {
			if l, ok := f.words.labels[string(spaced(said[:0], its))]; ok {
				return l, n, true // kernel versions; cq is a cluster queue
			}
		}
	}
	return "", 0, false
}
