// Package prose reads what people write about alerts: titles, descriptions,
// requests in whole sentences, in which not every word counts. It is an
// [nlq.Engine] for what package grammar does not understand word by word.
//
// It looks for the metric that the words are about, by its name, its help and
// what people call it, and for the shape that the words and the kind of metric
// ask for: a threshold, a rate, a share, a quantile. It always has a best
// reading, and says how sure it is of it: whoever asks back asks back where it
// is not. What comes out are typed terms of metrics that the catalog has.
package prose

import (
	"context"
	"regexp"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
)

// An Engine reads texts about what a catalog lists.
type Engine struct {
	Catalog *catalog.Catalog // nil is the one that comes with the program
	Least   float64          // what is less sure than this is asked back
}

var _ nlq.Engine = (*Engine)(nil)

// Parse finds the intent of q. Its error is a *[nlq.NotUnderstood].
func (e *Engine) Parse(_ context.Context, q nlq.Question) (nlq.Parse, error) {
	c := e.Catalog
	if c == nil {
		c = catalog.Builtin()
	}
	scope, err := (&grammar.Engine{Catalog: c}).Scope(q.Text)
	if err != nil {
		return nlq.Parse{}, err
	}
	if isCode(q.Text) {
		return nlq.Parse{}, &nlq.NotUnderstood{Refused: true, Ask: "This holds code. Expressions and templates are made here, of words, and never taken over."}
	}
	r := &reading{catalog: c, lexicon: english(), scope: scope}
	r.index = indexOf(c, r.lexicon)
	r.facts = readFacts(q.Text, c, r.lexicon)
	r.forget(scope.Names)
	p, err := r.parse()
	if err == nil && p.Confidence < e.Least {
		return nlq.Parse{}, r.unsure()
	}
	return p, err
}

// code is what no sentence has: a template, or matchers of labels.
var code = regexp.MustCompile(`\{\{|\}\}|[=!]~\s*["']|\{[^}]*[=!]|["']\s*,\s*\w+\s*[=!]`)

func isCode(text string) bool { return code.MatchString(text) }
