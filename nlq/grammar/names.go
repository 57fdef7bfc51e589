package grammar

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"vedette.dev/nlq"
)

// A filter narrows a measure to a place by name, or by a label said outright.
type filter struct {
	place  string
	label  string // where no place was said
	kind   string // the word that says of which kind of things
	must   bool   // what is measured must have the label
	value  string // several are joined by |
	not    bool
	bare   bool // only a preposition says so
	within bool // that namespace, or outside of it
	free   bool // no place is meant by value ""
	end    int  // the item after the last that says it
}

// takeNames reads which series are meant: "in namespace prod", "the team-a
// namespace", "on gpu-03", "H100s". Names are never corrected.
func (f *frame) takeNames() {
	for i := 0; i < len(f.items); i++ {
		if f.items[i].used {
			continue
		}
		if fl := f.items[i].match; fl != nil {
			f.add(i, *fl, i)
			continue
		}
		if _, root := f.says(i, "root"); root {
			f.add(i, filter{place: "mountpoint", value: "/"}, i)
			f.extra = append(f.extra, "disk")
			continue
		}
		if _, held := f.says(i, "attached"); held && (f.next(0) < i || f.gpuBehind(i)) { // "a pod has failed" holds none
			f.add(i, filter{label: "pod", value: "", not: true}, i)
			f.implied = append(f.implied, "gpu")
			continue
		}
		if f.takeOneCalled(i) {
			continue
		}
		if _, free := f.says(i, "unattached"); free {
			f.add(i, filter{label: "pod", value: "", free: true}, i)
			f.implied = append(f.implied, "gpu")
			continue
		}
		if f.takeExporter(i) || f.takeLabel(i) || f.takeNamedPlace(i) || f.takeCalledLabel(i) || f.takeNamedLabel(i) || f.takePlaceOfName(i) || f.takeShape(i) || f.takePreposition(i) {
			continue
		}
		if f.items[i].name && f.items[i].norms == nil && !f.items[i].metric && i > 0 { // in quotation marks
			f.add(i, filter{label: "name", value: f.items[i].raw, must: true}, i)
		}
	}
	f.takeAgent()
}

// workloads are the kinds of things that go by names of software: the
// dcgm-exporter daemonset.
var workloads = []string{"daemonset", "deployment", "statefulset", "container", "job"}

// takeOneCalled reads which one of what was spoken of is meant or left out: but not
// the one called canary.
func (f *frame) takeOneCalled(i int) bool {
	_, called := f.says(i+1, "called")
	if low := f.items[i].low; low != "one" && low != "ones" && low != "the one" && low != "the ones" || !called || i+2 >= len(f.items) {
		return false
	}
	for k := i - 1; k >= 0; k-- {
		if p, _, ok := f.place(k); ok {
			name, to := f.name(i + 2)
			f.add(i, filter{place: p.Name, value: name}, span(i, to)...)
			return true
		}
	}
	return false
}

// gpuBehind reports whether a GPU is what stands behind item i.
func (f *frame) gpuBehind(i int) bool {
	p, _, ok := f.place(f.next(i + 1))
	return ok && p.Name == "gpu"
}

// namedWorkloads makes a name of what stands before the word for a workload.
func (f *frame) namedWorkloads() {
	for i := range f.items {
		it := &f.items[i]
		p, _, ok := f.place(i + 1)
		if _, service := it.has("service"); service && ok && strings.Contains(it.raw, " ") && slices.Contains(workloads, p.Name) {
			name := strings.ReplaceAll(it.raw, " ", "-") // as it is written
			*it = item{raw: name, low: strings.ToLower(name), name: true}
		}
	}
}

// takeExporter reads: the dcgm exporter. What a scrape job is called has the
// name in it somewhere.
func (f *frame) takeExporter(i int) bool {
	if f.takeSoftware(i) {
		return true
	}
	if _, service := f.says(i, "service"); service && f.down() {
		name := strings.ToLower(f.items[i].raw) // as jobs are named
		if first, isExporter := strings.CutSuffix(name, "exporter"); isExporter && !isPlaceWord(strings.Trim(first, " -")) {
			name = strings.Trim(first, " -") // jobs that scrape it may leave the word away
		}
		f.add(i, filter{place: "exporter", value: "*" + strings.NewReplacer(" ", "*", "-", "*").Replace(name) + "*"}, i)
		f.extra = append(f.extra, "target")
		return true
	}
	if p, n, ok := f.place(i + 1); ok && p.Name == "exporter" && n == 1 {
		it := f.items[i]
		_, det := it.has("determiner")
		if next := at(f.items, i+2); len(next.norms) == 1 && f.tells(i+2) && f.words.called(f.items[i+1].norms[0], next.norms[0]) {
			return false // the exporter queue of a collector is no target
		}
		if it.used || det || it.number != nil || it.sign || f.lexicon.stop[it.low] {
			return false
		}
		f.add(i, filter{place: p.Name, value: "*" + it.raw + "*"}, i)
		f.items[i+1].used = true
		f.extra = append(f.extra, "target")
		f.down()
		return true
	}
	return false
}

