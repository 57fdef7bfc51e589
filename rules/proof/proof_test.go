package proof_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/rules"
	"vedette.dev/rules/proof"
	"vedette.dev/rules/publish"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestWritten compares the tests of some rules with what they should be: an
// archive's "NAME" holds a rule, and the file behind it its test.
func TestWritten(t *testing.T) {
	const name = "testdata/written.txtar"
	ar, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		in := ar.Files[i]
		t.Run(in.Name, func(t *testing.T) {
			got, err := proof.Test(rules.Group{ID: "case", Rules: []rules.Rule{readRule(t, string(in.Data))}}, "../case.yaml")
			if err != nil {
				got = []byte(err.Error() + "\n")
			}
			if *update {
				ar.Files[i+1].Data = got
				return
			}
			if diff := cmp.Diff(string(ar.Files[i+1].Data), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", in.Data, diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readRule reads an expression, and behind a line of dashes how long it holds
// and goes on firing.
func readRule(t *testing.T, text string) rules.Rule {
	t.Helper()
	r := rules.Rule{Name: "Case", Labels: map[string]string{"severity": "warning"}, Annotations: map[string]string{}}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "for:", "keep:":
			d, err := model.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			if word == "for:" {
				r.For = time.Duration(d)
			} else {
				r.KeepFiring = time.Duration(d)
			}
		case "summary:":
			r.Annotations["summary"] = rest
		default:
			r.Expr += line
		}
	}
	r.Expr = strings.TrimSpace(r.Expr)
	return r
}

func cases(t *testing.T) map[string]rules.Rule {
	t.Helper()
	ar, err := txtar.ParseFile("testdata/rules.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]rules.Rule{}
	for _, f := range ar.Files {
		out[f.Name] = readRule(t, string(f.Data))
	}
	for _, g := range publish.Builtin() {
		for _, r := range g.Rules {
			out[r.Name] = r
		}
	}
	return out
}

// TestProves holds tests to what they are for: the rule passes, and each of its
// neighbours, a limit or an operator away, does not.
func TestProves(t *testing.T) {
	for name, r := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			g := rules.Group{ID: "case", Owner: "test", Rules: []rules.Rule{r}}
			doc, err := proof.Test(g, "case.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if err := promtool(t, dir, g, doc); err != nil {
				t.Fatalf("the rule fails its own test: %v\n%s", err, doc)
			}
			for what, broken := range neighbours(t, r) {
				g.Rules[0] = broken
				if err := promtool(t, dir, g, doc); err == nil {
					t.Errorf("%s passes: %s for %s\n%s", what, broken.Expr, broken.For, doc)
				}
			}
		})
	}
}

// neighbours are rules that r is not.
func neighbours(t *testing.T, r rules.Rule) map[string]rules.Rule {
	t.Helper()
	out := map[string]rules.Rule{}
	with := func(what string, change func(n parser.Node) bool) {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		done := false
		parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
			if !done && n != nil {
				done = change(n)
			}
			return nil
		})
		if done {
			changed := r
			changed.Expr = e.String()
			out[what] = changed
		}
	}
	with("another limit", func(n parser.Node) bool {
		b, ok := n.(*parser.BinaryExpr)
		if !ok || !b.Op.IsComparisonOperator() {
			return false
		}
		l, ok := b.RHS.(*parser.NumberLiteral)
		if !ok {
			return false
		}
		if l.Val = l.Val * 2; l.Val == 0 {
			l.Val = 3
		}
		if b.Op == parser.LSS || b.Op == parser.LTE {
			l.Val /= 4
		}
		return true
	})
	with("a comparison turned round", func(n parser.Node) bool {
		b, ok := n.(*parser.BinaryExpr)
		if !ok {
			return false
		}
		turned, ok := map[parser.ItemType]parser.ItemType{parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LTE, parser.EQLC: parser.NEQ}[b.Op]
		if ok {
			b.Op = turned
		}
		return ok
	})
	with("another metric", func(n parser.Node) bool {
		v, ok := n.(*parser.VectorSelector)
		if ok && v.Name != "" {
			v.Name, v.LabelMatchers = "another", nil
		}
		return ok
	})
	if strings.Contains(r.Expr, "predict_linear") {
		delete(out, "another limit") // what is foreseen crosses limits one after the other
		return out
	}
	if r.For >= 5*time.Minute {
		changed := r
		changed.For *= 3
		out["a longer hold"] = changed
		changed.For = 0
		out["no hold"] = changed
	}
	if len(r.Labels) > 0 {
		changed := r
		changed.Labels = map[string]string{"severity": "another"}
		out["another severity"] = changed
	}
	return out
}

// TestNoProof: what always fires, or cannot be arranged, gets no test.
func TestNoProof(t *testing.T) {
	for _, expr := range []string{"vector(1)", "avg_over_time(up[30d]) < 1", "count(count_values(\"v\", up)) > 1"} {
		doc, err := proof.Test(rules.Group{ID: "x", Rules: []rules.Rule{{Name: "X", Expr: expr}}}, "x.yaml")
		if !errors.Is(err, proof.ErrNoProof) || doc != nil {
			t.Errorf("%s: got %q, %v; want %v", expr, doc, err, proof.ErrNoProof)
		}
	}
	if _, err := proof.Test(rules.Group{ID: "x", Rules: []rules.Rule{{Name: "X", Expr: "up ="}}}, "x.yaml"); err == nil {
		t.Error("what does not parse has a test")
	}
}

// promtool does what `promtool test rules` does with doc, g being the rules.
func promtool(t *testing.T, dir string, g rules.Group, doc []byte) error {
	t.Helper()
	data, err := publish.YAML(g)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "case.yaml")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return runTests(path, doc)
}
