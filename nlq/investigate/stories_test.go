package investigate

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/strictcsv"
)

// reported opens a court over the report of a case of the diagnosis.
func reported(t *testing.T, name string) *court {
	t.Helper()
	ar, err := txtar.ParseFile("../../analyzer/diagnose/testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(ar, dir); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	x := &session{Desk: &Desk{}, Case: Case{Report: diagnose.Diagnose(s, analyzer.Subject{}), Snapshot: s}, veil: &talk.Veil{Forget: true}}
	x.file = newFile(x.veil)
	x.file.open(x.Report)
	return x.court()
}

// TestStories says how much of what is true is told, and of what is not: where a
// test of sentences changes, so do rows here.
func TestStories(t *testing.T) {
	f, err := os.Open("testdata/stories.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	courts := map[string]*court{}
	all := map[string]int{}
	if err := strictcsv.Each("testdata/stories.csv", f, "case,cites,says,is", func(row []string) error {
		c := courts[row[0]]
		if c == nil {
			c = reported(t, row[0])
			courts[row[0]] = c
		}
		_, why := c.hear(sentence{Cites: strings.Fields(row[1]), Says: row[2]})
		all[row[3]]++
		if want := row[3] == "told" || row[3] == "twisted"; (why == "") != want {
			t.Errorf("%s: %q is %s, and dropped since %q", row[0], row[2], row[3], why)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("true: %d are told, %d are lost; untrue: %d are caught, %d are told all the same", all["told"], all["lost"], all["caught"], all["twisted"])
}
