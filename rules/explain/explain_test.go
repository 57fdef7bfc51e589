package explain_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/explain"
	"vedette.dev/rules/publish"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestExpr runs the archive: a file "expr" holds an expression, the file behind
// it what is said of it.
func TestExpr(t *testing.T) {
	const name = "testdata/expr.txtar"
	ar, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		expr := strings.TrimSpace(string(ar.Files[i].Data))
		got, err := explain.Expr(expr, catalog.Builtin())
		if err != nil {
			t.Error(err)
		}
		if *update {
			ar.Files[i+1].Data = []byte(got + "\n")
			continue
		}
		if diff := cmp.Diff(string(ar.Files[i+1].Data), got+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRule(t *testing.T) {
	r := rules.Rule{Name: "GPUHot", Expr: "DCGM_FI_DEV_GPU_TEMP > 85", For: 5 * time.Minute, KeepFiring: time.Minute, Labels: map[string]string{"severity": "critical"}}
	got, err := explain.Rule(r, catalog.Builtin())
	const want = "GPUHot fires when for 5 minutes without a break GPU temperature (DCGM_FI_DEV_GPU_TEMP) is above 85 °C. It goes on firing for 1 minute after that has ended. Its severity is critical."
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, g := range publish.Builtin() {
		for _, r := range g.Rules {
			if _, err := explain.Rule(r, catalog.Builtin()); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := explain.Rule(rules.Rule{Name: "X", Expr: "up >"}, catalog.Builtin()); err == nil {
		t.Error("what does not parse was explained")
	}
}

// unsaid returns what is in expr and not in its explanation.
func unsaid(t *testing.T, expr string) []string {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil
	}
	said, err := explain.Expr(expr, catalog.Builtin())
	if err != nil {
		return []string{err.Error()}
	}
	again, _ := explain.Expr(expr, catalog.Builtin())
	if said != again {
		return []string{"the same words again"}
	}
	var out []string
	must := func(s string) {
		if !strings.Contains(said, s) {
			out = append(out, s)
		}
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			must(n.Name)
			for _, m := range n.LabelMatchers {
				if m.Name == labels.MetricName {
					continue
				}
				must(m.Name)
				if m.Type == labels.MatchEqual && m.Value != "" {
					must(strconv.Quote(m.Value))
				}
			}
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				must(l)
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				for _, l := range append(n.VectorMatching.MatchingLabels, n.VectorMatching.Include...) {
					must(l)
				}
			}
		case *parser.NumberLiteral:
			if n.Val < 1e15 && n.Val > -1e15 {
				must(strings.TrimLeft(strconv.FormatFloat(n.Val, 'f', -1, 64), "-"))
			}
		case *parser.MatrixSelector:
			if h := int(n.Range / time.Hour); n.Range%time.Hour == 0 && h < 24 {
				must(strconv.Itoa(h) + " hour")
			}
		}
		return nil
	})
	return out
}

// TestEverythingIsSaid is the law of the package, over the catalog's own
// expressions and, where they are at hand, the public ones.
func TestEverythingIsSaid(t *testing.T) {
	var exprs []string
	for _, d := range catalog.Builtin().AllDerived() {
		exprs = append(exprs, d.Expr)
	}
	own := len(exprs)
	dir := os.Getenv("VEDETTE_DATA")
	if dir == "" {
		dir = "../../../shared"
	}
	if f, err := os.Open(filepath.Join(dir, "corpora", "nlq_dev.jsonl")); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			var row struct{ Expr string }
			if err := json.Unmarshal(s.Bytes(), &row); err != nil {
				t.Fatal(err)
			}
			exprs = append(exprs, row.Expr)
		}
	}
	for _, expr := range exprs {
		if missing := unsaid(t, expr); len(missing) > 0 {
			t.Errorf("%s: not said: %q", expr, missing)
		}
	}
	t.Logf("%d expressions of the catalog, %d public ones", own, len(exprs)-own)
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{"up", "-rate(up[5m]) > bool 0", "sum by (x) (y{z=~\"a|b\"}) / on (x) group_left (n) m", "absent(up) or vector(1)", "x[1h:5m] offset -1m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if said, err := explain.Expr(expr, catalog.Builtin()); err == nil && !strings.HasSuffix(said, ".") {
			t.Errorf("%q is explained as %q", expr, said)
		}
	})
}
