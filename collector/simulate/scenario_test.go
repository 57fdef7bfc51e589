package simulate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/collector/simulate"
	"vedette.dev/fixtures"
)

// TestErrors reads the scenarios of testdata/errors.txtar. Each is quiet.yaml
// with the lines that stand in it put in place of those with the same key, or
// at the end; after it comes the error that is wanted.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	good, err := fixtures.Scenario("quiet")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		given, want := ar.Files[i], &ar.Files[i+1]
		t.Run(given.Name, func(t *testing.T) {
			_, err := simulate.Parse(given.Name, []byte(edit(string(good), string(given.Data))))
			if err == nil {
				t.Fatal("no error")
			}
			got := err.Error() + "\n"
			if *update {
				want.Data = []byte(got)
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces the first line of text that has the same key, for each line of changes.
func edit(text, changes string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
next:
	for _, change := range strings.Split(strings.TrimSuffix(changes, "\n"), "\n") {
		key, _, _ := strings.Cut(change, ":")
		for i, l := range lines {
			if k, _, ok := strings.Cut(l, ":"); ok && k == key {
				lines[i] = change
				continue next
			}
		}
		lines = append(lines, change)
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestScenarios(t *testing.T) {
	for _, name := range fixtures.Scenarios() {
		data, err := fixtures.Scenario(name)
		if err != nil {
			t.Fatal(err)
		}
		sc, err := simulate.Parse(name+".yaml", data)
		if err != nil {
			t.Error(err)
			continue
		}
		if sc.Name != name {
			t.Errorf("%s.yaml is called %q", name, sc.Name)
		}
	}
	if _, err := fixtures.Scenario("nosuch"); err == nil || !strings.Contains(err.Error(), "demo, ") {
		t.Errorf("error of a scenario that is not there: %v", err)
	}
}
