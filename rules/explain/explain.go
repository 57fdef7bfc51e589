// Package explain reads PromQL back in plain words: anyone's, whatever wrote
// it. The same expression always gives the same words.
//
// The law of the package, which a test holds it to: everything in the
// expression is said. Each metric, label, value, number and length of time is
// in the text; words that sound better and say less are wrong here.
package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

// Expr says what expr returns, in a sentence. Metrics that c knows are called
// by their words too.
func Expr(expr string, c *catalog.Catalog) (string, error) {
	e, err := syntax.ParseExperimental(expr)
	if err != nil {
		return "", fmt.Errorf("explain %q: %w", expr, err)
	}
	r := &reader{catalog: c}
	if r.condition(e) {
		return sentence("Holds while " + r.clause(e)), nil
	}
	return sentence("Returns " + r.noun(e)), nil
}

// Rule says when r fires, for how long it has to be so, and what it is called.
func Rule(r rules.Rule, c *catalog.Catalog) (string, error) {
	e, err := syntax.ParseExperimental(r.Expr)
	if err != nil {
		return "", fmt.Errorf("explain rule %s: %w", r.Name, err)
	}
	rd := &reader{catalog: c}
	text := r.Name + " fires "
	switch {
	case r.For > 0:
		text += fmt.Sprintf("when for %s without a break ", words(r.For))
	default:
		text += "as soon as "
	}
	if rd.condition(e) {
		text += rd.clause(e)
	} else {
		text += "there is " + rd.noun(e)
	}
	text = sentence(text)
	if r.KeepFiring > 0 {
		text += fmt.Sprintf(" It goes on firing for %s after that has ended.", words(r.KeepFiring))
	}
	if s := r.Labels["severity"]; s != "" {
		text += fmt.Sprintf(" Its severity is %s.", s)
	}
	return text, nil
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// A reader puts a syntax tree into words.
type reader struct {
	catalog *catalog.Catalog
}

// condition reports whether e is something that holds or does not, rather than
// a value.
func (r *reader) condition(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return r.condition(e.Expr)
	case *parser.Call:
		return e.Func.Name == "absent" || e.Func.Name == "absent_over_time"
	case *parser.BinaryExpr:
		switch {
		case e.Op == parser.LAND, e.Op == parser.LUNLESS:
			return true
		case e.Op == parser.LOR:
			return r.condition(e.LHS) && r.condition(e.RHS)
		}
		return e.Op.IsComparisonOperator() && !e.ReturnBool
	}
	return false
}

var comparisons = map[parser.ItemType]string{parser.GTR: "above", parser.GTE: "at least", parser.LSS: "below", parser.LTE: "at most",
	parser.EQLC: "equal to", parser.NEQ: "other than"}

// clause says a condition: "X is above 5".
func (r *reader) clause(e parser.Expr) string {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return r.clause(e.Expr)
	case *parser.BinaryExpr:
		switch {
		case e.Op == parser.LAND:
			return r.side(e.LHS, e.Op) + ", and " + r.side(e.RHS, e.Op) + matched(e, "at the same ")
		case e.Op == parser.LUNLESS:
			return r.side(e.LHS, e.Op) + ", unless " + r.side(e.RHS, e.Op) + matched(e, "at the same ")
		case e.Op == parser.LOR:
			return r.side(e.LHS, e.Op) + ", or " + r.side(e.RHS, e.Op)
		case e.Op.IsComparisonOperator() && !e.ReturnBool:
			return fmt.Sprintf("%s is %s %s%s", r.noun(e.LHS), comparisons[e.Op], r.limit(e.LHS, e.RHS), matched(e, "with the same "))
		}
	case *parser.Call:
		if r.condition(e) {
			return r.noun(e)
		}
	}
	return "there is " + r.noun(e)
}

// side says one side of and, or, unless. What is joined otherwise in itself stands in brackets.
func (r *reader) side(e parser.Expr, op parser.ItemType) string {
	b, ok := syntax.Bare(e).(*parser.BinaryExpr)
	if ok && b.Op.IsSetOperator() && b.Op != op {
		return "(" + r.clause(e) + ")"
	}
	return r.clause(e)
}

// noun names a value: "the sum of X for each namespace".
func (r *reader) noun(e parser.Expr) string {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return r.noun(e.Expr)
	case *parser.StepInvariantExpr:
		return r.noun(e.Expr)
	case *parser.NumberLiteral:
		return number(e.Val)
	case *parser.StringLiteral:
		return fmt.Sprintf("%q", e.Val)
	case *parser.UnaryExpr:
		if e.Op == parser.SUB {
			return "minus " + r.operand(e.Expr)
		}
		return r.noun(e.Expr)
	case *parser.VectorSelector:
		return r.selector(e)
	case *parser.MatrixSelector:
		return r.noun(e.VectorSelector)
	case *parser.SubqueryExpr:
		return r.operand(e.Expr) + moment(e.OriginalOffset, e.Timestamp, e.StartOrEnd)
	case *parser.AggregateExpr:
		return r.aggregate(e)
	case *parser.Call:
		return r.call(e)
	case *parser.BinaryExpr:
		return r.binary(e)
	}
	return e.String()
}

// operand is a noun that can stand beside others.
func (r *reader) operand(e parser.Expr) string {
	if _, ok := syntax.Bare(e).(*parser.BinaryExpr); ok {
		return "(" + r.noun(e) + ")"
	}
	return r.noun(e)
}

