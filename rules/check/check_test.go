package check_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestCheck runs the archives of testdata. A file "NAME" holds an expression,
// a file "NAME rule" a rule: expr on the first line, then "for", and "label" or
// "annotation" lines. The file "want" behind it holds the findings.
func TestCheck(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, name := range archives {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			in := ar.Files[i]
			t.Run(in.Name, func(t *testing.T) {
				got := findings(in.Name, strings.TrimSpace(string(in.Data)))
				if *update {
					ar.Files[i+1].Data = []byte(got)
					return
				}
				if diff := cmp.Diff(string(ar.Files[i+1].Data), got); diff != "" {
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
}

func findings(name, text string) string {
	expr, rest, _ := strings.Cut(text, "\n")
	fs := []check.Finding(nil)
	if strings.HasSuffix(name, "rule") {
		r := rules.Rule{Name: "Case", Expr: expr, Labels: map[string]string{}, Annotations: map[string]string{}}
		for line := range strings.Lines(rest) {
			word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch word {
			case "for":
				r.For = 60e9
			case "label":
				k, v, _ := strings.Cut(value, " ")
				r.Labels[k] = v
			case "annotation":
				k, v, _ := strings.Cut(value, " ")
				r.Annotations[k] = v
			}
		}
		fs = check.Group(rules.Group{ID: "case", Rules: []rules.Rule{r}}, catalog.Builtin())
	} else {
		fs = check.Expr(expr, catalog.Builtin())
	}
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s %s [%s]: %s\n", f.Severity, f.Check, expr[f.From:f.To], f.Text)
	}
	return b.String()
}

// TestDerived holds the catalog's expressions to what is asked of everyone's:
// they parse in both dialects, and name metrics and labels that there are.
func TestDerived(t *testing.T) {
	c := catalog.Builtin()
	for _, d := range c.AllDerived() {
		for _, f := range check.Expr(d.Expr, c) {
			t.Errorf("%s: %s: %s", d.ID, f.Check, f.Text)
		}
		r := rules.Rule{Name: "X", Expr: d.Expr, For: 1, Annotations: map[string]string{}}
		for _, l := range d.Labels {
			r.Annotations[l] = "{{ $labels." + l + " }}"
		}
		for _, f := range check.Group(rules.Group{ID: "x", Rules: []rules.Rule{r}}, c) {
			if f.Check == "template" {
				t.Errorf("%s: %s", d.ID, f.Text)
			}
		}
	}
}

// FuzzExpr holds positions to the expression and what prints to parse again.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{"up", "rate(up[5m]) > 0", "sum by (x", `{a="b"} or 1`, "DCGM_FI_DEV_GPU_UTIL > 150", "é{"} {
		f.Add(s)
	}
	p := parser.NewParser(parser.Options{})
	f.Fuzz(func(t *testing.T, expr string) {
		for _, x := range check.Expr(expr, catalog.Builtin()) {
			if x.From < 0 || x.To < x.From || x.To > len(expr) {
				t.Errorf("%q: %s is at %d..%d of %d bytes", expr, x.Check, x.From, x.To, len(expr))
			}
		}
		if e, err := p.ParseExpr(expr); err == nil {
			if _, err := p.ParseExpr(e.String()); err != nil {
				t.Errorf("%q prints as %q: %v", expr, e.String(), err)
			}
		}
	})
}
