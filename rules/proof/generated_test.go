package proof_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/nlq/batch"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/proof"
	"vedette.dev/rules/publish"
)

// TestGenerated: what questions come to has a test, and passes it. The
// questions are those of the tests of package nlq and one for every twentieth
// metric of which it is known which end hurts.
func TestGenerated(t *testing.T) {
	words := catalog.Builtin()
	var in strings.Builder
	ask := func(question string) {
		line, err := json.Marshal(map[string]string{"id": question, "nl": question})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&in, "%s\n", line)
	}
	archives, err := filepath.Glob("../../nlq/*/testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no questions: %v", err)
	}
	for _, path := range archives {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(ar.Files); i += 2 {
			ask(strings.TrimSpace(string(ar.Files[i].Data)))
		}
	}
	n := 0
	for _, m := range words.All() {
		if m.Bad == "" || len(m.Words) == 0 {
			continue
		}
		if n++; n%20 == 0 {
			ask(fmt.Sprintf("alert when %s is %s 3 for 5 minutes", m.Words[0], map[string]string{"high": "above", "low": "below"}[m.Bad]))
		}
	}

	var out strings.Builder
	if err := batch.Answer(t.Context(), &grammar.Engine{Catalog: words}, words, strings.NewReader(in.String()), &out); err != nil {
		t.Fatal(err)
	}
	made := 0
	var proven atomic.Int32
	t.Run("rules", func(t *testing.T) { // returns when all of them are done
		for line := range strings.Lines(out.String()) {
			var a struct{ ID, Rule string }
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			if a.Rule == "" {
				continue
			}
			made++
			t.Run(a.ID, func(t *testing.T) {
				t.Parallel()
				gs, err := publish.Parse([]byte(a.Rule))
				if err != nil {
					t.Fatalf("%v\n%s", err, a.Rule)
				}
				doc, err := proof.Test(gs[0], "case.yaml")
				if err != nil {
					t.Log(err)
					return
				}
				proven.Add(1)
				if err := promtool(t, t.TempDir(), gs[0], doc); err != nil {
					t.Errorf("%v\n%s", err, a.Rule)
				}
			})
		}
	})
	t.Logf("%d rules, %d with a test", made, proven.Load())
	if made < 60 || int(proven.Load())*100 < made*95 {
		t.Error("want at least 60 rules, and a test for 95 of a hundred")
	}
}
