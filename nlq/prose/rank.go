package prose

import (
	"math"
	"slices"
	"strings"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// A feature is something about a metric and a text that speaks for or against
// the text being about the metric. How much it does is its weight in
// lexicon/en/rank.csv, which TestFit finds.
type feature struct {
	name  string
	prior float64 // what its weight is where no text says otherwise: few speak of some
	of    func(r *reading, c *candidate) float64
}

// A candidate is a metric that the text may be about.
type candidate struct {
	index.Hit
	traits
	metric catalog.Metric

	brandNamed bool // the text names its software
	brandFirst bool // … and no other before
	plain      bool // its software goes without saying

	phrase           int // words of the longest of its names that the text has whole
	nameSaid, ofName int // words of its metric's name that the text means, of how many
	written          int // … that the text has letter by letter
	pairs            int // … that follow one another in both

	rate float64 // the sum of its features by their weights
}

// looked is how many metrics are looked at closely: the right one is rarely
// further down, and each costs time.
const looked = 60

var features = []feature{
	{"score", 2, func(r *reading, c *candidate) float64 { return math.Log(max(c.Score(), 0.001)) }},
	{"said", 0, func(r *reading, c *candidate) float64 { return c.Said }},
	{"named", 0, func(r *reading, c *candidate) float64 { return c.Named }},
	{"named-whole", 0, is(func(r *reading, c *candidate) bool { return c.Named > 0.99 })},
	{"name-length", 0, func(r *reading, c *candidate) float64 { return math.Log(float64(len(c.words))) }},

	{"name-unsaid", 0, func(r *reading, c *candidate) float64 { return float64(c.ofName - c.nameSaid) }},
	{"name-said", 0, func(r *reading, c *candidate) float64 { return float64(c.nameSaid) }},
	{"phrase", 0.5, func(r *reading, c *candidate) float64 { return float64(c.phrase) }},
	{"pairs", 0, func(r *reading, c *candidate) float64 { return float64(c.pairs) }},
	{"written", 0, func(r *reading, c *candidate) float64 { return float64(c.written) }},
	{"many-names", 0, func(r *reading, c *candidate) float64 { return math.Log(1 + float64(c.names)) }},

	{"brand-first", 0, is(func(r *reading, c *candidate) bool { return c.brandFirst })},
	{"brand-named", 0, is(func(r *reading, c *candidate) bool { return c.brandNamed && !c.brandFirst })},
	{"brand-other", -1.5, is(func(r *reading, c *candidate) bool {
		return !c.brandNamed && !c.plain && r.brands.any
	})},
	{"brand-plain", 0, is(func(r *reading, c *candidate) bool { return !r.brands.any && c.plain })},
	{"brand-unsaid", 0, is(func(r *reading, c *candidate) bool {
		return !c.brandNamed && !c.plain && !r.brands.any
	})},
	{"exporter-named", 0, is(func(r *reading, c *candidate) bool {
		return !slices.ContainsFunc(c.exporter, func(w string) bool { return !r.said[w] })
	})},
	{"default", 0, is(func(r *reading, c *candidate) bool { return c.metric.Default })},
	{"derived", 0, is(func(r *reading, c *candidate) bool { return c.derived })},

	{"unit", 0.5, func(r *reading, c *candidate) float64 { return math.Log(r.unitSuits(c.metric)) }},
	{"value-said", 0, is(func(r *reading, c *candidate) bool { w, _ := r.valueOf(c.metric); return len(w) > 0 })},
	{"fails-counter-bad", 0, is(func(r *reading, c *candidate) bool { return r.cues["bad"] && c.counter && c.bad })},
	{"fails-counter-not", 0, is(func(r *reading, c *candidate) bool { return r.cues["bad"] && c.counter && !c.bad && !r.percent() })},
	{"well-bad", 0, is(func(r *reading, c *candidate) bool { return !r.cues["bad"] && c.bad })},
	{"fails-state", 0, is(func(r *reading, c *candidate) bool { return r.cues["bad"] && !c.counter && (c.good || c.bad) })},
	{"fails-gauge", 0, is(func(r *reading, c *candidate) bool { return r.cues["bad"] && !c.counter && !c.good && !c.bad })},

	{"quantile-bucket", 1.5, is(func(r *reading, c *candidate) bool { return c.bucket && r.cues["quantile"] })},
	{"quantile-label", 0, is(func(r *reading, c *candidate) bool { return r.cues["quantile"] && c.metric.Has("quantile") })},
	{"quantile-neither", -2, is(func(r *reading, c *candidate) bool {
		return r.cues["quantile"] && !c.bucket && !c.metric.Has("quantile")
	})},
	{"latency-bucket", 0, is(func(r *reading, c *candidate) bool { return c.bucket && r.cues["latency"] && !r.cues["quantile"] })},
	{"mean-bucket", 0, is(func(r *reading, c *candidate) bool {
		return (c.bucket || c.part) && r.has("average", "averaging", "mean", "avg")
	})},
	{"bucket", 0, is(func(r *reading, c *candidate) bool {
		return c.bucket && !r.cues["quantile"] && !r.cues["latency"] && !r.has("average", "averaging", "mean", "avg")
	})},
	{"part", 0, is(func(r *reading, c *candidate) bool { return c.part && !r.has("average", "averaging", "mean", "avg") })},
	{"facts", -1, is(func(r *reading, c *candidate) bool { return c.facts && !r.said["info"] })},

	{"expires-timestamp", 2, is(func(r *reading, c *candidate) bool { return c.timestamp && r.cues["expires"] })},
	{"age-timestamp", 2, is(func(r *reading, c *candidate) bool { return c.timestamp && r.cues["age"] })},
	{"timestamp", 0, is(func(r *reading, c *candidate) bool { return c.timestamp && !r.cues["age"] && !r.cues["expires"] })},
	{"up-target", 5, is(func(r *reading, c *candidate) bool {
		return c.ID == "up" && r.cues["gone"] && r.has("target", "targets", "exporter", "exporters", "scraped")
	})},
	{"target-else", -2, is(func(r *reading, c *candidate) bool {
		return r.cues["gone"] && c.ID != "up" && r.has("target", "targets", "exporter", "exporters", "scraped")
	})},
	{"up-gone", 0, is(func(r *reading, c *candidate) bool {
		return c.ID == "up" && r.cues["gone"] && !r.has("target", "targets", "exporter", "exporters", "scraped")
	})},
	{"up-else", 0, is(func(r *reading, c *candidate) bool { return c.ID == "up" && !r.cues["gone"] })},
	{"gone-else", 0, is(func(r *reading, c *candidate) bool { return r.cues["gone"] && c.ID != "up" && !c.good && !c.bad })},
	{"second-counter", 1, is(func(r *reading, c *candidate) bool { return c.counter && r.perSecond() })},
	{"predict-derived", 0, is(func(r *reading, c *candidate) bool { return c.derived && r.cues["predict"] })},
	{"bound", 0, is(func(r *reading, c *candidate) bool { return c.bound && !r.cues["limit"] })},
	{"rate-counter", 0, is(func(r *reading, c *candidate) bool { return c.counter && r.cues["rate"] })},
	{"window-counter", 0, is(func(r *reading, c *candidate) bool { return r.window > 0 && c.counter })},
	{"window-gauge", 0, is(func(r *reading, c *candidate) bool { return r.window > 0 && !c.counter })},
	{"counter", 0, is(func(r *reading, c *candidate) bool { return c.counter })},
	{"percent-share", 0, is(func(r *reading, c *candidate) bool { return c.share && r.percent() })},
	{"percent-side", 0, is(func(r *reading, c *candidate) bool {
		return !c.share && !c.counter && c.sides && !c.derived && r.percent()
	})},
	{"percent-alone", -3, is(func(r *reading, c *candidate) bool {
		return !c.share && !c.counter && (!c.sides || c.derived) && r.percent()
	})},
	{"percent-things", -4, is(func(r *reading, c *candidate) bool {
		return c.derived && r.percent() && c.metric.Unit[0] == '{' && c.metric.Unit != "{bool}"
	})},
	{"free-rest", 0.5, is(func(r *reading, c *candidate) bool { return c.rest && r.has("free", "left", "available", "remaining") })},
	{"used-rest", -0.5, is(func(r *reading, c *candidate) bool { return c.rest && !r.has("free", "left", "available", "remaining") })},
	{"predict-rest", 1, is(func(r *reading, c *candidate) bool { return c.rest && !c.counter && r.cues["predict"] })},
	{"predict-counter", 0, is(func(r *reading, c *candidate) bool { return c.counter && r.cues["predict"] })},
	{"change-state", 0, is(func(r *reading, c *candidate) bool { return !c.counter && r.cues["change"] })},
	{"reset-counter", 1, is(func(r *reading, c *candidate) bool {
		return r.cues["reset"] && (c.counter || c.timestamp) && (slices.Contains(c.words, "restarts") || slices.Contains(c.words, "start"))
	})},
}

// is makes a feature of a predicate.
func is(holds func(*reading, *candidate) bool) func(*reading, *candidate) float64 {
	return func(r *reading, c *candidate) float64 {
		if holds(r, c) {
			return 1
		}
		return 0
	}
}

// rank puts the metrics that the text may be about in order, the likeliest
// first, and returns how likely that one is: its share of what speaks for any.
func (r *reading) rank() ([]*candidate, float64) {
	cs := r.candidates()
	if len(cs) == 0 {
		return nil, 0
	}
	for _, f := range features {
		w := r.lexicon.Weights[f.name]
		if w == 0 {
			continue
		}
		for _, c := range cs {
			c.rate += w * f.of(r, c)
		}
	}
	slices.SortStableFunc(cs, func(a, b *candidate) int {
		switch {
		case a.rate > b.rate:
			return -1
		case a.rate < b.rate:
			return 1
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	all := 0.0
	for _, c := range cs {
		all += math.Exp(c.rate - cs[0].rate)
	}
	return cs, 1 / all
}

// candidates returns the metrics that have the most of the text's words.
func (r *reading) candidates() []*candidate {
	for first := range r.brands.at {
		r.weigh(r.lexicon.Key(first), later)
	}
	r.joinWords()
	r.hits = r.index.Find(r.query, looked)
	if _, ok := r.catalog.Metric("up"); ok && r.cues["gone"] && !slices.ContainsFunc(r.hits, func(h index.Hit) bool { return h.ID == "up" }) {
		r.hits = append(r.hits, index.Hit{ID: "up", Said: 0.3, Named: 1}) // no word says so, and it is what says so
	}
	cs, all := make([]*candidate, len(r.hits)), make([]candidate, len(r.hits))
	for i, h := range r.hits {
		c := &all[i]
		cs[i] = c
		c.Hit, c.traits = h, r.traits[h.ID]
		c.metric, _ = r.catalog.Measure(h.ID)
		c.brandNamed, c.brandFirst = r.names(c.first)
		c.phrase, c.nameSaid, c.ofName = r.index.Called(h.ID, r.query)
		for _, w := range c.words {
			if r.said[w] {
				c.written++
			}
		}
		for _, two := range c.traits.pairs {
			if r.query[two] > 0 {
				c.pairs++
			}
		}
		c.plain = r.lexicon.Brands[c.first].Plain
	}
	return cs
}
