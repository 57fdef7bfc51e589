package grammar_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
)

// FuzzParse holds that any text has an answer, always the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "alert when gpu temp > 85 for 5m", "99.9% of requests under 1s", "gpu util 40% lower than yesterday and (idle) or", "½ of the H100s", "\xff{}[]!~", "between and", "no gpu", "per per by by", "what changed", "xid 79 -> page #ops"} {
		f.Add(s)
	}
	e := &grammar.Engine{Lenient: true}
	f.Fuzz(func(t *testing.T, text string) {
		q := nlq.Question{Text: text, Before: []string{"average GPU power per node"}}
		p, err := e.Parse(context.Background(), q)
		again, err2 := e.Parse(context.Background(), q)
		if (err == nil) != (err2 == nil) || cmp.Diff(p, again) != "" {
			t.Errorf("%q is %v, %v once and %v, %v then", text, p, err, again, err2)
		}
		if err == nil {
			_ = p.Intent.String()
		}
	})
}
