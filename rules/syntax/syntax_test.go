package syntax_test

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules/syntax"
)

func TestNumber(t *testing.T) {
	for expr, want := range map[string]float64{"-(2 + 3)": -5, "((7))": 7, "2 ^ 10 / 4": 256, "30 * 60 - 1": 1799} {
		e, err := syntax.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := syntax.Number(e); !ok || got != want {
			t.Errorf("Number(%s) = %v, %v; want %v", expr, got, ok, want)
		}
	}
	for _, expr := range []string{"up", "1 + up", "-up", "5 % 2", "time()"} {
		e, err := syntax.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := syntax.Number(e); ok {
			t.Errorf("Number(%s) = %v, which is not made of numbers", expr, got)
		}
	}
}

func TestBare(t *testing.T) {
	e, err := syntax.Parse("((up))")
	if err != nil {
		t.Fatal(err)
	}
	if got := syntax.Bare(&parser.StepInvariantExpr{Expr: e}).String(); got != "up" {
		t.Errorf("Bare(((up))) = %s", got)
	}
}

func TestTurnedTwiceIsItself(t *testing.T) {
	for _, op := range []parser.ItemType{parser.GTR, parser.GTE, parser.LSS, parser.LTE, parser.EQLC, parser.NEQ} {
		if got := syntax.Turned(syntax.Turned(op)); got != op {
			t.Errorf("%s turned twice is %s", op, got)
		}
	}
}

func TestParseExperimental(t *testing.T) {
	const expr = "limitk(2, up)"
	if _, err := syntax.Parse(expr); err == nil {
		t.Errorf("%s reads with nothing switched on", expr)
	}
	if _, err := syntax.ParseExperimental(expr); err != nil {
		t.Error(err)
	}
}
