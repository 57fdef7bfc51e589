package grammar_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
)

// TestConversations holds what is asked to go on from what was asked before. A
// conversation ends with an empty line; each of its lines has what it comes to
// set in below it.
func TestConversations(t *testing.T) {
	const file = "testdata/conversations.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var before []string
	e := &grammar.Engine{}
	for line := range strings.Lines(string(data)) {
		q := strings.TrimSpace(line)
		switch {
		case q == "":
			before = nil
			b.WriteString("\n")
		case !strings.HasPrefix(line, " "):
			p, err := e.Parse(context.Background(), nlq.Question{Text: q, Before: before})
			b.WriteString(q + "\n  ")
			if err != nil {
				b.WriteString("not understood\n")
			} else {
				b.WriteString(p.Intent.String() + "\n")
			}
			before = append(before, q)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(data), b.String()); diff != "" && !*update {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
