package grammar

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An item is a token or several with what they mean.
type item struct {
	raw    string // as it was written
	low    string
	roles  []phrase // what the lexicon says of it; several where it depends on what follows
	norms  []string // what it is as words of a measure
	number *number
	name   bool // in quotation marks, or with a shape no word has
	metric bool
	sign   bool
	whole  string // the hyphenated name this is the first of, and how many items it has
	span   int
	inside bool // a later part of a hyphenated name
	used   bool
	lead   bool    // before a colon
	ends   bool    // a sentence
	weak   bool    // names a place: the measure may do without it
	match  *filter // a label as expressions have it: reporter=destination
}

// A number is an amount with its unit, where it has one.
type number struct {
	value   float64
	unit    unit // zero: none was said
	isUnit  bool
	unitRaw string
}

func (it item) has(r role) (string, bool) {
	for _, p := range it.roles {
		if p.role == r {
			return p.value, true
		}
	}
	return "", false
}

// closed reports whether one of items is no plain word that is there to be used: it
// is a name, a number, or part of either.
func closed(items []item) bool {
	for i := range items {
		if it := &items[i]; it.used || it.name || it.number != nil || it.whole != "" || it.inside {
			return true
		}
	}
	return false
}

// roomy is for how many bytes there is room without the heap: what is looked up
// for every word, many times over, is a few words.
const roomy = 64

// spaced appends the words of items in the words of the catalog to b, spaces between
// them: a map is looked up by them, and nobody keeps them.
func spaced(b []byte, items []item) []byte {
	for i := range items {
		for _, w := range items[i].norms {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = append(b, w...)
		}
	}
	return b
}

// tag gives tokens their meanings, the longest phrase first. A hyphenated word
// whose parts make a phrase is that phrase.
func tag(ts []token, l *lexicon) []item {
	out := make([]item, 0, len(ts))
	for i := 0; i < len(ts); {
		t := ts[i]
		switch {
		case t.quoted, t.metric:
			out = append(out, item{raw: t.raw, low: strings.ToLower(t.raw), name: t.quoted, metric: t.metric})
			i++
			continue
		}
		if t.raw[0] >= '0' && t.raw[0] <= '9' {
			it, n := l.phrase(ts[i:])
			if _, word := it.has("word"); word && n > 1 {
				out = append(out, it) // "15 min load" is no time
				i += n
				continue
			}
		}
		if m := timesOf(t.raw); m != nil && t.part == 0 {
			v, _ := strconv.ParseFloat(m[1], 64)
			out = append(out, item{raw: m[1], low: m[1], number: &number{value: v}}, item{raw: m[2], low: m[2], roles: []phrase{{role: "times", value: "n"}}})
			i++
			continue // 1.5x
		}
		if it, n := l.quantity(ts[i:]); n > 0 && t.part == 0 {
			out = append(out, it)
			i += n
			continue
		}
		it, n := l.phrase(ts[i:])
		if two, ok := l.unitOfTwo(ts[i:]); ok && n < 2 {
			it, n = two, 2
		}
		if slices.ContainsFunc(ts[i:i+n], func(t token) bool { return t.lead }) {
			for k := range out {
				out[k].lead = true
			}
			it.lead = true
		}
		it.ends = ts[i+n-1].ends
		it.inside = t.part > 0
		if t.parts > 0 && t.part == 0 {
			it.whole, it.span = t.whole, t.parts
		}
		out = append(out, it)
		i += n
	}
	return out
}

