package proof

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
)

// A situation is what is to be the case: which branch of each "or" holds, and
// which one condition does not.
type situation struct {
	branch parser.Expr // the side of an "or" that holds; nil is the first of each
	broken parser.Expr // the condition that does not hold; nil is none: the rule fires
	text   string
}

func (s situation) fires() bool { return s.broken == nil }

// maxCases keeps the test of a rule with many conditions readable.
const maxCases = 12

// cases lists the situations that tell a rule from its neighbours.
func cases(e parser.Expr) []situation {
	out := []situation{{text: "fires"}}
	var broken []situation
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.BinaryExpr:
			switch {
			case n.Op == parser.LOR:
				out = append(out, situation{branch: n.RHS, text: "fires by " + short(n.RHS)})
				// Where both sides read the same series, one of them quiet is not
				// enough, and the stricter decides what is.
				broken = append(broken, situation{broken: n, text: "is quiet unless either holds"},
					situation{broken: n, branch: n.RHS, text: "is quiet unless " + short(n.RHS)})
			case n.Op.IsComparisonOperator():
				broken = append(broken, situation{broken: n, text: "is quiet unless " + short(n)})
			case n.Op == parser.LUNLESS:
				broken = append(broken, situation{broken: n, text: "is quiet with " + short(n.RHS)})
			}
		case *parser.Call:
			if isAbsent(n) {
				broken = append(broken, situation{broken: n, text: "is quiet unless " + short(n)})
			}
		}
		return nil
	})
	if len(broken) == 0 { // it fires whenever its metrics are there
		broken = append(broken, situation{broken: e, text: "is quiet without its metrics"})
	}
	out = append(out, broken...)
	return out[:min(len(out), maxCases)]
}

// shown is how much of an expression the name of a test quotes.
const shown = 60

func short(e parser.Expr) string {
	s := []rune(e.String())
	if len(s) > shown {
		return string(s[:shown]) + "…"
	}
	return string(s)
}

func isAbsent(c *parser.Call) bool {
	return c.Func.Name == "absent" || c.Func.Name == "absent_over_time"
}

// worlds returns the series to try for a situation, the most telling first:
// values right at the limit show a comparison that was turned round or
// loosened, but rates and quotients do not always come out exact.
func worlds(e parser.Expr, r rules.Rule, s situation, step time.Duration) []*world {
	margins := []float64{0, 0.1, 0.2, 0.5}
	if memory(e) > 0 {
		margins = margins[1:]
	}
	var out []*world
	for _, how := range []struct{ decoys, alike bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		for _, margin := range margins {
			w := &world{situation: s, margin: margin, decoys: how.decoys, step: step, labels: universe(e, r, how.alike), lines: map[string]*line{}}
			w.warm = int((memory(e)+step-1)/step) + 1
			w.steps = w.warm + int((r.For+r.KeepFiring+settling(e))/step) + 3
			if w.hold(e) {
				out = append(out, w)
			}
		}
	}
	return out
}

// memory is how far back e looks.
func memory(e parser.Expr) time.Duration {
	var most time.Duration
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		d := v.OriginalOffset
		for _, p := range path {
			switch p := p.(type) {
			case *parser.MatrixSelector:
				d += p.Range
			case *parser.SubqueryExpr:
				d += p.Range + p.OriginalOffset
			}
		}
		most = max(most, d)
		return nil
	})
	return most
}

// lookback is how long a sample stands for the present in Prometheus.
const lookback = 5 * time.Minute

// settling is how long what e reads now takes to differ from what it read then.
func settling(e parser.Expr) time.Duration {
	for _, v := range selectors(e) {
		if v.OriginalOffset > 0 {
			return lookback + longest(e)
		}
	}
	return 0
}

func longest(e parser.Expr) time.Duration {
	var most time.Duration
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if ms, ok := n.(*parser.MatrixSelector); ok {
			most = max(most, ms.Range)
		}
		return nil
	})
	return most
}

// shortest is the shortest range in e, 0 where there is none.
func shortest(e parser.Expr) time.Duration {
	var least time.Duration
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if ms, ok := n.(*parser.MatrixSelector); ok && (least == 0 || ms.Range < least) {
			least = ms.Range
		}
		return nil
	})
	return least
}
