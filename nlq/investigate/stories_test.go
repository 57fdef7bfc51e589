package investigate

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"strings"
	"testing"

	"vedette.dev/nlq/talk"
	"vedette.dev/rules/strictcsv"
)

// reported opens a court over the report of a case of the diagnosis.
func reported(t *testing.T, name string) *court {
	t.Helper()
	x := &session{Desk: &Desk{}, Case: recorded(t, "../../analyzer/diagnose/testdata/"+name+".txtar"), veil: &talk.Veil{Forget: true}}
	x.file = newFile(x.veil)
	x.file.open(x.Report)
	return x.court()
}

var update = flag.Bool("update", false, "write into testdata what becomes of the stories")

// TestStories says how much of what is true is told, and of what is not: where a
// test of sentences or a text of the diagnosis changes, so may rows here.
func TestStories(t *testing.T) {
	const file = "testdata/stories.csv"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	courts := map[string]*court{}
	all := map[string]int{}
	var now bytes.Buffer
	w := csv.NewWriter(&now)
	if err := strictcsv.Each(file, bytes.NewReader(data), "case,cites,says,is", func(row []string) error {
		c := courts[row[0]]
		if c == nil {
			c = reported(t, row[0])
			courts[row[0]] = c
		}
		_, why := c.hear(sentence{Cites: strings.Fields(row[1]), Says: row[2]})
		is := became(row[3] == "told" || row[3] == "lost", why == "")
		all[is]++
		if is != row[3] && !*update {
			t.Errorf("%s: %q is %s, want %s (dropped since %q)", row[0], row[2], is, row[3], why)
		}
		return w.Write([]string{row[0], row[1], row[2], is})
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("true: %d are told, %d are lost; untrue: %d are caught, %d are told all the same", all["told"], all["lost"], all["caught"], all["twisted"])
	if !*update {
		return
	}
	w.Flush()
	head, _, _ := strings.Cut(string(data), "case,")
	if err := os.WriteFile(file, append([]byte(head+"case,cites,says,is\n"), now.Bytes()...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// became is what became of a sentence.
func became(right, told bool) string {
	switch {
	case right && told:
		return "told"
	case right:
		return "lost"
	case told:
		return "twisted"
	}
	return "caught"
}