// timesShape is a multiple written as one word.
var timesShape = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([xX×])$`)

// timesOf returns the parts of a multiple, nil of any other word.
func timesOf(word string) []string {
	if word[0] < '0' || word[0] > '9' {
		return nil
	}
	return timesShape.FindStringSubmatch(word)
}

// limits reports whether a limit follows: "or below" does not end "below 10 GB
// or below 5%", as it ends "10 GB or below, for 2 minutes".
func (l *lexicon) limits(ts []token) bool {
	if len(ts) == 0 {
		return false
	}
	if first := ts[0].raw; first[0] < '0' || first[0] > '9' { // numbers in words could be phrases again, without end
		return first == "than"
	}
	it, n := l.quantity(ts)
	return n > 0 && it.number != nil && it.number.unit.dimension != "time"
}

// unitOfTwo reads a unit that is two words, such as watt hours.
func (l *lexicon) unitOfTwo(ts []token) (item, bool) {
	if len(ts) < 2 || ts[0].quoted || ts[1].quoted {
		return item{}, false
	}
	if !l.unitsBegin[strings.ToLower(ts[0].raw)] {
		return item{}, false
	}
	low := strings.ToLower(ts[0].raw + " " + ts[1].raw)
	if u, ok := l.units[low]; !ok || u.dimension != "energy" { // a time or a rate stands by itself
		return item{}, false
	}
	return item{raw: low, low: low}, true
}

// phrase returns the longest phrase that ts starts with, with every role that
// phrases of this length have; a word that starts none stands for itself.
func (l *lexicon) phrase(ts []token) (item, int) {
	low := strings.ToLower(ts[0].raw)
	if whose, ok := strings.CutSuffix(low, "'s"); ok && len(l.phrases[low]) == 0 {
		low = whose // a node's GPUs
		ts = slices.Clone(ts)
		ts[0].raw = ts[0].raw[:len(ts[0].raw)-len("'s")] // lower case may take more bytes
	}
	it := item{raw: ts[0].raw, low: low, sign: ts[0].sign}
	n := 1
	for _, p := range l.phrases[low] {
		if len(it.roles) > 0 && len(p.words) < n {
			break
		}
		if !startsWith(ts, p.words) || p.role == "compare" && p.words[0] == "or" && len(p.words) > 1 && (l.limits(ts[len(p.words):]) || p.words[len(p.words)-1] != "than" && len(ts) > len(p.words) && strings.EqualFold(ts[len(p.words)].raw, "than")) {
			continue
		}
		n = len(p.words)
		it.roles = append(it.roles, p)
	}
	for _, t := range ts[1:n] {
		it.raw += " " + t.raw
	}
	if n > 1 {
		it.low = strings.ToLower(it.raw)
	}
	it.norms = norms(it)
	it.name = n == 1 && len(it.roles) == 0 && ts[0].parts == 0 && shaped(ts[0].raw)
	return it, n
}

// shaped reports whether a word looks as no English one does: gpu3, kvCache, train-.
func shaped(word string) bool {
	if strings.ContainsAny(word, "0123456789_*/") || strings.HasSuffix(word, "-") {
		return true
	}
	i := 0
	for i < len(word) && 'a' <= word[i] && word[i] <= 'z' {
		i++
	}
	return 0 < i && i < len(word) && 'A' <= word[i] && word[i] <= 'Z'
}

func startsWith(ts []token, words []string) bool {
	if len(ts) < len(words) {
		return false
	}
	for i, w := range words {
		if ts[i].quoted || ts[i].metric || strings.ToLower(ts[i].raw) != w {
			return false
		}
	}
	return true
}

// norms returns it in the words of the catalog.
func norms(it item) []string {
	for _, p := range it.roles {
		if p.role == "word" {
			return p.norms
		}
	}
	return singulars(it.low)
}

// singulars returns the words of s, each in the singular.
func singulars(s string) []string {
	var words []string
	for w := range strings.FieldsSeq(s) {
		words = append(words, singular(w))
	}
	return slices.Clip(words) // what is added to one is added to no other
}

// singular takes the plural's ending off, and may take it off a word that is
// none: both sides of a comparison go through it.
func singular(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}

var numeral = regexp.MustCompile(`^([+-]?(?:[0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(.*)$`)

// numeralOf returns the parts of a word that begins with a number, nil of any other.
func numeralOf(word string) []string {
	if word == "" || strings.IndexByte("+-.0123456789", word[0]) < 0 {
		return nil // most words: it need not be tried
	}
	return numeral.FindStringSubmatch(word)
}

// multipliers may stand directly behind a number, before a unit or without one.
var multipliers = map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}

// quantity reads a number with its unit, from one token or several. It returns
// how many tokens that took, 0 where ts does not start with a number.
func (l *lexicon) quantity(ts []token) (item, int) {
	var n number
	used := 1
	rest := ""
	if m := numeralOf(ts[0].raw); m != nil && !ts[0].sign {
		v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], "_", ""), 64)
		if err != nil {
			return item{}, 0
		}
		n.value, rest = v, strings.TrimPrefix(m[2], "-")
	} else if !l.numeric[strings.TrimSuffix(strings.ToLower(ts[0].raw), "'s")] {
		return item{}, 0
	} else if it, k := l.phrase(ts); k > 0 {
		v, isNumber := it.has("number")
		secs, isPeriod := it.has("period")
		if !isNumber && !isPeriod {
			return item{}, 0
		}
		if n.value, _ = strconv.ParseFloat(v+secs, 64); isPeriod {
			n.unit, n.isUnit, n.unitRaw = l.units["s"], true, "s"
			return item{raw: it.raw, low: it.low, number: &n}, k
		}
		used = k + l.restOfNumber(&n, ts[k:])
		if n.value > 0 && n.value < 1 {
			n.unit, n.isUnit, n.unitRaw = l.units["1"], true, ""
		}
	}
	if !l.suffix(&n, rest) {
		return item{}, 0
	}
	if !n.isUnit || n.value < 1 {
		used += l.unitAfter(&n, ts[used:])
	}
	if k := l.outOf(&n, ts[used:]); k > 0 {
		used += k
	}
	raw := ts[0].raw
	for _, t := range ts[1:used] {
		raw += " " + t.raw
	}
	return item{raw: raw, low: strings.ToLower(raw), number: &n}, used
}

// outOf reads what n things are out of, as in "1 in 100", and returns how many
// words that is: n is a share then.
func (l *lexicon) outOf(n *number, ts []token) int {
	if n.isUnit || len(ts) < 2 || !strings.EqualFold(ts[0].raw, "in") && !strings.EqualFold(ts[0].raw, "of") || ts[1].quoted {
		return 0
	}
	var all float64
	used := 2
	if m := numeralOf(ts[1].raw); m != nil && m[2] == "" {
		all, _ = strconv.ParseFloat(m[1], 64)
	} else if it, k := l.phrase(ts[1:]); m == nil && strings.EqualFold(ts[0].raw, "in") { // one in twenty
		v, _ := it.has("number")
		all, _ = strconv.ParseFloat(v, 64)
		used = 1 + k
	}
	of := number{value: all}
	if all <= n.value || n.value <= 0 || l.unitAfter(&of, ts[used:]) > 0 || of.isUnit {
		return 0
	}
	n.value, n.unit, n.isUnit, n.unitRaw = n.value/all, l.units["1"], true, ""
	return used
}

// restOfNumber reads the words that go on with a number in words, twenty five
// or two hundred, and returns how many they are.
func (l *lexicon) restOfNumber(n *number, ts []token) (used int) {
	for len(ts) > used && !ts[used].quoted && !ts[used].sign {
		it, k := l.phrase(ts[used:])
		v, isNumber := it.has("number")
		if !isNumber {
			return used
		}
		more, err := strconv.ParseFloat(v, 64)
		switch {
		case err != nil || k != 1 || n.value < 1 || more != math.Trunc(more):
			return used
		case more >= 100 && n.value < more, more == 12 && n.value < more: // two hundred, two dozen
			n.value *= more
		case n.value >= 20 && math.Mod(n.value, 10) == 0 && more >= 1 && more < 10, n.value >= 100 && math.Mod(n.value, 100) == 0 && more >= 1 && more < 100:
			n.value += more
		default:
			return used
		}
		used++
	}
	return used
}

// suffix reads what stands directly behind a number: a unit, a multiplier, or
// more of a duration such as 1h30m.
func (l *lexicon) suffix(n *number, s string) bool {
	if s == "" {
		return true
	}
	if u, ok := l.unit(s); ok {
		n.unit, n.isUnit, n.unitRaw = u, true, s
		return true
	}
	if f, ok := multipliers[s[:1]]; ok {
		if s == s[:1] {
			n.value *= f
			return true
		}
	}
	if d, ok := compound(strconv.FormatFloat(n.value, 'f', -1, 64) + s); ok {
		n.value, n.unit, n.isUnit, n.unitRaw = d, l.units["s"], true, "s"
		return true
	}
	return false
}

var compoundDuration = regexp.MustCompile(`^(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$`)

func compound(s string) (seconds float64, ok bool) {
	m := compoundDuration.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	for i, f := range []float64{86400, 3600, 60, 1} {
		v, _ := strconv.ParseFloat("0"+m[1+i], 64)
		seconds += v * f
	}
	return seconds, true
}

// unitAfter reads a unit of up to three words after a number.
func (l *lexicon) unitAfter(n *number, ts []token) int {
	for k := min(3, len(ts)); k > 0; k-- {
		var words []string
		for _, t := range ts[:k] {
			if !t.quoted && !t.metric {
				words = append(words, t.raw)
			}
		}
		u, ok := l.unit(strings.Join(words, " "))
		if !ok || len(words) < k || k == 1 && n.isUnit && u.dimension != "time" {
			continue
		}
		n.unit, n.isUnit, n.unitRaw = u, true, strings.Join(words, " ")
		return k
	}
	return 0
}
