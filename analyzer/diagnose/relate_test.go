package diagnose

import (
	"testing"

	"vedette.dev/analyzer/diagnose/knowledge"
)

// TestNames catches a relation or a predicate that knowledge.yaml names and
// that nobody wrote.
func TestNames(t *testing.T) {
	for i, l := range knowledge.All().Links {
		if relations[l.Where] == nil {
			t.Errorf("link %d from %v: there is no relation %q", i+1, l.From, l.Where)
		}
	}
	for _, c := range knowledge.All().Causes {
		if c.When != "" && predicates[c.When] == nil {
			t.Errorf("cause %s: there is no predicate %q", c.ID, c.When)
		}
	}
}