// takeSoftware reads: etcd is down. It is a target where nothing else is said of
// it: its name is in that of its metrics too.
func (f *frame) takeSoftware(i int) bool {
	name := f.items[i].low
	if f.items[i].used || f.items[i].inside || !f.lexicon.sets["software"][name] {
		return false
	}
	to := i + 1
	for f.lexicon.sets["process"][at(f.items, to).low] {
		to++
	}
	for k := range f.items {
		if (k < i || k >= to) && !f.isDown(k) && f.tells(k) {
			return false
		}
	}
	if !f.down() {
		return false
	}
	f.add(i, filter{place: "exporter", value: "*" + name + "*"}, span(i, to)...)
	f.extra = append(f.extra, "target")
	return true
}

// tells reports whether item k is a word that is not read yet and that may name
// what is measured.
func (f *frame) tells(k int) bool {
	it := f.items[k]
	_, word := it.has("word")
	return !it.used && it.number == nil && !f.lexicon.stop[it.low] && (word || len(it.roles) == 0)
}

// down reports whether something is said not to be there, and takes the words
// that say so.
func (f *frame) down() bool {
	found := false
	for i := range f.items {
		if f.isDown(i) {
			f.use(i)
			found, f.badSaid = true, true
		}
	}
	return found
}

func (f *frame) isDown(i int) bool {
	_, absent := f.says(i, "absent")
	low := f.items[i].low
	return absent || low == "down" || low == "unreachable" || low == "dead"
}

// takeNamedPlace reads: namespace prod, pod named train-0, gpu 3, xid = 79.
func (f *frame) takeNamedPlace(i int) bool {
	p, n, ok := f.place(i)
	if !ok {
		return false
	}
	j := i + n
	prefix, not := false, false
	for j < len(f.items) {
		v, called := f.items[j].has("called")
		_, except := f.items[j].has("not")
		if _, each := at(f.items, i-1).has("determiner"); each && j == i+n && f.items[j].low == "but" {
			except = true // every namespace but dev
		}
		if !called && !except && f.items[j].low != "=" && f.items[j].low != "==" {
			break
		}
		not = not || except
		prefix = prefix || called && v == "" && (strings.Contains(f.items[j].low, "start") || strings.Contains(f.items[j].low, "begin"))
		j++
	}
	said := j > i+n
	if j >= len(f.items) || !f.nameFor(j, p, said) {
		return false
	}
	if _, _, another := f.place(j); another && !not && !prefix {
		return false // "pods outside of namespace ci"
	}
	if it := f.items[j]; strings.HasSuffix(at(f.items, i-1).low, "same") && !said && !it.name && it.whole == "" && !strings.ContainsAny(it.raw, "0123456789_*") {
		return false // "gpus on the same node sit idle"
	}
	if of := f.shapeOf(j); not && of.Name != "" && of.Name != p.Name || not && p.Within != "in" && strings.HasPrefix(f.items[j-1].low, "outside") {
		return false // "containers outside kube-system"
	}
	_, any := at(f.items, i-1).has("determiner")
	if _, by := at(f.items, i-1).has("by"); (any || by) && !said && f.items[j].number == nil && !f.isName(j) && !f.agent(i) {
		return false // "each namespace burns" names none, "any xid 79" does
	}
	f.usedBy = f.usedBy || f.agent(i)
	if _, by := at(f.items, i-1).has("by"); by && not {
		f.by = append(f.by, p.Name) // "per namespace excluding kube-system"
	}
	name, to := f.name(j)
	if prefix {
		name += "*"
	}
	fl := filter{place: p.Name, kind: strings.Join(f.normsOf(i, i+n), " "), value: name, not: not}
	_, preposition := prepositions[at(f.items, i-1).low]
	fl.within = p.Name == "namespace" && (preposition || not)
	f.implied = append(f.implied, p.Name)
	for _, it := range f.items[i : i+n] {
		f.implied = append(f.implied, it.norms...)
	}
	if p.Name == "model" {
		fl.value = f.modelName(name)
	}
	f.add(i, fl, span(i, to)...)
	return true
}

