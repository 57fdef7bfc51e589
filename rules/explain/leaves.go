package explain

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
	"vedette.dev/rules/syntax"
)

//go:embed functions.csv
var functionsCSV []byte

// functions are the words of each function.
var functions = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	err := strictcsv.Each("functions.csv", bytes.NewReader(functionsCSV), "name,words", func(f []string) error {
		out[f[0]] = f[1]
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return out
})

// selector says which series of which metric.
func (r *reader) selector(v *parser.VectorSelector) string {
	name := v.Name
	if m, ok := r.metric(v.Name); ok && len(m.Words) > 0 {
		name = fmt.Sprintf("%s (%s)", m.Words[0], v.Name)
	}
	var where []string
	for _, m := range v.LabelMatchers {
		if m.Name == labels.MetricName {
			if m.Type != labels.MatchEqual || v.Name == "" {
				where = append(where, matcher(m))
			}
			continue
		}
		where = append(where, matcher(m))
	}
	if name == "" {
		name = "every metric"
	}
	if len(where) > 0 {
		name += " with " + list(where)
	}
	return name + moment(v.OriginalOffset, v.Timestamp, v.StartOrEnd)
}

func (r *reader) metric(name string) (catalog.Metric, bool) {
	if m, ok := r.catalog.Metric(catalog.ID(name)); ok {
		return m, true
	}
	return catalog.Metric{}, false
}

func matcher(m *labels.Matcher) string {
	name := m.Name
	if name == labels.MetricName {
		name = "name"
	}
	switch {
	case m.Value == "" && (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp):
		return "no " + name
	case m.Value == "":
		return "a " + name
	case m.Type == labels.MatchEqual:
		return fmt.Sprintf("%s %q", name, m.Value)
	case m.Type == labels.MatchNotEqual:
		return fmt.Sprintf("%s not %q", name, m.Value)
	case m.Type == labels.MatchRegexp && isWords(m.Value):
		return fmt.Sprintf("%s %s", name, either(m.Value))
	case m.Type == labels.MatchNotRegexp && isWords(m.Value):
		return fmt.Sprintf("%s not %s", name, either(m.Value))
	case m.Type == labels.MatchRegexp:
		return fmt.Sprintf("%s like %q", name, m.Value)
	}
	return fmt.Sprintf("%s not like %q", name, m.Value)
}

