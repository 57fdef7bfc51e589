package prose_test

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
	"vedette.dev/nlq/compile"
	"vedette.dev/nlq/prose"
	"vedette.dev/rules/catalog"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// TestTexts reads texts about the metrics of a kitchen that no catalog knows.
// There is an archive for each phenomenon: a text, and a file "want" with what
// it comes to.
func TestTexts(t *testing.T) {
	data, err := os.ReadFile("testdata/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Builtin().ReadMetadata("metadata.json", strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	e := &prose.Engine{Catalog: c}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no texts in testdata: %v", err)
	}
	for _, name := range archives {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			t.Run(filepath.Base(name)+"/"+ar.Files[i].Name, func(t *testing.T) {
				got := outcome(strings.TrimSpace(string(ar.Files[i].Data)), e)
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

func outcome(text string, e *prose.Engine) string {
	p, err := e.Parse(context.Background(), nlq.Question{Text: text})
	var not *nlq.NotUnderstood
	if errors.As(err, &not) {
		return "ask: " + not.Ask + "\n"
	}
	f := p.Intent.(nlq.Formula)
	expr, err := compile.Formula(f, e.Catalog)
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	out := expr + "\n"
	if f.Alert && f.ForSaid {
		out += fmt.Sprintf("for %s\n", f.For)
	}
	if !f.Alert {
		out = "query " + out
	}
	return out
}
