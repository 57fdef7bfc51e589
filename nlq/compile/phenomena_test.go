package compile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// TestPhenomena compiles requests, one file a phenomenon. A file holds a
// request to a line and, set in below it, what it comes to; more of them need
// no Go, only go test -update and a look at the difference.
func TestPhenomena(t *testing.T) {
	files, err := filepath.Glob("testdata/phenomena/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no requests in testdata/phenomena: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for line := range strings.Lines(string(data)) {
				if q := strings.TrimSpace(line); q != "" && !strings.HasPrefix(line, " ") {
					b.WriteString(q + "\n" + comesTo(t, q) + "\n")
				}
			}
			got := strings.TrimSuffix(b.String(), "\n")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(data), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// standard reads what is asked of a cluster where Vedette's agent does not run.
var standard = sync.OnceValue(func() *grammar.Engine {
	return &grammar.Engine{Catalog: catalog.Builtin().Without("Vedette")}
})

func comesTo(t *testing.T, request string) string {
	c := standard().Catalog
	p, err := standard().Parse(context.Background(), nlq.Question{Text: request})
	var not *nlq.NotUnderstood
	if errors.As(err, &not) {
		switch {
		case not.Refused:
			return "  refused\n"
		case not.Ask != "":
			return "  ask: " + not.Ask + "\n"
		}
		return "  not understood: " + strings.Join(not.Words, ", ") + "\n"
	}
	expr, g := "", rules.Group{}
	switch i := p.Intent.(type) {
	case nlq.Lookup:
		expr, err = compile.Lookup(i, c)
	case nlq.Alert:
		g, err = compile.Alert(i, c)
	case nlq.Formula:
		if expr, err = compile.Formula(i, c); i.Alert {
			g, err = compile.FormulaRule(i, c)
		}
	case nlq.SLO:
		g, err = compile.SLO(i, c)
	default:
		expr = p.Intent.String()
	}
	if err != nil {
		t.Errorf("%s: %v", request, err)
		return ""
	}
	out := "  " + expr
	for i, r := range g.Rules {
		if i == 0 {
			out = ""
		} else {
			out += "\n"
		}
		out += "  alert: " + r.Expr
		if r.For > 0 {
			out += fmt.Sprintf("\n  for: %s", r.For)
		}
		if r.KeepFiring > 0 {
			out += fmt.Sprintf("\n  keep firing for: %s", r.KeepFiring)
		}
		if s := r.Labels["severity"]; s != "" {
			out += "\n  severity: " + s
		}
	}
	for _, a := range p.Assumed {
		out += "\n  assumed: " + a
	}
	return out + "\n"
}
