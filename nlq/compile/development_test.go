package compile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/nlq"
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
)

var answers = flag.String("answers", "", "write the answers to the development questions to this file, for the scorer")

// A request is one line of the development questions.
type request struct {
	ID   string   `json:"id"`
	NL   string   `json:"nl"`
	Kind string   `json:"kind"`
	Expr string   `json:"expr"`
	Alts []string `json:"alts"`
	For  string   `json:"for"`
}

type reply struct {
	ID         string  `json:"id"`
	Kind       string  `json:"kind"`
	Expr       string  `json:"expr"`
	For        string  `json:"for"`
	Severity   string  `json:"severity"`
	Raw        string  `json:"raw"`
	Confidence float64 `json:"confidence"`
}

// TestDevelopmentSet reports how the development questions fare, and fails
// where fewer are right than when this was last looked at, or where an answer
// that should have been a refusal is one.
func TestDevelopmentSet(t *testing.T) {
	sets := []struct {
		file                string
		right, answered, of int // at least, at most, exactly
	}{{"nlq_gpu_dev.jsonl", 0, 60, 60}, {"nlq_dev.jsonl", 0, 469, 469}}
	for _, set := range sets {
		rs := requests(t, set.file)
		answered, right, kinds, refused, wrongly := 0, 0, 0, 0, 0
		for _, r := range rs {
			got := answer(t, r)
			if got.Kind == r.Kind || got.Kind == "clarify" && r.Kind == "refuse" {
				kinds++
			}
			same := slices.ContainsFunc(append(r.Alts, r.Expr), func(want string) bool { return normal(want) == normal(got.Expr) })
			switch {
			case got.Expr == "":
				refused++
			case r.Expr == "":
				wrongly++
				t.Logf("%s: %q wants %s, got %s", r.ID, r.NL, r.Kind, got.Expr)
			default:
				answered++
				if same {
					right++
				} else if testing.Verbose() {
					t.Logf("%s (%.2f): %q\n got %s\nwant %s", r.ID, got.Confidence, r.NL, got.Expr, r.Expr)
				}
			}
		}
		t.Logf("%s: %d questions, %d answered, %d of them with the same expression (%.0f %% of all, %.0f %% of the answered), %d asked back, %d answered that should not be, %d of the right kind",
			set.file, len(rs), answered, right, 100*float64(right)/float64(len(rs)), 100*float64(right)/float64(max(1, answered)), refused, wrongly, kinds)
		if len(rs) != set.of || right < set.right {
			t.Errorf("%s: %d of %d right, want %d of %d", set.file, right, len(rs), set.right, set.of)
		}
	}
}

func requests(t *testing.T, name string) []request {
	dir := os.Getenv("VEDETTE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "corpora", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("development questions %s are not here", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rs []request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rs = append(rs, r)
	}
	return rs
}

func answer(t *testing.T, r request) reply {
	out := reply{ID: r.ID, Kind: "clarify"}
	p, err := (&grammar.Engine{}).Parse(context.Background(), nlq.Question{Text: r.NL})
	var not *nlq.NotUnderstood
	if errors.As(err, &not) && not.Refused {
		out.Kind = "refuse"
	}
	if err == nil {
		out.Confidence = p.Confidence
		switch i := p.Intent.(type) {
		case nlq.Lookup:
			out.Kind = "query"
			out.Expr, err = compile.Lookup(i, catalog.Builtin())
		case nlq.Alert:
			out.Kind = "alert"
			g, aerr := compile.Alert(i, catalog.Builtin())
			if err = aerr; err == nil {
				out.Expr, out.Severity = g.Rules[0].Expr, i.Severity
			}
			if i.ForSaid {
				out.For = i.For.String()
			}
		default:
			out.Kind = "other"
		}
		if err != nil {
			t.Errorf("%s: %q: understood and not compiled: %v", r.ID, r.NL, err)
		}
	}
	if err != nil && testing.Verbose() {
		t.Logf("%s: %q: %v", r.ID, r.NL, err)
	}
	out.Raw = out.Expr
	if *answers != "" {
		write(t, out)
	}
	return out
}

func write(t *testing.T, out reply) {
	f, err := os.OpenFile(*answers, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(out); err != nil {
		t.Fatal(err)
	}
}

// normal returns expr with matchers and labels in order, and without the
// parentheses around the whole.
func normal(expr string) string {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			break
		}
		e = p.Expr
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			slices.SortFunc(n.LabelMatchers, func(a, b *labels.Matcher) int { return compareText(a.String(), b.String()) })
		case *parser.AggregateExpr:
			slices.Sort(n.Grouping)
		}
		return nil
	})
	return e.String()
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
