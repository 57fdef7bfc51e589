package prose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq/grammar"
	"vedette.dev/nlq/prose/index"
	"vedette.dev/nlq/prose/lexicon"
	"vedette.dev/rules/catalog"
)

// A condition is a comparison as it was said.
type condition struct {
	op    string
	limit grammar.Word
	rest  bool // the limit is of what is left, and the term is of what is not
}

// Facts are what a text says, before it is known of which metric.
type facts struct {
	hold, window, ahead time.Duration // 0: not said
	soon                time.Duration // a window that may lie ahead: "within four days"
	holdFirst           time.Duration // the first of several holds: what a text is about comes first
	rated               bool          // the window is one of a rate
	short               bool          // a few words and no verb: a title
	conds               []condition
	quantile            float64 // 0..1; 0: not said
	cues                map[string]bool
	query               map[string]float64 // words that may name the metric, with how much they count
	said                map[string]bool    // every word of the text, as it was written
	text                string             // in lower case, words only, between spaces
	foreign             []string           // what looks like a metric's name and is none here
	outright            []string           // metrics named outright
}

// leftPercent is what remains of "at {{ $value }}%" where a template was taken out.
var leftPercent = regexp.MustCompile(`[a-z]%\s`)

// titleWords is the greatest length of a text that only names something.
const titleWords = 7

func readFacts(text string, c *catalog.Catalog, l *lexicon.Lexicon) *facts {
	f := &facts{cues: map[string]bool{}, query: map[string]float64{}, said: map[string]bool{}}
	f.text = " " + strings.Join(index.Plain(text), " ") + " "
	f.cues["share"] = leftPercent.MatchString(text)
	ss := sentences(text)
	for _, s := range ss {
		f.readSentence(s, c, l)
	}
	f.short = len(ss) == 1 && len(strings.Fields(text)) <= titleWords
	return f
}

func (f *facts) readSentence(s sentence, c *catalog.Catalog, l *lexicon.Lexicon) {
	ws := grammar.Words(s.text, c)
	weight := s.weight
	for _, two := range l.Pairs(index.Plain(s.text)) {
		f.weigh(two, weight)
	}
	for i := 0; i < len(ws); {
		if p, ok := l.Match(ws[i:]); ok {
			f.take(p, ws[i:i+len(p.Words)], &weight, l)
			i += len(p.Words)
			continue
		}
		f.word(ws[i], weight, c, l)
		i++
	}
}

// naming are the cues whose words may name the metric too.
var naming = map[string]bool{"bad": true, "good": true, "latency": true, "rate": true, "share": true, "reset": true, "limit": true, "change": true, "off": true}

func (f *facts) take(p lexicon.Pattern, ws []grammar.Word, weight *float64, l *lexicon.Lexicon) {
	var n grammar.Word
	for i, w := range p.Words {
		if w == "<n>" || w == "<t>" {
			n = ws[i]
		}
	}
	d, _ := n.Duration()
	for _, w := range ws {
		f.said[w.Low] = true
	}
	if (p.Role == "hold" || p.Role == "window") && d > 0 && d < time.Second {
		f.condition(">", n) // nothing is looked at so briefly: "over 50ms" is a limit
		return
	}
	switch p.Role {
	case "hold":
		if f.hold == 0 {
			f.holdFirst = d
		}
		f.hold = d
	case "soon":
		f.soon = d
		f.window = d
	case "window":
		f.window = d
		f.rated = f.rated || slices.Contains(p.Words, "rate")
	case "ahead":
		f.ahead = d
		f.condition("<", n)
	case "compare":
		f.condition(p.Value, n)
	case "times": // "more than twice"
		f.condition(p.Value[:1], grammar.Amount(p.Value[1:]))
	case "aside":
		*weight = aside
	case "cue":
		if *weight > aside {
			f.cues[p.Value] = true
		}
		if naming[p.Value] {
			for _, w := range ws {
				f.word(w, *weight, nil, l)
			}
		}
	}
}

// perSecond reports whether the text has a limit of a rate.
func (f *facts) perSecond() bool {
	return slices.ContainsFunc(f.conds, func(c condition) bool { return strings.HasSuffix(c.limit.Dimension(), "/s") }) || strings.Contains(f.text, " per second ")
}

// condition notes a comparison, once for each amount: texts repeat themselves.
func (f *facts) condition(op string, n grammar.Word) {
	v, _ := n.Number()
	for _, c := range f.conds {
		if old, _ := c.limit.Number(); old == v {
			return
		}
	}
	f.conds = append(f.conds, condition{op: op, limit: n})
}

// How much a weak word and the opposite of a word count beside a word itself.
const (
	weakly  = 0.3
	opposed = 0.6
)

// percentile is how one is written: p99, 99th, 99%.
var percentile = regexp.MustCompile(`^(?:p([0-9]{2,3})|([0-9]{1,2}(?:\.[0-9]+)?)th)$`)

func (f *facts) word(w grammar.Word, weight float64, c *catalog.Catalog, l *lexicon.Lexicon) {
	if m := percentile.FindStringSubmatch(w.Low); m != nil {
		v, err := strconv.ParseFloat(m[1]+m[2], 64)
		if err == nil && v > 0 {
			for v > 100 { // p999
				v /= 10
			}
			f.quantile = v / 100
			f.cues["quantile"] = true
		}
		return
	}
	if _, isNumber := w.Number(); isNumber {
		return
	}
	if c != nil {
		if _, ok := c.Measure(catalog.ID(w.Raw)); ok && strings.ContainsAny(w.Raw, "_:") {
			f.outright = append(f.outright, w.Raw)
			return
		}
		if strings.Count(w.Raw, "_") >= 2 {
			f.foreign = append(f.foreign, w.Raw)
		}
	}
	for _, part := range strings.FieldsFunc(w.Raw, notInWord) {
		low := strings.ToLower(part)
		f.said[low] = true
		if !l.Stop[low] {
			k := l.Key(low)
			if l.Weak[low] {
				f.weigh(k, weight*weakly)
				continue
			}
			f.weigh(k, weight)
			if o, ok := l.Opposite[k]; ok {
				f.weigh(o, weight*opposed)
			}
			if sub := index.Name(part); len(sub) > 1 { // kube_pod, FooBar
				for _, s := range sub {
					f.weigh(l.Key(s), weight*later)
				}
			}
		}
	}
}

func notInWord(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
}

func (f *facts) weigh(key string, weight float64) {
	f.query[key] = max(f.query[key], weight)
}

// joinWords adds what several words are as one, where metrics have it so: a
// persistent queue is a persistentqueue to who names metrics, and a placement
// group is a pg.
func (r *reading) joinWords() {
	for _, a := range r.lexicon.Short {
		if said := r.longest(a.Long); said != "" {
			r.weigh(a.Key, later)
		}
	}
	words := strings.Fields(r.text)
	for i, w := range words[:max(0, len(words)-1)] {
		if k := r.lexicon.Key(w + words[i+1]); r.index.Knows(k) && !r.lexicon.Stop[w] {
			r.weigh(k, min(1, max(later, r.query[r.lexicon.Key(w)], r.query[r.lexicon.Key(words[i+1])])))
		}
	}
}