// isWords reports whether a pattern is only a list of texts.
func isWords(pattern string) bool { return !strings.ContainsAny(pattern, `.*+?()[]{}^$\`) }

func either(pattern string) string {
	parts := strings.Split(pattern, "|")
	for i, p := range parts {
		parts[i] = strconv.Quote(p)
	}
	return strings.Join(parts, " or ")
}

// aggregates are the words of the operators, with {g} for the groups, {0} for
// what is aggregated and {p} for the parameter.
var aggregates = map[parser.ItemType]string{
	parser.SUM: "the sum{g} of {0}", parser.AVG: "the average{g} of {0}", parser.MIN: "the lowest{g} of {0}", parser.MAX: "the highest{g} of {0}",
	parser.STDDEV: "the standard deviation{g} of {0}", parser.STDVAR: "the variance{g} of {0}", parser.GROUP: "1{g} where there is {0}",
	parser.COUNT: "the number{g} of series of {0}", parser.COUNT_VALUES: "the number{g} of series with each value of {0}, the value being in label {p}",
	parser.QUANTILE: "the {p}-quantile{g} of {0}", parser.TOPK: "the {p} highest{g} of {0}", parser.BOTTOMK: "the {p} lowest{g} of {0}",
	parser.LIMITK: "any {p}{g} of {0}", parser.LIMIT_RATIO: "a share of {p}{g} of the series of {0}",
}

func (r *reader) aggregate(e *parser.AggregateExpr) string {
	text, inner := aggregates[e.Op], ""
	if e.Op == parser.COUNT && r.condition(e.Expr) {
		text, inner = "the number{g} of series for which {0}", r.clause(e.Expr)
	} else {
		inner = r.noun(e.Expr)
	}
	if e.Param != nil {
		text = strings.ReplaceAll(text, "{p}", unquoted(e.Param))
	}
	text = strings.ReplaceAll(text, "{g}", groups(e))
	return strings.ReplaceAll(text, "{0}", inner)
}

func unquoted(e parser.Expr) string {
	if s, ok := e.(*parser.StringLiteral); ok {
		return s.Val
	}
	return e.String()
}

func groups(e *parser.AggregateExpr) string {
	switch {
	case e.Without && len(e.Grouping) > 0:
		return " over all " + list(e.Grouping)
	case len(e.Grouping) > 0:
		return " for each " + list(e.Grouping)
	case e.Without, e.Op == parser.TOPK, e.Op == parser.BOTTOMK, e.Op == parser.LIMITK, e.Op == parser.LIMIT_RATIO:
		return ""
	}
	return " over all series"
}

func (r *reader) call(e *parser.Call) string {
	switch e.Func.Name {
	case "label_replace":
		return fmt.Sprintf("%s, with label %s made of %s by %s where label %s is like %s", r.noun(e.Args[0]), unquoted(e.Args[1]), unquoted(e.Args[3]),
			r.noun(e.Args[2]), unquoted(e.Args[3]), r.noun(e.Args[4]))
	case "label_join":
		var from []string
		for _, a := range e.Args[3:] {
			from = append(from, unquoted(a))
		}
		return fmt.Sprintf("%s, with label %s made of %s joined by %s", r.noun(e.Args[0]), unquoted(e.Args[1]), list(from), r.noun(e.Args[2]))
	case "histogram_quantile":
		return fmt.Sprintf("the %s-quantile of what the histogram holds that is made of %s", r.noun(e.Args[0]), r.noun(e.Args[1]))
	case "round":
		if len(e.Args) == 1 {
			return r.operand(e.Args[0]) + ", rounded"
		}
	case "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year":
		if len(e.Args) == 0 {
			return strings.TrimSuffix(functions()[e.Func.Name], " of {0}")
		}
	}
	text, ok := functions()[e.Func.Name]
	if !ok {
		text = e.Func.Name + " of {0}" // a function newer than this program
	}
	window := ""
	var rest []string
	for i, a := range e.Args {
		said := r.operand(a)
		switch a := a.(type) {
		case *parser.MatrixSelector:
			window = words(a.Range)
		case *parser.SubqueryExpr:
			window = words(a.Range)
			if a.Step > 0 {
				window += ", looked at every " + words(a.Step)
			}
		}
		if i > 0 {
			rest = append(rest, unquoted(a))
		}
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), said)
	}
	text = strings.ReplaceAll(text, "{l}", list(rest))
	return strings.ReplaceAll(text, "{w}", window)
}

// limit says what something is compared with, in its unit where that is known.
func (r *reader) limit(of, e parser.Expr) string {
	n, ok := syntax.Bare(e).(*parser.NumberLiteral)
	if !ok {
		return r.operand(e)
	}
	return number(n.Val) + r.unit(syntax.Bare(of))
}

// symbols are how units are written behind a number.
var symbols = map[catalog.Unit]string{"Cel": " °C", "%": "%", "W": " W", "MiBy": " MiB", "By": " bytes", "s": " seconds", "ms": " milliseconds", "MHz": " MHz", "mJ": " mJ"}

// unit is the unit of what e returns, where nothing done to it changes it.
func (r *reader) unit(e parser.Expr) string {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return r.unit(e.Expr)
	case *parser.VectorSelector:
		m, _ := r.metric(e.Name)
		return symbols[m.Unit]
	case *parser.MatrixSelector:
		return r.unit(e.VectorSelector)
	case *parser.AggregateExpr:
		switch e.Op {
		case parser.SUM, parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK, parser.QUANTILE:
			return r.unit(e.Expr)
		}
	case *parser.Call:
		switch e.Func.Name {
		case "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "increase", "delta":
			return r.unit(e.Args[0])
		}
	}
	return ""
}

// number writes a number; a large whole one in full, not with an exponent.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
