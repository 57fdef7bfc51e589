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
	if !ok || !exact && !f.isName(i+n) && at(f.items, i+n).whole == "" && !((n > 1 || of) && i+n < len(f.items) && f.unknown(i+n)) && !f.agentOf(i, i+n) || n == 1 && f.shapeOf(i+n).Name != "" {
		return false
	}
	name, to := f.name(i + n)
	for _, it := range f.items[i : i+n] {
		f.implied = append(f.implied, it.norms...)
	}
	f.add(i, filter{label: label, value: name, must: true}, span(i, to)...)
	return true
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
	f.add(i, filter{label: label, value: name, must: true}, span(i, to)...)
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
	return len(f.words.having(called)) == 0 // the queue length has a name
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
			delete(count, l)
		}
	}
	out := map[string]string{}
	for _, l := range slices.Sorted(maps.Keys(count)) {
		words := labelName(l)
		if first, _, more := strings.Cut(words, " "); more && (first == "to" || first == "from") {
			continue // "to model" is where requests go, and no label
		}
		for _, w := range []string{words, strings.TrimSuffix(words, " name"), strings.TrimSuffix(words, " id")} {
			if old, taken := out[w]; len(w) > 3 && !isPlaceWord(w) && (!taken || count[l] > count[old]) {
				out[w] = l
			}
		}
	}
	return out
}

// ownLabel returns the label of m that is called like label, however exporters
// write it: State, state. It is "" where there is none.
func (f *frame) ownLabel(m catalog.Metric, label string) string {
	if f.catalog.Splits(m.ID, label) {
		return label
	}
	if i := slices.IndexFunc(m.Labels, func(l string) bool { return labelName(l) == labelName(label) }); i >= 0 {
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
	for n := min(3, len(f.items)-i); n > 0; n-- {
		var said []string
		for _, it := range f.items[i : i+n] {
			if it.used || it.name || it.number != nil || it.whole != "" || it.inside {
				said = nil
				break
			}
			said = append(said, it.low)
		}
		if l, ok := f.words.labels[strings.Join(said, " ")]; ok {
			return l, n, true
		}
	}
	return "", 0, false
}