func (r *reader) binary(e *parser.BinaryExpr) string {
	switch {
	case e.Op == parser.LAND, e.Op == parser.LUNLESS:
		word := map[parser.ItemType]string{parser.LAND: "where", parser.LUNLESS: "except where"}[e.Op]
		return fmt.Sprintf("%s, %s %s%s", r.noun(e.LHS), word, r.side(e.RHS, e.Op), matched(e, "at the same "))
	case e.Op == parser.LOR:
		return fmt.Sprintf("%s, or where there is none %s", r.noun(e.LHS), r.operand(e.RHS))
	case e.Op.IsComparisonOperator() && e.ReturnBool:
		return fmt.Sprintf("1 where %s is %s %s and 0 elsewhere%s", r.noun(e.LHS), comparisons[e.Op], r.limit(e.LHS, e.RHS), matched(e, "with the same "))
	case e.Op.IsComparisonOperator():
		return fmt.Sprintf("%s where that is %s %s%s", r.noun(e.LHS), comparisons[e.Op], r.limit(e.LHS, e.RHS), matched(e, "with the same "))
	}
	l, h := syntax.Bare(e.LHS), syntax.Bare(e.RHS)
	switch {
	case e.Op == parser.SUB && isTime(l):
		return fmt.Sprintf("the seconds since %s", r.operand(h))
	case e.Op == parser.SUB && isTime(h):
		return fmt.Sprintf("the seconds until %s", r.operand(l))
	case e.Op == parser.SUB && isNumber(l, 1):
		return fmt.Sprintf("1 minus %s", r.operand(h))
	}
	if share, ok := r.percent(e); ok {
		return share
	}
	word := map[parser.ItemType]string{parser.ADD: "plus", parser.SUB: "minus", parser.MUL: "times", parser.DIV: "divided by",
		parser.MOD: "modulo", parser.POW: "to the power of", parser.ATAN2: "as the angle (atan2) to"}[e.Op]
	return fmt.Sprintf("%s %s %s%s", r.chained(e.LHS, e.Op), word, r.operand(e.RHS), matched(e, "with the same "))
}

// chained is the left operand of op: a − b − c needs no brackets.
func (r *reader) chained(e parser.Expr, op parser.ItemType) string {
	if b, ok := syntax.Bare(e).(*parser.BinaryExpr); ok && b.Op == op && (op == parser.ADD || op == parser.MUL) {
		return r.noun(e)
	}
	return r.operand(e)
}

// percent reads a / b * 100 and 100 * a / b as what they mean.
func (r *reader) percent(e *parser.BinaryExpr) (string, bool) {
	l, h := syntax.Bare(e.LHS), syntax.Bare(e.RHS)
	quotient, ok := l.(*parser.BinaryExpr)
	switch {
	case e.Op == parser.MUL && isNumber(h, 100) && ok && quotient.Op == parser.DIV:
		return fmt.Sprintf("%s as a percentage (times 100) of %s%s", r.operand(quotient.LHS), r.operand(quotient.RHS), matched(quotient, "with the same ")), true
	case e.Op == parser.DIV && ok && quotient.Op == parser.MUL && isNumber(syntax.Bare(quotient.LHS), 100):
		return fmt.Sprintf("%s as a percentage (times 100) of %s%s", r.operand(quotient.RHS), r.operand(h), matched(e, "with the same ")), true
	}
	if q, ok := h.(*parser.BinaryExpr); ok && e.Op == parser.MUL && isNumber(l, 100) && q.Op == parser.DIV {
		return fmt.Sprintf("%s as a percentage (times 100) of %s%s", r.operand(q.LHS), r.operand(q.RHS), matched(q, "with the same ")), true
	}
	return "", false
}

// matched says by which labels two sides find each other, where that is not all.
func matched(e *parser.BinaryExpr, head string) string {
	vm := e.VectorMatching
	if vm == nil {
		return ""
	}
	text := ""
	switch {
	case vm.On && len(vm.MatchingLabels) == 0:
		text = " (whatever their labels)"
	case vm.On:
		text = fmt.Sprintf(" (%s%s)", head, list(vm.MatchingLabels))
	case len(vm.MatchingLabels) > 0:
		text = fmt.Sprintf(" (%slabels but %s)", head, list(vm.MatchingLabels))
	}
	switch vm.Card {
	case parser.CardManyToOne:
		text += " (many of the former to one of the latter" + taking(vm.Include) + ")"
	case parser.CardOneToMany:
		text += " (one of the former to many of the latter" + taking(vm.Include) + ")"
	}
	return text
}

func taking(include []string) string {
	if len(include) == 0 {
		return ""
	}
	return ", taking " + list(include) + " from the one"
}

func list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

func isTime(e parser.Expr) bool {
	c, ok := e.(*parser.Call)
	return ok && c.Func.Name == "time"
}

func isNumber(e parser.Expr, v float64) bool {
	n, ok := e.(*parser.NumberLiteral)
	return ok && n.Val == v
}

// words writes a length of time: "1 hour 30 minutes".
func words(d time.Duration) string {
	var parts []string
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}, {time.Millisecond, "millisecond"}} {
		if n := d / u.d; n > 0 {
			parts = append(parts, plural(int(n), u.name))
			d %= u.d
		}
	}
	if len(parts) == 0 {
		return "no time"
	}
	return strings.Join(parts, " ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// moment says when something is read, where that is not now.
func moment(offset time.Duration, at *int64, edge parser.ItemType) string {
	text := ""
	switch {
	case at != nil:
		text = fmt.Sprintf(" at %s", model.Time(*at).Time().UTC().Format(time.RFC3339))
	case edge == parser.START:
		text = " at the start of the query"
	case edge == parser.END:
		text = " at the end of the query"
	}
	switch {
	case offset > 0:
		text += fmt.Sprintf(" %s before", words(offset))
	case offset < 0:
		text += fmt.Sprintf(" %s later", words(-offset))
	}
	return text
}
