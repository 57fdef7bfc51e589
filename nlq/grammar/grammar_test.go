package grammar_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestQuestions runs every question of testdata. An archive holds pairs: a file
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
		if len(ar.Files)%2 != 0 {
			t.Fatalf("%s: a question without its want", name)
		}
		for i := 0; i < len(ar.Files); i += 2 {
			t.Run(filepath.Base(name)+"/"+ar.Files[i].Name, func(t *testing.T) {
				got := outcome(strings.TrimSpace(string(ar.Files[i].Data)))
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

func outcome(question string) string {
	p, err := parse(question)
	var not *nlq.NotUnderstood
	if errors.As(err, &not) {
		var b strings.Builder
		if not.Refused {
			b.WriteString("refused\n")
		}
		if len(not.Words) > 0 {
			fmt.Fprintf(&b, "not understood: %s\n", strings.Join(not.Words, ", "))
		}
		if not.Ask != "" {
			fmt.Fprintf(&b, "ask: %s\n", not.Ask)
		}
		return b.String()
	}
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	out := p.Intent.String() + "\n"
	for _, a := range p.Assumed {
		out += "assumed: " + a + "\n"
	}
	return out
}

func parse(question string) (nlq.Parse, error) {
	return (&grammar.Engine{}).Parse(context.Background(), nlq.Question{Text: question})
}

// TestReadBack holds the canonical words of every intent in testdata to their
// promise: asked again, they mean the same.
func TestReadBack(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range archives {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(ar.Files); i += 2 {
			first, err := parse(strings.TrimSpace(string(ar.Files[i].Data)))
			if err != nil {
				continue
			}
			n++
			words := first.Intent.String()
			again, err := parse(words)
			if err != nil {
				t.Errorf("%q, read back: %v", words, err)
				continue
			}
			if diff := cmp.Diff(first.Intent, again.Intent); diff != "" {
				t.Errorf("%q, read back (-first +again):\n%s", words, diff)
			}
		}
	}
	if n == 0 {
		t.Error("no question of testdata is understood")
	}
}
