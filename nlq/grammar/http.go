package grammar

import (
	"regexp"
	"slices"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// An answered is a code of HTTP by which requests are told apart, or a class of
// them.
type answered struct {
	item  int
	value string // a class ends in "xx"
	not   bool
}

// single reports whether a is one code and no class.
func (a answered) single() bool { return !strings.HasSuffix(a.value, "xx") }

// classLabel is Envoy's, and carries but the first figure of a code.
const classLabel = "envoy_response_code_class"

// httpLabels are the labels that carry codes of HTTP, or their classes.
var httpLabels = []string{"code", "status", "response_code", "status_code", "return_code", "http_status", "envoy_response_code", classLabel}

var (
	classShape = regexp.MustCompile(`^(non-)?([1-5])xxe?s?$`)
	codeShape  = regexp.MustCompile(`^([1-5][0-9]{2})(s?)$`)
)

// httpCodes returns the codes and classes that unused items say.
func (f *frame) httpCodes() (out []answered) {
	for i, it := range f.items {
		if it.used || it.inside {
			continue
		}
		low := strings.ToLower(it.raw)
		if it.whole != "" {
			low = strings.ToLower(it.whole)
		}
		if !strings.HasPrefix(low, "non-") && strings.IndexAny(low[:min(1, len(low))], "12345") < 0 {
			continue
		}
		if it.number != nil && f.lexicon.sets["http"][it.number.unitRaw] {
			low = strings.Fields(low)[0] // 429 responses
		}
		before := at(f.items, i-1)
		if before.low == "with" || before.low == "a" {
			before = at(f.items, i-2) // answered with 404
		}
		no := before.low == "non" || before.low == "not" || before.low == "no"
		if class := classShape.FindStringSubmatch(low); class != nil {
			out = append(out, answered{i, class[2] + "xx", no || class[1] != ""})
			continue
		}
		code := codeShape.FindStringSubmatch(low)
		_, compares := before.has("compare")
		if code == nil || compares || code[2] == "" && !f.lexicon.sets["http"][before.low] && !f.lexicon.sets["http"][at(f.items, i+1).low] && (it.number == nil || !f.lexicon.sets["http"][it.number.unitRaw]) {
			continue
		}
		if _, over := before.has("over"); !over {
			out = append(out, answered{i, code[1], no})
		}
	}
	return out
}

// countsCode reports whether item i is a code of HTTP in the plural and no time:
// 429s are no seven minutes.
func (f *frame) countsCode(i int) bool {
	code := codeShape.FindStringSubmatch(strings.ToLower(f.items[i].raw))
	if code == nil || code[2] == "" || code[1] < "400" {
		return false
	}
	return !slices.ContainsFunc([]role{"hold", "window", "during", "over", "compare", "over time", "since", "pace", "keep"}, func(r role) bool { return f.after(i, r) })
}

// takeHTTP takes what the codes of answers are told by, where no measure is
// called by them: 5xx responses, 404s. What is measured must tell them apart.
func (f *frame) takeHTTP() bool {
	said := f.httpCodes()
	for _, c := range said {
		f.use(c.item)
		if c.not {
			f.use(c.item - 1)
		}
	}
	for i := range f.items {
		if it := &f.items[i]; len(said) > 0 && slices.Equal(it.norms, []string{"response"}) {
			it.norms = []string{"request"} // each has its answer, and is counted by that name
		} else if len(said) > 0 && f.lexicon.sets["answers"][it.low] {
			it.used = true // "cart answers with 503s"
		}
	}
	if len(said) > 0 && !slices.Contains(f.norms(), "request") {
		f.extra = append(f.extra, "request")
	}
	f.answered = append(f.answered, said...)
	return len(said) > 0
}

// takeCodesOf takes the codes that are said of m, where it tells them apart.
func (f *frame) takeCodesOf(m catalog.Metric) {
	f.answered = f.httpCodes()
	apart := f.httpLabel(m) != ""
	f.answered = nil
	if apart {
		f.takeHTTP()
	}
}

// httpLabel returns the label that tells series of m apart by the codes that
// were said: what tells only classes apart knows no code.
func (f *frame) httpLabel(m catalog.Metric) string {
	for _, l := range httpLabels {
		if f.catalog.Takes(m.ID, l) && (l != classLabel || !slices.ContainsFunc(f.answered, answered.single)) {
			return l
		}
	}
	return ""
}

// ofCodes returns the matcher of m's label for the codes that were said.
func (f *frame) ofCodes(m catalog.Metric) []nlq.Matcher {
	if len(f.answered) == 0 {
		return nil
	}
	w := nlq.Matcher{Label: f.httpLabel(m), Op: "="}
	var values []string
	for _, c := range f.answered {
		class, isClass := strings.CutSuffix(c.value, "xx")
		switch {
		case w.Label == classLabel:
			values = append(values, class[:1])
		case isClass:
			w.Op = "=~"
			values = append(values, class+"..")
		default:
			values = append(values, c.value)
		}
	}
	if len(values) > 1 {
		w.Op = "=~"
	}
	if f.answered[0].not {
		w.Op = map[string]string{"=": "!=", "=~": "!~"}[w.Op]
	}
	w.Value = strings.Join(values, "|")
	return []nlq.Matcher{w}
}

// shareOfCodes reads a share of requests by how they were answered, where nothing
// says what it is of: 5xx ratio of ingress shop, 429s above 1%.
func (f *frame) shareOfCodes() bool {
	codes := f.httpCodes()
	if len(codes) == 0 {
		return false
	}
	said := slices.ContainsFunc(f.items, func(it item) bool {
		return !it.used && it.number != nil && it.number.isUnit && it.number.unit.dimension == "ratio"
	})
	var words, shares []int
	var placed []item
	for i := 0; i < len(f.items); i++ {
		it := f.items[i]
		_, cmp := it.has("compare")
		_, isKind := it.has("kind")
		_, by := it.has("by")
		share := f.lexicon.sets["share"][strings.TrimSuffix(it.low, " of")] && !it.used
		if share {
			said = said || isKind || !strings.HasPrefix(it.low, "rate") // which is so many a second, too
			shares = append(shares, i)
		}
		name, to, of := f.placedAt(i)
		switch {
		case of:
			placed = append(placed, f.items[i+1:name]...)
			i = to - 1
		case by:
			_, n, place := f.place(i + 1)
			if !place {
				_, n, _ = f.labelAt(i + 1)
			}
			i += max(n, 1)
		case share, it.used, it.number != nil, cmp, isKind, f.plain(it) && !it.lead, slices.ContainsFunc(codes, func(c answered) bool { return c.item == i }):
		default:
			words = append(words, i)
		}
	}
	if !said {
		return false
	}
	requests := []item{{raw: "requests", low: "requests", norms: []string{"request"}}}
	for _, i := range words {
		if it := f.items[i]; !f.lexicon.sets["http"][it.low] {
			requests = append(requests, it)
		}
	}
	m, ok := f.part(requests, nil).second(0, len(requests), nil)
	if !ok { // "5xx ratio of ingress shop": only where they go says which
		of := append(requests, placed...)
		m, ok = f.part(of, nil).second(0, len(of), nil)
	}
	f.answered = codes
	label := f.httpLabel(m)
	f.answered = nil
	if !ok || m.Type != catalog.Counter || label == "" {
		return false
	}
	for _, i := range words {
		f.takeWords(i, i+1)
	}
	f.useAll(shares...)
	f.divide(m, m, []string{label})
	return true
}
