package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

// Normal returns expr as every expression is written that means the same for
// sure: spaces, brackets and the order of matchers and labels aside. It reports
// false where expr does not parse.
func Normal(expr string) (string, bool) {
	e, err := syntax.Parse(expr)
	if err != nil {
		return "", false
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			slices.SortFunc(n.LabelMatchers, func(a, b *labels.Matcher) int { return strings.Compare(a.String(), b.String()) })
		case *parser.AggregateExpr:
			slices.Sort(n.Grouping)
			n.Expr = syntax.Bare(n.Expr)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				slices.Sort(n.VectorMatching.MatchingLabels)
				slices.Sort(n.VectorMatching.Include)
			}
			n.LHS, n.RHS = unbracketed(n.LHS), unbracketed(n.RHS)
		case *parser.Call:
			for i, a := range n.Args {
				n.Args[i] = syntax.Bare(a)
			}
		}
		return nil
	})
	return syntax.Bare(e).String(), true
}

// unbracketed leaves brackets where they may matter.
func unbracketed(e parser.Expr) parser.Expr {
	if in, ok := syntax.Bare(e).(*parser.BinaryExpr); ok {
		return &parser.ParenExpr{Expr: in}
	}
	return syntax.Bare(e)
}

// duplicates are the rules seen so far, by what they do.
type duplicates map[string]string

// add says that a rule is one that was seen already.
func (d duplicates) add(group, name, expr string, lset map[string]string) []Finding {
	normal, ok := Normal(expr)
	if !ok {
		normal = expr
	}
	key := fmt.Sprintf("%s %v", normal, lset)
	before, twice := d[key]
	if !twice {
		d[key] = group + "/" + name
		return nil
	}
	return []Finding{{Check: "duplicate", Severity: Warning, To: len(expr), Text: fmt.Sprintf("rule %s does the same as %s", name, before)}}
}