// takePlaceOfName reads: stream-ingest pods, the team-a namespace. The plural
// stands for every name that starts so.
func (f *frame) takePlaceOfName(i int) bool {
	if !f.isName(i) && !f.nameBefore(i) && !f.plainBefore(i) || f.lexicon.stop[f.items[i].low] && f.items[i].whole == "" {
		return false
	}
	name, to := f.name(i)
	p, n, ok := f.place(to)
	if !ok || p.Shape != nil && p.Name != "model" && p.Name != "namespace" && !(p.Name == "node" && strings.Contains(name, "*")) || f.shapeOf(i).Name != "" && f.shapeOf(i).Name != p.Name {
		return false
	}
	if p.Name == "gpu" { // "gpu-03 GPUs" are on the node
		p = f.placeNamed("node")
	}
	if last := f.items[to+n-1].low; strings.HasSuffix(last, "s") && !strings.Contains(name, "*") && p.Name != "node" && p.Name != "container" {
		name += "*"
	}
	if p.Name == "device" && f.oneOf(i, name) {
		name += "*"
	}
	f.add(i, filter{place: p.Name, value: name}, span(i, to+n)...)
	f.implied = append(f.implied, p.Name)
	return true
}

// oneOf reports whether the name at item i is what several devices are called: an
// mlx5 device is any that begins so.
func (f *frame) oneOf(i int, name string) bool {
	article := at(f.items, i-1).low
	return (article == "a" || article == "an" || article == "any") && !strings.ContainsAny(name, "*_")
}

// nameBefore reports whether the hyphenated words at i can only be a name
// before the word for a place: none does anything in a question, and no
// measure has one of them and the place in what it is called.
func (f *frame) nameBefore(i int) bool {
	if f.items[i].whole == "" || f.items[i].used {
		return false
	}
	_, to := f.name(i)
	p, _, ok := f.place(to)
	return ok && !slices.ContainsFunc(f.items[i:to], func(it item) bool {
		return len(it.roles) > 0 || len(it.norms) != 1 || f.lexicon.stop[it.low] || f.words.called(p.Name, it.norms[0])
	})
}

// plainBefore reports whether item i is a plain word that can only be the name
// of the namespace it stands before: the diffusion namespace.
func (f *frame) plainBefore(i int) bool {
	p, _, ok := f.place(i + 1)
	switch {
	case !ok || len(f.items[i].roles) > 0:
		return false
	case p.Name == "container" || p.Name == "deployment" || p.Name == "statefulset":
		return f.unknown(i) && i+2 < len(f.items) // the dataloader container
	}
	if p.Name == "model" {
		return at(f.items, i-1).low == "the" && f.items[i].low != "same" && f.unknown(i) && f.items[i+1].low == "model" // for the ranker model
	}
	return p.Name == "namespace" && at(f.items, i-1).low == "the" && f.onlyName(i, p)
}

// takeShape reads names that can only be of one place: H100, /var, eth0.
func (f *frame) takeShape(i int) bool {
	p := f.shapeOf(i)
	if p.Name == "" || f.onlyValue(i) {
		return false
	}
	name, to := f.name(i)
	switch p.Name {
	case "model":
		name = f.modelName(name)
		f.implied = append(f.implied, "gpu")
	case "profile":
		f.implied = append(f.implied, "gpu", "mig")
	case "mountpoint":
		f.implied = append(f.implied, "disk")
	case "unit":
		f.implied = append(f.implied, "systemd", "unit")
	case "device":
		f.implied = append(f.implied, f.lexicon.deviceOf(name))
	}
	if q, n, ok := f.place(to); ok && q.Name == p.Name {
		to += n // "the mlx5_0 port"
		if p.Name == "device" && f.oneOf(i, name) {
			name += "*"
		}
	}
	f.add(i, filter{place: p.Name, value: name}, span(i, to)...)
	return true
}

