package prose

import (
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/rules/catalog"
)

// usual is the window of rates and increases where none is said: most
// published rules use it.
const usual = 5 * time.Minute

// A reading is a text on its way to an intent.
type reading struct {
	*facts
	scope   grammar.Scope
	catalog *catalog.Catalog
	lexicon *lexicon.Lexicon
	index   *index.Index
	traits  map[catalog.ID]traits
	brands  brands
	spoken  []spoken
	hits    []index.Hit
	ranked  []*candidate // the hits, the likeliest first
	assumed []string
}

func (r *reading) parse() (nlq.Parse, error) {
	m, score, ok := r.metric()
	if !ok {
		return nlq.Parse{}, &nlq.NotUnderstood{Ask: "What should be measured?"}
	}
	t, alert := r.shape(m)
	out := nlq.Formula{Term: t, Alert: alert, For: r.hold, ForSaid: r.hold > 0, Severity: r.scope.Severity}
	return nlq.Parse{Intent: out, Assumed: r.assumed, Confidence: confidence(score)}, nil
}

// confidence is the share of readings that were right, of those whose metric
// was so sure among all that may be meant: half where it was sure, on the
// development texts, less the tenth by which weights fit texts they were found
// with; see make bench-nlq.
func confidence(sure float64) float64 {
	return math.Round(55*sure) / 100
}

// metric returns the metric that the text is about.
func (r *reading) metric() (catalog.Metric, float64, bool) {
	if len(r.outright) > 0 {
		m, ok := r.catalog.Measure(catalog.ID(r.outright[0]))
		return m, 1, ok
	}
	cs, sure := r.rank()
	r.ranked = cs
	if len(cs) == 0 || r.unitSuits(cs[0].metric) == unsuited {
		return catalog.Metric{}, 0, false
	}
	if m, ok := r.sharable(cs); ok {
		return m, sure, true
	}
	return cs[0].metric, sure, true
}

// nearlyAsLikely is how much less likely a metric may be that can be a share,
// where the text has a limit in percent and the likeliest is none: no number of
// bytes is 80 %.
const nearlyAsLikely = 3

// sharable returns the likeliest of cs of which a share can be taken, where the
// limit is one and the likeliest of all has none.
func (r *reading) sharable(cs []*candidate) (catalog.Metric, bool) {
	if !r.percent() || r.isShare(cs[0]) || whole.MatchString(r.text) {
		return catalog.Metric{}, false
	}
	for _, c := range cs {
		if c.rate < cs[0].rate-nearlyAsLikely {
			break
		}
		if r.isShare(c) && c.first == cs[0].first {
			return c.metric, true
		}
	}
	return catalog.Metric{}, false
}

// isShare reports whether c is a share, or is one of something.
func (r *reading) isShare(c *candidate) bool {
	if c.share || c.counter || c.metric.Unit == "{bool}" {
		return true
	}
	_, ok := r.partner(c.metric, "part", "whole")
	return ok
}

// measure is the metric id, of the series that the text names.
func (r *reading) measure(id catalog.ID) nlq.Measure {
	m, _ := r.catalog.Measure(id)
	where := r.scope.Where(m, r.unheard)
	for _, v := range r.lexicon.Always {
		if v.Of(id) && !slices.ContainsFunc(where, func(m nlq.Matcher) bool { return m.Label == v.Labels[0] }) {
			where = append(where, nlq.Matcher{Label: v.Labels[0], Op: v.Op, Value: v.Value})
		}
	}
	return nlq.Measure{Metric: id, Where: where}
}

// unheard reports whether no metric has a word: it is a name then, where
// somebody asks. The names in published texts went with their templates.
func (r *reading) unheard(word string) bool {
	if r.scope.Asked == "" {
		return false
	}
	low := strings.ToLower(word)
	return !r.index.Knows(r.lexicon.Key(low)) && !r.lexicon.Stop[low]
}

// forget takes words out of those that may name the metric.
func (r *reading) forget(words []string) {
	for _, w := range words {
		delete(r.query, r.lexicon.Key(w))
	}
}

// unsure asks which of the likeliest metrics is meant.
func (r *reading) unsure() error {
	e := &nlq.NotUnderstood{Words: r.foreign}
	for _, c := range r.ranked[:min(3, len(r.ranked))] {
		name := string(c.ID)
		if len(c.metric.Words) > 0 {
			name = c.metric.Words[0] + " (" + name + ")"
		}
		e.Nearest = append(e.Nearest, name)
	}
	e.Ask = "Which do you mean: " + strings.Join(e.Nearest, ", or ") + "?"
	return e
}

func (r *reading) windowOr(d time.Duration) time.Duration {
	if r.window > 0 {
		return r.window
	}
	return d
}

// has reports whether one of words is in the text.
func (r *reading) has(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return r.said[w] })
}
