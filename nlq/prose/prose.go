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
	"strings"
	"sync"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/rules/catalog"
)

// An Engine reads texts about what a catalog lists.
type Engine struct {
	Catalog *catalog.Catalog // nil is the one that comes with the program
	Least   float64          // what is less sure than this is asked back

	strict *grammar.Engine // reads names, groups and severities: nil is one of its own
	once   sync.Once       // of what follows, which takes long to make
	index  *index.Index
	traits map[catalog.ID]traits
}

var _ nlq.Engine = (*Engine)(nil)

// Parse finds the intent of q. Its error is a *[nlq.NotUnderstood].
func (e *Engine) Parse(_ context.Context, q nlq.Question) (nlq.Parse, error) {
	e.once.Do(e.prepare)
	return e.parse(e.strict.Sentence(q))
}

// parse is Parse of s, a sentence of e.strict.
func (e *Engine) parse(s *grammar.Sentence) (nlq.Parse, error) {
	r, err := e.read(s)
	if err != nil {
		return nlq.Parse{}, err
	}
	p, err := r.parse()
	least := e.Least
	if r.scope.Asked != "" {
		if len(r.foreign) > 0 {
			return nlq.Parse{}, r.unsure()
		}
		least = max(least, addressed)
	}
	if err == nil && p.Confidence < least {
		return nlq.Parse{}, r.unsure()
	}
	return p, err
}

// read notes what s says, before it is known of which metric.
func (e *Engine) read(s *grammar.Sentence) (*reading, error) {
	e.once.Do(e.prepare)
	c := e.strict.Catalog
	scope, err := s.Scope()
	if err != nil {
		return nil, err
	}
	if isCode(s.Text) {
		return nil, &nlq.NotUnderstood{Refused: true, Ask: "This holds code. Expressions and templates are made here, of words, and never taken over."}
	}
	r := &reading{catalog: c, lexicon: lexicon.English(), scope: scope, index: e.index, traits: e.traits}
	r.facts = readFacts(s.Text, c, r.lexicon)
	r.forget(scope.Names)
	r.readBrands()
	r.readValues()
	return r, nil
}

func (e *Engine) prepare() {
	c := e.Catalog
	if c == nil {
		c = catalog.Builtin()
	}
	if e.strict == nil {
		e.strict = &grammar.Engine{Catalog: c}
	}
	e.index, e.traits = indexOf(c), traitsOfAll(c)
}

var builtin = sync.OnceValue(func() *index.Index { return index.New(catalog.Builtin(), &lexicon.English().Words) })

func indexOf(c *catalog.Catalog) *index.Index {
	if c == catalog.Builtin() {
		return builtin()
	}
	return index.New(c, &lexicon.English().Words)
}

// addressed is the least confidence in the reading of a request that begins
// "alert me when": who writes so is there to be asked, the author of a
// published text is not.
const addressed = 0.2

// code is what no sentence has: a template, or matchers of labels.
var code = regexp.MustCompile(`\{\{|\}\}|[=!]~\s*["']|\{[^}]*[=!]|["']\s*,\s*\w+\s*[=!]`)

func isCode(text string) bool {
	return strings.ContainsAny(text, "{}~\"'") && code.MatchString(text) // most texts have none of these
}
