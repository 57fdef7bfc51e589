package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/nlq"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// Formula returns the expression that f is.
func Formula(f nlq.Formula, c *catalog.Catalog) (string, error) {
	e, err := term(f.Term, c)
	if err != nil {
		return "", err
	}
	return Print(e)
}

// FormulaRule returns the group with the one rule that f asks for, as [Alert]
// does for an alert.
func FormulaRule(f nlq.Formula, c *catalog.Catalog) (rules.Group, error) {
	m, ok := nlq.Subject(f.Term)
	if !ok || !f.Alert {
		return rules.Group{}, fmt.Errorf("compile %s: there is nothing to alert on", nlq.Read(f, c))
	}
	e, err := term(f.Term, c)
	if err != nil {
		return rules.Group{}, err
	}
	e, _ = unscaled(e)
	expr, err := Print(e)
	if err != nil {
		return rules.Group{}, err
	}
	d, _ := c.Measure(m.Metric)
	about, share := titles(f.Term, c), plainText(shareTitle(f.Term, c))
	if share != "" {
		about = []string{share}
	}
	g := loneRule(about, d, expr, f.For, f.Severity)
	g.Rules[0].KeepFiring = f.Keep
	switch {
	case share != "":
		first, size := utf8.DecodeRuneInString(share)
		g.Rules[0].Annotations["description"] = string(unicode.ToUpper(first)) + share[size:] + `. The value is {{ printf "%.4g" $value }}.`
	case !plainly(f.Term):
		g.Rules[0].Annotations["description"] = "It looks at " + strings.Join(about, " and ") + ` and what is made of them. The value is {{ printf "%.4g" $value }}.`
	}
	return g, nil
}

// loneRule is a group of one rule that is about what is called about, m the
// first of it.
func loneRule(about []string, m catalog.Metric, expr string, held time.Duration, severity string) rules.Group {
	named := strings.Join(about, " and ")
	r := rules.Rule{Name: camel(named), Expr: expr, For: held, Labels: map[string]string{},
		Annotations: map[string]string{"summary": named, "description": strings.TrimSuffix(plainText(m.Help), ".") + `. The value is {{ printf "%.4g" $value }}.`}}
	if severity != "" {
		r.Labels["severity"] = severity
	}
	return rules.Group{ID: id(r), Revision: 1, Rules: []rules.Rule{r}}
}

// plainly reports whether the value of an alert on t is that of a measure, and
// not of a difference, a share or a trend, which its help would not explain.
func plainly(t nlq.Term) bool {
	switch t := t.(type) {
	case nlq.Measure:
		return true
	case nlq.Func:
		return t.Name == "absent"
	case nlq.Binary:
		_, number := t.Left.(nlq.Number)
		arithmetic := slices.Contains([]string{"+", "-", "*", "/", "%"}, t.Op)
		return !arithmetic && !number && plainly(t.Left)
	}
	return false
}

// titles returns what the measures of t are called, each once.
func titles(t nlq.Term, c *catalog.Catalog) []string {
	var out []string
	nlq.Map(t, func(m nlq.Measure) nlq.Measure {
		if d, ok := c.Measure(m.Metric); ok && !slices.Contains(out, title(d)) {
			out = append(out, title(d))
		}
		return m
	})
	return out
}

// shareTitle returns what a share is called that t holds against a limit: of what, and
// by which label its part is told apart. It is "" where t is about none. A label's
// value is the asker's, and no part of it.
func shareTitle(t nlq.Term, c *catalog.Catalog) string {
	limit, ok := t.(nlq.Binary)
	if !ok {
		return ""
	}
	share, ok := limit.Left.(nlq.Binary)
	if !ok || share.Op != "/" {
		return ""
	}
	part, ok := share.Left.(nlq.Measure)
	whole, also := share.Right.(nlq.Measure)
	if !ok || !also {
		return ""
	}
	of, _ := c.Measure(whole.Metric)
	if part.Metric != whole.Metric {
		d, _ := c.Measure(part.Metric)
		return title(d) + " as a share of " + title(of)
	}
	for _, w := range part.Where {
		if !slices.Contains(whole.Where, w) {
			return "share of " + title(of) + " by " + strings.ReplaceAll(w.Label, "_", " ")
		}
	}
	return ""
}

// plainText takes out of help what a template would run: help may come from
// an exporter, which anyone can write.
func plainText(help string) string { return strings.NewReplacer("{{", "", "}}", "").Replace(help) }

var binary = map[string]parser.ItemType{
	"+": parser.ADD, "-": parser.SUB, "*": parser.MUL, "/": parser.DIV, "%": parser.MOD,
	">": parser.GTR, ">=": parser.GTE, "<": parser.LSS, "<=": parser.LTE, "==": parser.EQLC, "!=": parser.NEQ,
	"and": parser.LAND, "or": parser.LOR, "unless": parser.LUNLESS,
}

func term(t nlq.Term, c *catalog.Catalog) (parser.Expr, error) {
	switch t := t.(type) {
	case nlq.Measure:
		return measure(t, c)
	case nlq.Number:
		return &parser.NumberLiteral{Val: float64(t)}, nil
	case nlq.Now:
		return &parser.Call{Func: parser.Functions["time"]}, nil
	case nlq.Func:
		return function(t, c)
	case nlq.Group:
		return grouped(t, c)
	case nlq.Renamed:
		return renamed(t, c)
	case nlq.Binary:
		return joined(t, c)
	}
	panic("unreachable: terms are sealed")
}