// modelName makes the pattern of a model of GPU: exporters write "NVIDIA H100
// 80GB HBM3". Models that answer questions are called as they are.
func (f *frame) modelName(said string) string {
	if strings.Contains(said, "*") || !f.placeNamed("model").Shape.MatchString(said) {
		return said
	}
	if low := strings.ToLower(said); !f.lexicon.sets["no plural"][low] {
		said = strings.TrimSuffix(low, "s") // "the H100s"
	}
	return "*" + strings.ToUpper(said) + "*"
}

func span(from, to int) []int {
	var is []int
	for i := from; i < to; i++ {
		is = append(is, i)
	}
	return is
}

// place returns the place that the items from i name, and how many they are.
func (f *frame) place(i int) (nlq.Place, int, bool) {
	if i >= 0 && i < len(f.items) && len(f.items[i].norms) > 0 && !placesBegin()[f.items[i].norms[0]] {
		return nlq.Place{}, 0, false // most words
	}
	for n := min(2, len(f.items)-i); n > 0; n-- {
		if closed(f.items[i : i+n]) {
			continue
		}
		k, ok := placeWords()[string(spaced(make([]byte, 0, roomy), f.items[i:i+n]))]
		if !ok {
			continue
		}
		if p := f.places[k]; p.Name != "cluster" || f.isName(i+n) || f.after(i, "by") {
			return p, n, true // every other cluster is the one that is asked
		}
	}
	return nlq.Place{}, 0, false
}

// placeWords returns which of [nlq.Places] a word is for.
var placeWords = sync.OnceValue(func() map[string]int {
	words := map[string]int{}
	for i, p := range nlq.Places() {
		for _, w := range p.Words {
			if _, taken := words[w]; !taken {
				words[w] = i
			}
		}
	}
	return words
})

// after reports whether item i stands behind a word of role r.
func (f *frame) after(i int, r role) bool {
	_, ok := at(f.items, i-1).has(r)
	return ok
}

func (f *frame) placeNamed(name string) nlq.Place {
	for _, p := range f.places {
		if p.Name == name {
			return p
		}
	}
	return nlq.Place{}
}

// shapeOf returns the place whose names look like item i, or the zero place.
func (f *frame) shapeOf(i int) nlq.Place {
	if f.items[i].used || !f.items[i].name && f.items[i].whole == "" && !f.unheardOf(i) || f.items[i].metric {
		return nlq.Place{}
	}
	name, _ := f.name(i)
	if f.known != nil && f.known(name) != "" {
		return nlq.Place{} // it is known what it is
	}
	for _, p := range f.places {
		if p.Shape != nil && p.Shape.MatchString(name) {
			return p
		}
	}
	return nlq.Place{}
}

// nameFor reports whether item i can be the name of a p right behind the word
// for it; said: a word such as "named" stands between.
func (f *frame) nameFor(i int, p nlq.Place, said bool) bool {
	if f.items[i].used || f.items[i].sign || f.lexicon.stop[f.items[i].low] && !f.items[i].name || at(f.items, i-1).ends || !said && f.lexicon.sets["verb"][f.items[i].low] || !said && p.Name != "namespace" && pastTense.MatchString(f.items[i].low) {
		return false
	}
	if low := f.items[i].low; !f.items[i].name && f.items[i].whole == "" && (f.lexicon.sets["state"][low] || len(f.words.states[low]) > 0) && p.Name != "gpu" && p.Name != "xid" {
		return false // "port not in state active"
	}
	if stepShape.MatchString(f.items[i].raw) {
		return false // of a GPU at x16
	}
	switch p.Name {
	case "gpu", "xid", "batchjob":
		n := f.items[i].number
		return n != nil && !n.isUnit || f.items[i].name && (said || p.Name == "gpu" && f.shapeOf(i).Name == "")
	case "namespace":
		return f.isName(i) || f.unknown(i) || said || f.onlyName(i, p)
	}
	return f.items[i].whole != "" && (p.Name != "node" && p.Shape == nil || f.compoundName(i)) || f.isName(i) || said || !f.anySuch(i-2) && (f.unknown(i) && !f.lexicon.stop[f.items[i].low] || f.onlyName(i, p))
}

// compoundName reports whether the hyphenated word at item i is a name, although
// measures are called by its parts: none is called by all of them, and none of
// them does anything in a question. It is asked of what stands where names do.
func (f *frame) compoundName(i int) bool {
	var norms []string
	_, to := f.name(i)
	for k := i; k < to; k++ {
		if !f.onlyWord(k) || k == i && f.lexicon.stop[f.items[k].low] {
			return false
		}
		norms = append(norms, f.items[k].norms...)
	}
	return len(norms) > 0 && !f.items[i].used && (endsInNumber.MatchString(f.items[i].whole) || !f.words.called(norms...))
}

