package strictcsv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/rules/strictcsv"
)

func TestEach(t *testing.T) {
	tests := []struct {
		name, text, rows, wrong string
	}{
		{name: "rows", text: "# why\na,b\n1,2\n# between\n\"3,\",4\n", rows: "1/2 3,/4"},
		{name: "header only", text: "a,b\n"},
		{name: "empty", wrong: "t.csv: is empty"},
		{name: "other columns", text: "# why\na,c\n", wrong: "t.csv:2: columns are a,c, want a,b"},
		{name: "short row", text: "a,b\n1\n", wrong: "t.csv: record on line 2: wrong number of fields"},
		{name: "refused", text: "a,b\n1,2\nno,2\n", rows: "1/2", wrong: "t.csv:3: no is refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var rows []string
			err := strictcsv.Each("t.csv", strings.NewReader(tt.text), "a,b", func(f []string) error {
				if f[0] == "no" {
					return errors.New("no is refused")
				}
				rows = append(rows, strings.Join(f, "/"))
				return nil
			})
			if got := strings.Join(rows, " "); got != tt.rows {
				t.Errorf("rows %q, want %q", got, tt.rows)
			}
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestList(t *testing.T) {
	if diff := cmp.Diff([]string{"a", "b c"}, strictcsv.List("a|b c")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if got := strictcsv.List(""); got != nil {
		t.Errorf("an empty field is the list %q", got)
	}
}
