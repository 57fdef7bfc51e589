package grammar

import (
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// A Scope is what a text says beside what is measured: whether an alert is
// wanted or a value, of which series, put together how, and how bad it is.
type Scope struct {
	Asked    string          // alert or lookup, as its first words say; "" where they do not
	Severity string          // "" where it was not said
	Agg      nlq.Aggregation // of series
	Top      int             // as in nlq.Lookup
	Names    []string        // the words that are names, in lower case: they name no measure
	frame    *frame
}

// Scope reads the scope of s, whose other words need not be understood. Its
// error is what is never done for words.
func (s *Sentence) Scope() (Scope, error) {
	f := s.fresh()
	if err := f.takeKind(); err != nil {
		return Scope{}, err
	}
	f.takeTimes()
	f.takeNames()
	f.takeGroups()
	f.takeAggregation()
	f.takeSeverity()
	out := Scope{Severity: f.severity, Agg: f.agg, Top: f.top, frame: f}
	if len(f.items) > 0 {
		if _, verb := f.items[0].has("kind"); verb {
			out.Asked = string(f.kind)
		}
	}
	for _, fl := range f.filters {
		out.Names = append(out.Names, strings.FieldsFunc(strings.ToLower(fl.value), func(r rune) bool { return r == '-' || r == '*' || r == '.' })...)
	}
	return out, nil
}

// Narrows reports whether the text says of which series, however it does.
func (s Scope) Narrows() bool { return len(s.frame.filters) > 0 }

// Where returns the matchers of series of m that the text names, as far as
// they have labels for it. What only a preposition
// says is a name needs a digit; plain words are names where plain reports so, and
// where somebody is in that namespace or outside of it.
func (s Scope) Where(m catalog.Metric, plain func(word string) bool) []nlq.Matcher {
	f := *s.frame
	f.filters = nil
	for _, fl := range s.frame.filters {
		_, takes := f.filtered(fl, m)
		named := strings.ContainsAny(fl.value, "0123456789*/") || !fl.bare && (fl.within || strings.Contains(fl.value, "-") || plain(fl.value))
		if (takes || fl.label != "") && named && !adjective(fl.value) {
			f.filters = append(f.filters, fl)
		}
	}
	var ms nlq.Measure
	f.where(&ms, m)
	return ms.Where
}

// adjective reports whether a value is a word such as "GPU-enabled".
func adjective(value string) bool {
	for _, end := range []string{"-enabled", "-based", "-level", "-wide", "-side", "-local", "-managed", "-related"} {
		if strings.HasSuffix(value, end) {
			return true
		}
	}
	return false
}

// By returns the labels that the text says results of m are for.
func (s Scope) By(m catalog.Metric) []string {
	var out []string
	for _, place := range append(s.frame.by, s.frame.subject) {
		if place != "" && !strings.HasPrefix(place, "label ") {
			out = append(out, s.frame.labelsOf(m, place)...)
		}
	}
	return out
}