// endsInNumber is what names of one of several look like: cache-1, churn-v3.
var endsInNumber = regexp.MustCompile(`^[a-z].*[0-9]$`)

// anyOf reports whether item i says that what follows is one of many: "tasks on
// a host spend …" tells of no host named spend.
func (f *frame) anyOf(i int) bool { return f.lexicon.sets["some"][at(f.items, i).low] }

// anySuch is anyOf for a kind of things that words before it tell more of: a Ray
// Serve application.
func (f *frame) anySuch(i int) bool {
	for k := i; k >= max(0, i-2); k-- {
		if f.anyOf(k) {
			return true
		}
		if it := f.items[k]; it.number != nil || len(it.roles) > 0 || f.lexicon.stop[it.low] {
			return false
		}
	}
	return false
}

// onlyName reports whether item i, a word that measures are called by too, can
// only be a name behind the word for p: no measure has both in what it is
// called.
func (f *frame) onlyName(i int, p nlq.Place) bool {
	it := f.items[i]
	if it.used || it.sign || it.metric || it.number != nil || it.inside || f.lexicon.stop[it.low] || len(it.norms) != 1 || p.Name == "model" || p.Name == "device" || p.Name == "mountpoint" || p.Name == "node" {
		return false
	}
	if len(it.roles) > 0 && !f.onlyWord(i) {
		return false
	}
	called := append([]string{p.Name}, p.Words...)
	return !slices.ContainsFunc(called, func(w string) bool { return f.words.called(append(strings.Fields(w), it.norms[0])...) })
}

// onlyWord reports whether all that the lexicon knows of item i is another word for it.
func (f *frame) onlyWord(i int) bool {
	for _, p := range f.items[i].roles {
		if p.role != "word" {
			return false
		}
	}
	return true
}

// isName reports whether item i looks like a name and like nothing else.
func (f *frame) isName(i int) bool {
	if it := at(f.items, i); it.whole == "" && len(f.words.states[it.low]) > 0 {
		return false // HEALTH_ERR
	}
	if i >= len(f.items) {
		return false
	}
	it := f.items[i]
	if it.used || it.metric || it.number != nil || it.inside {
		return false
	}
	if it.whole != "" {
		return !f.allKnown(i) || endsInNumber.MatchString(it.whole) && !f.lexicon.sets["step"][it.low]
	}
	return it.name && !f.words.all(it.norms) && len(f.words.values[it.low]) == 0
}

// allKnown reports whether the parts of the hyphenated word at i are all words
// with a meaning here.
func (f *frame) allKnown(i int) bool {
	_, to := f.name(i)
	for _, it := range f.items[i:to] {
		if len(it.roles) == 0 && !f.lexicon.stop[it.low] && !f.words.all(it.norms) {
			return false
		}
	}
	return true
}

// unknown reports whether item i is a plain word without any meaning here.
func (f *frame) unknown(i int) bool {
	if len(f.words.states[f.items[i].low]) > 0 {
		return false
	}
	it := f.items[i]
	if it.used || it.sign || it.metric || it.number != nil || it.inside || len(it.roles) > 0 || f.lexicon.stop[it.low] || f.lexicon.sets["verb"][it.low] {
		return false
	}
	_, _, isPlace := f.place(i)
	return !isPlace && !f.words.all(it.norms)
}

// unheardOf reports whether no measure is called by item i, which does nothing in a question.
func (f *frame) unheardOf(i int) bool {
	it := f.items[i]
	return len(it.norms) > 0 && it.raw == it.low && len(it.roles) == 0 && it.number == nil && !it.inside && !f.lexicon.stop[it.low] && !f.words.anyOf(it.norms)
}

// pastTense is what a verb looks like that says what a thing did: "a container
// died" names none.
var pastTense = regexp.MustCompile(`^[a-z]{2,}ed$`)

// name returns the whole name that starts at i and the item after it.
func (f *frame) name(i int) (string, int) {
	it := f.items[i]
	if it.whole == "" {
		return it.raw, i + 1
	}
	to := i + 1
	for to < len(f.items) && f.items[to].inside {
		to++
	}
	return it.whole, to
}
