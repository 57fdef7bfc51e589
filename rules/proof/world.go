package proof

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
)

// A world is the series that a rule is tried on. Every series carries the same
// values of the same labels wherever its selector allows, so that what the rule
// joins finds its partner.
type world struct {
	situation
	margin      float64 // how far values are from limits, as a share of the limit
	decoys      bool    // series that a matcher keeps out
	step        time.Duration
	warm, steps int // when everything has been seen, and when the test ends

	labels map[string]string // of every series
	lines  map[string]*line  // by selector, its offset aside
	order  []string          // the keys of lines as they came

	// What the selectors that are being arranged are in:
	denied  bool      // a comparison that is not to hold
	copies  int       // of each series, to be counted; 0 is one
	fixed   []string  // labels in which copies are alike
	vary    []string  // labels that only they have, in which copies differ
	buckets []float64 // bounds of a histogram whose observations lie between them
}

// A line is the values that one selector reads, by offset. nil is no value.
type line struct {
	selector *parser.VectorSelector
	at       map[time.Duration]*aim
	copies   int
	fixed    []string
	vary     []string
	buckets  []float64
}

func key(v *parser.VectorSelector) string {
	ms := make([]string, len(v.LabelMatchers))
	for i, m := range v.LabelMatchers {
		ms[i] = m.String()
	}
	slices.Sort(ms)
	return strings.Join(ms, ",")
}

// line returns the line of v, made if need be.
func (w *world) line(v *parser.VectorSelector) *line {
	k := key(v)
	l, ok := w.lines[k]
	if !ok {
		l = &line{selector: v, at: map[time.Duration]*aim{}, copies: w.copies, fixed: w.fixed, vary: w.vary, buckets: w.buckets}
		w.lines[k] = l
		w.order = append(w.order, k)
	}
	return l
}

// set gives v its value, unless it has one: the first to ask decides, and the
// trial says whether that was good for the others.
func (w *world) set(v *parser.VectorSelector, a aim) {
	l := w.line(v)
	if _, set := l.at[v.OriginalOffset]; !set {
		l.at[v.OriginalOffset] = &a
	}
}

func (w *world) omit(v *parser.VectorSelector) {
	l := w.line(v)
	if _, set := l.at[v.OriginalOffset]; !set {
		l.at[v.OriginalOffset] = nil
	}
}

func (w *world) has(v *parser.VectorSelector) (aim, bool) {
	l, ok := w.lines[key(v)]
	if !ok || l.at[v.OriginalOffset] == nil || len(l.buckets) > 0 {
		return aim{}, false
	}
	return *l.at[v.OriginalOffset], true
}

// A track is one series, a value for each step. NaN is no sample, +Inf the end
// of the series.
type track struct {
	lset   labels.Labels
	values []float64
	text   string // the values in promtool's notation
}

// tracks returns the series of the world. Where two selectors read the same
// series, the first stands.
func (w *world) tracks(until int) []track {
	var out []track
	seen := map[string]bool{}
	for _, k := range w.order {
		for _, t := range w.lines[k].tracks(w, until) {
			if name := t.lset.String(); !seen[name] && t.text != "" {
				seen[name] = true
				out = append(out, t)
			}
		}
	}
	return out
}

func (l *line) tracks(w *world, until int) []track {
	var out []track
	for i := range max(1, l.copies) {
		lset := w.labelsOf(l, i)
		values, text := l.values(w, until, 1)
		if decoy, ok := l.decoy(lset); ok && i == 0 && w.decoys && len(l.buckets) == 0 {
			out = append(out, track{decoy, values, text})
		}
		if len(l.buckets) == 0 {
			out = append(out, track{lset, values, text})
			continue
		}
		none, empty := l.values(w, until, 0)
		for j, le := range append(slices.Clone(l.buckets), math.Inf(1)) {
			b := labels.NewBuilder(lset).Set(labels.BucketLabel, strconv.FormatFloat(le, 'g', 6, 64))
			if j == 0 {
				out = append(out, track{b.Labels(), none, empty})
			} else {
				out = append(out, track{b.Labels(), values, text})
			}
		}
	}
	return out
}

// decoy returns lset with one label as the selector does not want it.
func (l *line) decoy(lset labels.Labels) (labels.Labels, bool) {
	for _, m := range l.selector.LabelMatchers {
		for _, v := range []string{"another", "", lset.Get(m.Name) + "-not"} {
			if m.Name != labels.MetricName && !m.Matches(v) {
				return labels.NewBuilder(lset).Set(m.Name, v).Labels(), true
			}
		}
	}
	return lset, false
}

