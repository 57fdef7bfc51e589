package prose

import (
	"context"
	"strings"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/rules/catalog"
)

// A Compound understands two conditions joined by a word: each by itself, by
// the engine Of, and then how they are joined.
type Compound struct {
	Of      nlq.Engine
	Catalog *catalog.Catalog
}

var _ nlq.Engine = (*Compound)(nil)

// Parse finds the intent of q. Its error is a *[nlq.NotUnderstood]: also where
// q has but one condition.
func (e *Compound) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	for _, s := range splits(q.Text, e.Catalog) {
		l, lerr := e.Of.Parse(ctx, nlq.Question{Text: s.left, Now: q.Now})
		r, rerr := e.Of.Parse(ctx, nlq.Question{Text: s.right, Now: q.Now})
		if lerr != nil || rerr != nil {
			continue
		}
		a, aok := formula(l.Intent)
		b, bok := formula(r.Intent)
		if !aok || !bok {
			continue
		}
		out := nlq.Formula{Alert: true, For: max(a.For, b.For), ForSaid: a.ForSaid || b.ForSaid, Severity: a.Severity + b.Severity}
		if a.Severity != "" {
			out.Severity = a.Severity
		}
		right, on := nlq.Joint(a.Term, b.Term, e.Catalog)
		out.Term = nlq.Binary{Op: s.op, Left: a.Term, Right: right, On: on}
		return nlq.Parse{Intent: out, Assumed: append(l.Assumed, r.Assumed...), Confidence: l.Confidence * r.Confidence}, nil
	}
	return nlq.Parse{}, &nlq.NotUnderstood{}
}

// formula returns an alert as a formula.
func formula(i nlq.Intent) (nlq.Formula, bool) {
	switch i := i.(type) {
	case nlq.Formula:
		return i, i.Alert
	case nlq.Alert:
		t := nlq.Binary{Op: i.Compare.Op, Left: i.Measure, Right: nlq.Number(i.Compare.Limit)}
		return nlq.Formula{Term: t, Alert: true, For: i.For, ForSaid: i.ForSaid, Severity: i.Severity}, true
	}
	return nlq.Formula{}, false
}

// A split is a text cut at a word that joins conditions.
type split struct{ left, right, op string }

// joins are the words between two conditions.
var joins = map[string]string{"and": "and", "but": "and", "while": "and", "although": "and", "though": "and", "whereas": "and", "with": "and", "or": "or", "unless": "unless"}

// splits returns the ways to cut text so that each side has a number.
func splits(text string, c *catalog.Catalog) []split {
	var out []split
	words := strings.Fields(text)
	for i, w := range words {
		op, ok := joins[strings.ToLower(strings.Trim(w, ",;"))]
		if !ok || i == 0 || i == len(words)-1 {
			continue
		}
		s := split{strings.Join(words[:i], " "), strings.Join(words[i+1:], " "), op}
		shorter, longer := s.left, s.right
		if len(longer) < len(shorter) {
			shorter, longer = longer, shorter
		}
		if conditions(shorter, c) == 1 && conditions(longer, c) == 1 { // what mostly has none is soon read
			out = append(out, s)
		}
	}
	return out
}

// conditions counts the comparisons in text.
func conditions(text string, c *catalog.Catalog) (n int) {
	ws, l := grammar.Words(text, c), lexicon.English()
	for i := 0; i < len(ws); i++ {
		if p, ok := l.Match(ws[i:]); ok {
			if p.Role == "compare" {
				n++
			}
			i += len(p.Words) - 1
		}
	}
	return n
}