func function(f nlq.Func, c *catalog.Catalog) (parser.Expr, error) {
	fn, ok := parser.Functions[f.Name]
	switch {
	case !ok && f.Name != nlq.Ago:
		return nil, fmt.Errorf("there is no function %q", f.Name)
	case f.Of == nil:
		return &parser.Call{Func: fn}, nil
	}
	e, err := term(f.Of, c)
	if err != nil {
		return nil, err
	}
	if f.Name == nlq.Ago {
		return ago(e, f.Window), nil
	}
	if v, plain := e.(*parser.VectorSelector); plain && f.Window > 0 {
		e = &parser.MatrixSelector{VectorSelector: v, Range: f.Window}
	} else if f.Window > 0 {
		e = &parser.SubqueryExpr{Expr: &parser.ParenExpr{Expr: e}, Range: f.Window}
	}
	p := &parser.NumberLiteral{Val: f.Param}
	switch f.Name {
	case "histogram_quantile", "quantile_over_time":
		return &parser.Call{Func: fn, Args: parser.Expressions{p, e}}, nil
	case "predict_linear":
		return &parser.Call{Func: fn, Args: parser.Expressions{e, p}}, nil
	}
	return &parser.Call{Func: fn, Args: parser.Expressions{e}}, nil
}

// ago returns e with all its series looked at d earlier.
func ago(e parser.Expr, d time.Duration) parser.Expr {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			v.OriginalOffset += d
		}
		return nil
	})
	return e
}

func grouped(g nlq.Group, c *catalog.Catalog) (parser.Expr, error) {
	e, err := term(g.Of, c)
	if err != nil {
		return nil, err
	}
	out := &parser.AggregateExpr{Expr: e, Grouping: slices.Clone(g.By)}
	if op, ok := parametric[g.Agg]; ok {
		out.Op, out.Param = op, &parser.NumberLiteral{Val: g.Param}
		return out, nil
	}
	op, ok := aggregations[g.Agg]
	if !ok {
		return nil, fmt.Errorf("there is no aggregation %q", g.Agg)
	}
	out.Op = op
	return out, nil
}

// parametric are the aggregations that take a number.
var parametric = map[nlq.Aggregation]parser.ItemType{nlq.Quantile: parser.QUANTILE, nlq.Largest: parser.TOPK, nlq.Smallest: parser.BOTTOMK}

func renamed(r nlq.Renamed, c *catalog.Catalog) (parser.Expr, error) {
	e, err := term(r.Of, c)
	if err != nil {
		return nil, err
	}
	text := func(s string) parser.Expr { return &parser.StringLiteral{Val: s} }
	return &parser.Call{Func: parser.Functions["label_replace"], Args: parser.Expressions{e, text(r.To), text("$1"), text(r.From), text("([^:]+).*")}}, nil
}

func joined(b nlq.Binary, c *catalog.Catalog) (parser.Expr, error) {
	op, ok := binary[b.Op]
	if !ok {
		return nil, fmt.Errorf("there is no operator %q", b.Op)
	}
	l, err := side(b.Left, op, false, c)
	if err != nil {
		return nil, err
	}
	r, err := side(b.Right, op, true, c)
	if err != nil {
		return nil, err
	}
	if by, ok := r.(*parser.NumberLiteral); ok && op == parser.DIV && by.Val == 100 {
		if of, n := factored(l); n == by.Val {
			return of, nil // a percentage as a part of one
		} else if n != 1 {
			return &parser.BinaryExpr{Op: parser.MUL, LHS: &parser.NumberLiteral{Val: round(n / by.Val)}, RHS: of}, nil
		}
	}
	e := &parser.BinaryExpr{Op: op, LHS: l, RHS: r}
	_, leftNumber := l.(*parser.NumberLiteral)
	_, rightNumber := r.(*parser.NumberLiteral)
	if leftNumber || rightNumber || l.Type() == parser.ValueTypeScalar || r.Type() == parser.ValueTypeScalar {
		return e, nil
	}
	e.VectorMatching = &parser.VectorMatching{Card: parser.CardOneToOne}
	if op.IsSetOperator() {
		e.VectorMatching.Card = parser.CardManyToMany
	}
	if b.On != nil {
		e.VectorMatching.On, e.VectorMatching.MatchingLabels = true, slices.Clone(b.On)
	}
	if b.Many {
		e.VectorMatching.Card = parser.CardManyToOne
	}
	return e, nil
}

// side is a term on one side of op, in parentheses where it would be read
// otherwise without them.
func side(t nlq.Term, op parser.ItemType, right bool, c *catalog.Catalog) (parser.Expr, error) {
	e, err := term(t, c)
	b, ok := e.(*parser.BinaryExpr)
	if err != nil || !ok {
		return e, err
	}
	inner, outer := binding(b.Op), binding(op)
	if inner < outer || inner == outer && right {
		return &parser.ParenExpr{Expr: b}, nil
	}
	return e, nil
}

// binding is how tightly op binds its sides, the tighter the more.
func binding(op parser.ItemType) int {
	switch {
	case op == parser.LOR:
		return 1
	case op.IsSetOperator():
		return 2
	case op.IsComparisonOperator():
		return 3
	case op == parser.ADD || op == parser.SUB:
		return 4
	}
	return 5
}
