package diagnose

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/fault"
)

var update = flag.Bool("update", false, "rewrite the reports in testdata")

// wantFile holds the report of a case, beside the files of its snapshot.
const wantFile = "want.json"

func unpack(t testing.TB, a *txtar.Archive) *snapshot.Snapshot {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(a, dir); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if bad := slices.Concat(s.Unseen, s.Problems()); len(bad) > 0 {
		t.Fatalf("the case does not parse: %q", bad)
	}
	return s
}

func print(t testing.TB, r analyzer.Report) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// eachCase runs f for every case of testdata.
func eachCase(t *testing.T, f func(t *testing.T, name string, a *txtar.Archive)) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f(t, name, a)
		})
	}
}

// TestCases diagnoses every case. A case called <cause>, or <cause>.<what is
// special>, must be given that cause first, one that ends in .near must not be given it, and the whole
// report must be the one beside the case.
func TestCases(t *testing.T) {
	eachCase(t, func(t *testing.T, name string, a *txtar.Archive) {
		r := Diagnose(unpack(t, a), analyzer.Subject{})
		cause, near := causeOf(name)
		if _, ok := fault.Causes()[fault.CauseID(cause)]; !ok {
			t.Fatalf("causes.csv has no %s", cause)
		}
		named := func(d analyzer.Diagnosis) bool { return string(d.Cause) == cause }
		switch {
		case cause == "none":
			if r.Verdict != analyzer.Healthy || len(r.Diagnoses) > 0 {
				t.Errorf("verdict is %s with %d diagnoses, want healthy with none", r.Verdict, len(r.Diagnoses))
			}
		case near:
			if slices.ContainsFunc(r.Diagnoses, named) {
				t.Errorf("the near miss is diagnosed as %s", cause)
			}
		case len(r.Diagnoses) == 0 || !named(r.Diagnoses[0]) || r.Verdict != analyzer.Diagnosed:
			t.Errorf("verdict is %s, want %s first", r.Verdict, cause)
		}
		golden(t, name, a, print(t, r))
	})
}

// TestEveryCause holds that each cause has a case that triggers it and one that
// almost does.
func TestEveryCause(t *testing.T) {
	has, almost := map[string]bool{}, map[string]bool{}
	eachCase(t, func(t *testing.T, name string, _ *txtar.Archive) {
		if cause, near := causeOf(name); near {
			almost[cause] = true
		} else {
			has[cause] = true
		}
	})
	for id := range fault.Causes() {
		if cause := string(id); !has[cause] || !almost[cause] && cause != "none" {
			t.Errorf("%s: a recording %t, a near miss %t", cause, has[cause], almost[cause])
		}
	}
}

// causeOf splits the name of a case.
func causeOf(name string) (cause string, near bool) {
	cause, variant, _ := strings.Cut(name, ".")
	return cause, variant == "near" || strings.HasSuffix(variant, ".near")
}

func golden(t *testing.T, name string, a *txtar.Archive, got string) {
	t.Helper()
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == wantFile })
	if i < 0 {
		a.Files = append(a.Files, txtar.File{Name: wantFile})
		i = len(a.Files) - 1
	}
	if *update {
		a.Files[i].Data = []byte(got)
		if err := os.WriteFile("testdata/"+name+".txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(a.Files[i].Data), got); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
}
