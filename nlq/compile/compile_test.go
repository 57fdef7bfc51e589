package compile_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestQuestions compiles what questions mean. An archive holds pairs: a file
// with a question, and a file "want" with what it comes to.
func TestQuestions(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no questions in testdata: %v", err)
	}
	for _, name := range archives {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			t.Run(ar.Files[i].Name, func(t *testing.T) {
				got := outcome(t, strings.TrimSpace(string(ar.Files[i].Data)))
				if *update {
					ar.Files[i+1].Data = []byte(got)
					return
				}
				if diff := cmp.Diff(string(ar.Files[i+1].Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", ar.Files[i].Data, diff)
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

func outcome(t *testing.T, question string) string {
	c := catalog.Builtin()
	p, err := (&grammar.Engine{}).Parse(context.Background(), nlq.Question{Text: question})
	if err != nil {
		t.Fatalf("%q: %v", question, err)
	}
	switch i := p.Intent.(type) {
	case nlq.Lookup:
		expr, err := compile.Lookup(i, c)
		if err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		return expr + "\n"
	case nlq.When:
		f, err := compile.When(i, c)
		if err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		return fmt.Sprintf("%s\nlimit %v, rising %v\n", f.Expr, f.Limit, f.Rising)
	case nlq.Alert:
		g, err := compile.Alert(i, c)
		if err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		r := g.Rules[0]
		out := fmt.Sprintf("id: %s\nalert: %s\nexpr: %s\nfor: %v\n", g.ID, r.Name, r.Expr, r.For)
		for _, kv := range []map[string]string{r.Labels, r.Annotations} {
			var keys []string
			for k := range kv {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				out += k + ": " + kv[k] + "\n"
			}
		}
		return out
	}
	t.Fatalf("%q: %T does not compile", question, p.Intent)
	return ""
}

// TestDerived compiles every derived measure as it is, narrowed by every label
// it says it takes, and with another window.
func TestDerived(t *testing.T) {
	c := catalog.Builtin()
	for _, d := range c.AllDerived() {
		plain, err := compile.Lookup(nlq.Lookup{Measure: nlq.Measure{Metric: d.ID}}, c)
		if err != nil {
			t.Errorf("%s: %v", d.ID, err)
			continue
		}
		for _, l := range append(slices.Clone(d.Labels), d.Filters...) {
			m := nlq.Measure{Metric: d.ID, Where: []nlq.Matcher{{Label: l, Op: "=", Value: "x"}}}
			got, err := compile.Lookup(nlq.Lookup{Measure: m}, c)
			if err != nil || got == plain {
				t.Errorf("%s narrowed by %s is %q, error %v: want a selector with it", d.ID, l, got, err)
			}
		}
		got, err := compile.Lookup(nlq.Lookup{Measure: nlq.Measure{Metric: d.ID, Window: 7 * time.Minute}}, c)
		if err != nil || strings.Contains(d.Expr, "[") != strings.Contains(got, "[7m]") {
			t.Errorf("%s over 7 minutes is %q, error %v", d.ID, got, err)
		}
	}
}

// TestHostileNames holds any name to be a label's value and nothing more.
func TestHostileNames(t *testing.T) {
	c := catalog.Builtin()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`a",job=~".+"} or {job!="`, "{{ $value }}", "a\\", "`", "\n"})).Draw(t, "name")
		a := nlq.Alert{Compare: nlq.Comparison{Op: ">", Limit: 1}, Measure: nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", Where: []nlq.Matcher{{Label: "pod", Op: "=", Value: name}}}}
		g, err := compile.Alert(a, c)
		if err != nil {
			return // not valid UTF-8, or the like: refused
		}
		e, err := parser.NewParser(parser.Options{}).ParseExpr(g.Rules[0].Expr)
		if err != nil {
			t.Fatal(err)
		}
		sel := parser.ExtractSelectors(e)
		if len(sel) != 1 || len(sel[0]) != 2 {
			t.Fatalf("%s selects %v, want one selector with the name and the pod", g.Rules[0].Expr, sel)
		}
		for _, m := range sel[0] {
			if m.Name == "pod" && m.Value != name {
				t.Fatalf("pod is %q, want %q", m.Value, name)
			}
		}
		for k, v := range g.Rules[0].Annotations {
			if len(name) > 8 && strings.Contains(v, name) {
				t.Fatalf("annotation %s has the asker's words: %s", k, v)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	c := catalog.Builtin()
	tests := []struct {
		name string
		m    nlq.Measure
		want string
	}{
		{"unknown", nlq.Measure{Metric: "coolant"}, "no such measure"},
		{"rate of a gauge", nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", Over: nlq.Rate, Window: time.Minute}, "rate of a gauge"},
		{"no window", nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", Over: nlq.Average}, "over no time"},
		{"label", nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", Agg: nlq.Mean, By: []string{"rack"}}, "no label rack"},
		{"by alone", nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", By: []string{"gpu"}}, "nothing is put together"},
		{"filter", nlq.Measure{Metric: "node_cpu_usage_percent", Where: []nlq.Matcher{{Label: "pod", Op: "=", Value: "x"}}}, "cannot be narrowed by label pod"},
		{"regexp", nlq.Measure{Metric: "up", Where: []nlq.Matcher{{Label: "job", Op: "=~", Value: "("}}}, "match label job"},
		{"operator", nlq.Measure{Metric: "up", Where: []nlq.Matcher{{Label: "job", Op: "~", Value: "x"}}}, "no operator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compile.Lookup(nlq.Lookup{Measure: tt.m}, c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q and error %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

// TestShares holds what an alert on a share is called: of what, whatever the asker
// called a part of it.
func TestShares(t *testing.T) {
	for question, want := range map[string][2]string{
		"more than 2% of vllm requests were aborted, over 10 minutes": {"ShareOfFinishedRequestsByFinishedReason", "Share of finished requests by finished reason. The value is {{ printf \"%.4g\" $value }}."},
		"more than 1% of received packets are errors on ens1f0":       {"NetworkReceiveErrorsAsAShareOfPacketsReceived", "Network receive errors as a share of packets received. The value is {{ printf \"%.4g\" $value }}."},
	} {
		p, err := new(grammar.Engine).Parse(context.Background(), nlq.Question{Text: question})
		if err != nil {
			t.Fatal(err)
		}
		g, err := compile.FormulaRule(p.Intent.(nlq.Formula), catalog.Builtin())
		if err != nil {
			t.Fatal(err)
		}
		if r := g.Rules[0]; r.Name != want[0] || r.Annotations["description"] != want[1] {
			t.Errorf("%q is called %s, %q, want %s, %q", question, r.Name, r.Annotations["description"], want[0], want[1])
		}
	}
}
