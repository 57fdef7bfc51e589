package prose

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/rules/catalog"
)

// ByStyle reads what is asked of a desk with one engine and what was written
// to be read, as rules are published, with another: the two differ in how much
// each word weighs, and nobody writes both ways.
type ByStyle struct {
	Request nlq.Engine // reads: gpu temp above 85 for 5m
	Text    nlq.Engine // reads: GPU too hot: The temperature is above 85 °C.
	Either  nlq.Engine // reads what may be both: Nodes with less than 10% memory
}

var _ nlq.Engine = (*ByStyle)(nil)

// Parse has the engine for its style find the intent of q.
func (e *ByStyle) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	switch styleOf(q.Text) {
	case written:
		return e.Text.Parse(ctx, q)
	case either:
		return e.Either.Parse(ctx, q)
	}
	return e.Request.Parse(ctx, q)
}

// Readers reads files of requests and texts about what c lists, each with the
// engine for how it is written.
func Readers(c *catalog.Catalog) *ByStyle {
	strict := &grammar.Engine{Catalog: c}
	free := &Engine{Catalog: c, strict: strict}
	compound := &Compound{Of: free, Catalog: c}
	return &ByStyle{Request: &grammar.Engine{Catalog: c, Lenient: true}, Text: &byWord{strict, free, compound, true}, Either: &byWord{strict, free, compound, false}}
}

// A byWord reads a text word by word, as a request, where that can be relied on,
// and else as a text.
type byWord struct {
	strict   *grammar.Engine
	free     *Engine
	compound *Compound
	written  bool // only what names something, a node or a queue, or compares two measures, is read as a request
}

var _ nlq.Engine = (*byWord)(nil)

// Parse finds the intent of q. Its error is a *[nlq.NotUnderstood].
func (e *byWord) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	s := e.strict.Sentence(q)
	request := func(ctx context.Context, _ nlq.Question) (nlq.Parse, error) {
		if !e.written {
			return s.Parse(ctx)
		}
		if p, ok := s.Outright(); ok && (narrows(s) || versus(p.Intent)) {
			return p, nil
		}
		return nlq.Parse{}, &nlq.NotUnderstood{}
	}
	text := func(context.Context, nlq.Question) (nlq.Parse, error) { return e.free.parse(s) }
	return nlq.First(nlq.EngineFunc(request), e.compound, nlq.EngineFunc(text)).Parse(ctx, q)
}

// narrows reports whether s says of which series. In published texts there are no
// names, they went with their templates.
func narrows(s *grammar.Sentence) bool {
	scope, err := s.Scope()
	return err == nil && scope.Narrows()
}

// versus reports whether i compares two measures.
func versus(i nlq.Intent) bool {
	f, ok := i.(nlq.Formula)
	if !ok || !f.Alert {
		return false
	}
	b, ok := f.Term.(nlq.Binary)
	if !ok || b.Op != "<" && b.Op != ">" {
		return false
	}
	_, left := nlq.Subject(b.Left)
	_, right := nlq.Subject(b.Right)
	return left && right
}

// A style is how something is written.
type style int

const (
	asked   style = iota
	written       // in sentences, or under a title
	either
)

var (
	ended    = regexp.MustCompile(`[a-z0-9%)]\.(?:\s+[A-Z]|\s*$)`)
	entitled = regexp.MustCompile(`^[A-Z][^:]{2,80}: [A-Z0-9{]`)

	// Who asks speaks so.
	personal   = map[string]bool{"i": true, "me": true, "us": true, "we": true, "my": true, "our": true, "please": true, "pls": true, "thanks": true}
	personally = regexp.MustCompile(`\b(?:can you|could you|would you|thank you|would be (?:great|nice|good)|worth a (?:warning|page|ticket)|deserves? a (?:warning|page|ticket)|should (?:raise a warning|page)|raise an? (?:\w+ )?(?:warning|ticket|alert|alarm)|(?:open|file|create|get) an? ticket|(?:a warning|info) is enough|(?:page|wake|warn|tell|notify|alert) (?:the|someone|somebody|anybody|oncall|on-call|on call)|heads[- ]up)\b`)

	// What is addressed to whoever is paged, and the "i" of "i.e.", ask nothing of a desk.
	advice = regexp.MustCompile(`(?i)\bi\.e\.|\bplease (?:check|ensure|make sure|see|verify|investigate|review|inspect|refer|contact|look|consider|run|increase|reduce|free)\b`)
)

// styleOf tells the style of text by its marks and capitals. Who says "alert
// me when" asks, however well it is written.
func styleOf(text string) style {
	words := strings.Fields(text)
	if len(words) == 0 || orders[strings.ToLower(strings.Trim(words[0], ",:"))] || isPersonal(text) {
		return asked
	}
	capitals := 0
	for _, w := range words {
		if unicode.IsUpper([]rune(w)[0]) {
			capitals++
		}
	}
	first := []rune(words[0])
	if last := strings.Trim(words[len(words)-1], ".!"); unicode.IsLower(first[0]) && orders[last] {
		return asked // "p95 latency above 2 s. page."
	}
	word := len(first) > 1 && unicode.IsUpper(first[0]) && unicode.IsLower(first[1])
	switch {
	case strings.Contains(text, ".") && ended.MatchString(text), strings.Contains(text, ": ") && entitled.MatchString(text):
		return written
	case len(words) >= 3 && 5*capitals >= 3*len(words): // a title
		return written
	case word:
		return either
	}
	return asked
}

// isPersonal reports whether text speaks of who wrote it, or to who reads it.
func isPersonal(text string) bool {
	low := strings.ToLower(text)
	if strings.Contains(low, "please") || strings.Contains(low, "i.e.") {
		text = advice.ReplaceAllString(text, "")
		low = strings.ToLower(text)
	}
	for w := range strings.FieldsFuncSeq(low, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		if personal[w] {
			return true
		}
	}
	return slices.ContainsFunc([]string{" you", "would be", "worth a", "deserve", "should ", "raise a", " ticket", "is enough", "page ", "wake ", "warn ", "tell ", "notify ", "alert ", "heads"}, func(w string) bool { return strings.Contains(low, w) }) && personally.MatchString(low)
}

// orders are the words that requests begin with.
var orders = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq("alert heads-up page notify warn tell point flag highlight catch holler slack email mail show list which what how who top bottom give ping raise create set find compare count plot graph wake let when why display number fire please can") {
		m[w] = true
	}
	return m
}()