// values writes what is read at each offset one after the other: x offset 1h
// is read an hour before x is. The series ends at the step until.
func (l *line) values(w *world, until int, factor float64) ([]float64, string) {
	offsets := slices.SortedFunc(maps.Keys(l.at), func(a, b time.Duration) int { return int(b - a) })
	var values []float64
	var text []string
	for i, d := range offsets {
		from, to := len(values), until
		if i+1 < len(offsets) {
			to = min(until, w.warm-int(offsets[i+1]/w.step))
		}
		if to <= from {
			continue
		}
		a := l.at[d]
		if a == nil {
			for range to - from {
				values = append(values, math.NaN())
			}
			text = append(text, repeat("_", to-from))
			continue
		}
		by := a.slope * factor * w.step.Seconds()
		v := a.at*factor + by*float64(from)
		if i > 0 && a.slope != 0 && a.at == 0 && l.at[offsets[i-1]] != nil {
			v = values[from-1] // a counter goes on from where it is
		}
		text = append(text, notation(v, by, to-from))
		for range to - from {
			values = append(values, v)
			v += by // as promtool does, to the last bit
		}
	}
	if !slices.ContainsFunc(values, func(v float64) bool { return !math.IsNaN(v) }) {
		return values, ""
	}
	if until < w.steps {
		values = append(values, math.Inf(1))
		text = append(text, "stale")
	}
	return values, strings.Join(text, " ")
}

func repeat(s string, n int) string {
	if n == 1 {
		return s
	}
	return fmt.Sprintf("%sx%d", s, n)
}

// notation writes n values from v on in steps of by.
func notation(v, by float64, n int) string {
	start := strconv.FormatFloat(v, 'f', -1, 64)
	switch {
	case n == 1:
		return start
	case by == 0:
		return fmt.Sprintf("%sx%d", start, n-1)
	case by < 0:
		return fmt.Sprintf("%s-%sx%d", start, strconv.FormatFloat(-by, 'f', -1, 64), n-1)
	}
	return fmt.Sprintf("%s+%sx%d", start, strconv.FormatFloat(by, 'f', -1, 64), n-1)
}

// labelsOf returns the labels of copy i of a line.
func (w *world) labelsOf(l *line, i int) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	vary := func(name, value string) string {
		if i == 0 || slices.Contains(l.fixed, name) {
			return value
		}
		return fmt.Sprintf("%s-%d", value, i+1)
	}
	varied := false
	for name, value := range w.labels {
		v := value
		if len(l.vary) == 0 {
			v = vary(name, value)
		}
		varied = varied || v != value
		b.Set(name, v)
	}
	for _, name := range l.vary {
		b.Set(name, fmt.Sprintf("%s-%d", strings.ToLower(name), i+1))
		varied = true
	}
	by := map[string][]*labels.Matcher{}
	for _, m := range l.selector.LabelMatchers {
		by[m.Name] = append(by[m.Name], m)
	}
	for name, ms := range by {
		b.Set(name, satisfy(ms, b.Get(name)))
	}
	if i > 0 && !varied {
		b.Set("copy", strconv.Itoa(i+1))
	}
	return b.Labels()
}

// universe chooses the labels that every series carries, and their values.
// alike gives the series of joined sides each other's matchers.
func universe(e parser.Expr, r rules.Rule, alike bool) map[string]string {
	out := map[string]string{}
	add := func(names ...string) {
		for _, n := range names {
			if n != labels.BucketLabel && n != labels.MetricName && n != labels.AlertName {
				out[n] = strings.ToLower(n) + "-1"
			}
		}
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			if !n.Without {
				add(n.Grouping...)
			}
		case *parser.Call:
			if n.Func.Name == "label_replace" {
				if src, ok := n.Args[3].(*parser.StringLiteral); ok {
					add(src.Val)
				}
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				add(n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	for _, texts := range []map[string]string{r.Labels, r.Annotations} {
		for _, text := range texts {
			for _, use := range labelInUse.FindAllStringSubmatch(text, -1) {
				add(use[1])
			}
		}
	}
	if alike {
		for _, v := range selectors(e) {
			for _, m := range v.LabelMatchers {
				if m.Name != labels.MetricName && m.Name != labels.BucketLabel {
					out[m.Name] = satisfy([]*labels.Matcher{m}, out[m.Name])
				}
			}
		}
	}
	if len(out) == 0 {
		add("instance")
	}
	return out
}
