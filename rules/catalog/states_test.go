package catalog

import "testing"

// TestStates holds states.csv to the catalog: each is of a metric that tells states
// by numbers, and no metric has two for the same words.
func TestStates(t *testing.T) {
	c := Builtin()
	said := map[string]bool{}
	for _, s := range States() {
		if s.Op != "=" && s.Op != "!=" || len(s.Words) == 0 {
			t.Errorf("%v %s %v: words and an operator are required", s.Metrics, s.Op, s.Code)
		}
		for _, id := range s.Metrics {
			if m, ok := c.Metric(id); !ok || m.Unit != "{state}" && m.Unit != "{status}" {
				t.Errorf("%s: no metric that tells states (%s)", id, m.Unit)
			}
			for _, w := range s.Words {
				if said[string(id)+" "+w] {
					t.Errorf("%s: %q is said twice", id, w)
				}
				said[string(id)+" "+w] = true
			}
		}
	}
}
