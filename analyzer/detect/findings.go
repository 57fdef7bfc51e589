package detect

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/series"
	"vedette.dev/rules/catalog"
)

// Findings implements [analyzer.Watcher]: one finding for each metric of each
// subject that is unusual now, by subject and metric. Where several of its
// series are, or both ways of looking agree, the least likely one speaks. What
// somebody marked as no anomaly carries the mark.
func (b *Bank) Findings(ctx context.Context, now time.Time) ([]analyzer.Finding, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ms := now.UnixMilli()
	b.sweep(ms)

	found := map[string]analyzer.Finding{}
	for id, m := range b.members {
		if m == nil {
			continue
		}
		s := b.states.At(uint32(id))
		step := Level{}.Step(&s.of.Of)
		if s.level.open && !s.level.over(ms, step) {
			keep(found, b.unusual(m, s, ms))
		}
		if s.apart.open && !s.apart.over(ms, step) {
			keep(found, b.straggler(m, s, ms))
		}
	}
	b.jointly(found, ms)
	absent := b.absent(ms)
	for _, f := range slices.Concat(absent, b.dropped(ms, absent)) {
		keep(found, f)
	}
	fs := slices.SortedFunc(maps.Values(found), func(x, y analyzer.Finding) int {
		if c := strings.Compare(x.Subject.String(), y.Subject.String()); c != 0 {
			return c
		}
		return strings.Compare(x.Signal, y.Signal)
	})
	return fs, nil
}

// keep adds f to what was found, as one with the finding of the same key: what
// is told speaks before what is marked, then what is worse.
func keep(found map[string]analyzer.Finding, f analyzer.Finding) {
	old, ok := found[f.Key()]
	if !ok {
		found[f.Key()] = f
		return
	}
	if older, alike := old.Marked == nil, (old.Marked == nil) == (f.Marked == nil); alike && old.Score >= f.Score || !alike && older {
		old, f = f, old // f speaks
	}
	f.Ways = append(slices.Clone(f.Ways), old.Ways...)
	if old.Marked == nil || f.Marked != nil {
		if old.From.Before(f.From) {
			f.From = old.From
		}
		if old.Last.After(f.Last) {
			f.Last = old.Last
		}
	}
	if old.Severity == "warning" && old.Marked == nil {
		f.Severity = old.Severity
	}
	found[f.Key()] = f
}

func (b *Bank) unusual(m *member, s *memory, ms int64) analyzer.Finding {
	w := b.watches[m.watch]
	e := s.level
	f := b.episode(m, m.past(), e, ms)
	f.Text = fmt.Sprintf("%s%s %s %s where %s was usual", w.Metric, per(w), reached(e), w.unit(e.peak), w.unit(e.usual))
	if w.Given != "" {
		f.Text = fmt.Sprintf("%s is %s what %s explains, where %s was usual", w.Metric, beside(w, e.peak), w.Given, w.unit(e.usual))
	}

	of := &s.of.Of
	if age := time.Duration(of.last-60_000*int64(of.first)) * time.Millisecond; age < profileAge*time.Second {
		f.Caveats = append(f.Caveats, fmt.Sprintf("only %s of history: what is usual at this time of day is not known", age.Round(time.Minute)))
	}
	if time.Duration(of.last-e.onset)*time.Millisecond >= stays {
		f.Caveats = append(f.Caveats, fmt.Sprintf("it has been so for %s or more and may be the new usual", stays))
	}
	return f
}

// straggler is a warning: members that are compared with each other leave little
// to chance, and one that stays away holds the others back.
func (b *Bank) straggler(m *member, s *memory, ms int64) analyzer.Finding {
	w := b.watches[m.watch]
	e := s.apart
	f := b.episode(m, m.peers(), e, ms)
	f.Severity = "warning"
	f.Text = fmt.Sprintf("%s%s %s %s where the others of its group have %s", w.Metric, per(w), reached(e), w.unit(e.peak), w.unit(e.usual))
	if w.Given != "" {
		f.Text = fmt.Sprintf("%s is %s what %s explains, where the others of its group have %s", w.Metric, beside(w, e.peak), w.Given, w.unit(e.usual))
	}
	if n := len(m.group.ids); n < 2*fewest {
		f.Caveats = append(f.Caveats, fmt.Sprintf("only %d members to compare", n))
	}
	return f
}

func reached(e episode) string {
	if e.peak < e.usual {
		return "fell to"
	}
	return "rose to"
}

// beside says on which side of what is explained a value is, and how far.
func beside(w Watch, left float64) string {
	if left < 0 {
		return w.unit(-left) + " below"
	}
	return w.unit(left) + " above"
}

// episode is the finding of e, as far as all have it.
func (b *Bank) episode(m *member, c analyzer.Channel, e episode, ms int64) analyzer.Finding {
	w := b.watches[m.watch]
	f := b.finding(m, e.onset, e.score)
	off := w.Direction.off(e.peak, e.usual)
	f.Last = time.UnixMilli(e.hot).UTC()
	f.Ways = []analyzer.Way{{Channel: c, Series: f.Query, Off: off, Least: w.MinEffect, Unit: w.units()}}
	f.Marked = m.hushes(c, off, ms, ms)
	return f
}

func (b *Bank) finding(m *member, onset int64, score float64) analyzer.Finding {
	w := b.watches[m.watch]
	return analyzer.Finding{
		Kind: analyzer.Anomaly, Subject: m.subject, Signal: string(w.Metric), From: time.UnixMilli(onset).UTC(),
		Severity: "info", Score: math.Round(score*1000) / 1000, Query: w.query(m.labels),
	}
}

// query returns the PromQL that shows the series.
func (w Watch) query(labels map[string]string) string {
	if w.Given != "" {
		labels = maps.Clone(labels)
		labels["__name__"] = string(w.Metric)
	}
	sel := series.Selector(labels)
	if w.Kind == catalog.Counter {
		return "rate(" + sel + "[5m])"
	}
	return sel
}

func per(w Watch) string {
	if w.Kind == catalog.Counter {
		return " per second"
	}
	return ""
}

// unit writes a value with the unit the catalog gives the metric, to four digits.
func (w Watch) unit(v float64) string {
	text := strconv.FormatFloat(v, 'g', 4, 64)
	if math.Abs(v) >= 1e4 && math.Abs(v) < 1e15 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(text+" "+w.symbol(), " ")
}

// symbol is the unit that the catalog gives the metric, "" where that is none.
func (w Watch) symbol() string {
	m, ok := catalog.Builtin().Metric(w.Metric)
	if !ok || m.Unit == "1" || strings.HasPrefix(string(m.Unit), "{") {
		return ""
	}
	return strings.NewReplacer("Cel", "°C", "MiBy", "MiB", "By", "B").Replace(string(m.Unit))
}

// units is symbol, by the second where what is watched is a rate.
func (w Watch) units() string { return strings.TrimSpace(w.symbol() + per(w)) }

// A life is what is known of the presence of one subject on one metric.
type life struct {
	m     *member
	state *memory // of the series last heard
	step  float64
	heard int64
}

// absent returns the subjects that are not heard of any more while others of
// the same metric are. A subject lives while any of its series does: a GPU
// that changes pods changes series.
func (b *Bank) absent(now int64) []analyzer.Finding {
	lives := map[string]life{}
	newest := map[int]int64{}
	for id, m := range b.members {
		if m == nil || m.watch == none || !b.watches[m.watch].Absence {
			continue
		}
		s := b.states.At(uint32(id))
		newest[m.watch] = max(newest[m.watch], s.heard())
		key := string(b.watches[m.watch].Metric) + " " + m.subject.String()
		if old, ok := lives[key]; !ok || s.heard() > old.heard {
			lives[key] = life{m: m, state: s, step: max(1, Level{}.Step(&s.of.Of)), heard: s.heard()}
		}
	}

	var fs []analyzer.Finding
	for _, l := range lives {
		period := int64(l.step * 1000)
		others := newest[l.m.watch]
		if l.state.of.Of.seen < warmup || others-l.heard <= missed*period || now-others > missed*period {
			continue
		}
		f := b.finding(l.m, l.heard+period, l.state.of.Of.score(novel(l.state.of.Of.seen)))
		f.Severity = "warning"
		f.Last = time.UnixMilli(now).UTC()
		f.Ways = []analyzer.Way{{Channel: analyzer.Absence, Series: f.Query}}
		f.Marked = l.m.hushes(analyzer.Absence, 0, l.heard, now)
		f.Text = fmt.Sprintf("%s is no longer reported while others are", f.Signal)
		f.Caveats = []string{"it may have been taken out of service on purpose"}
		fs = append(fs, f)
	}
	return fs
}

// A SeriesScore is the newest score of one series on one channel: spike,
// regime, peers, explained for the largest of what another metric leaves of it, or
// together for the metrics of a subject, whose name is that of their model.
type SeriesScore struct {
	Labels  map[string]string // of the series, with __name__; the caller must not change it
	Channel string
	Score   float64
}

// Scores returns the newest scores, 0 included, of every watched series that
// is past its warm-up and was heard within three of its steps before now; in
// no order but always the same.
func (b *Bank) Scores(now time.Time) []SeriesScore {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []SeriesScore
	for id, m := range b.members {
		if m == nil {
			continue
		}
		s := b.states.At(uint32(id))
		late := float64(now.UnixMilli()-s.heard()) / 1000
		if s.of.Of.seen <= warmup || late > 3*max(1, Level{}.Step(&s.of.Of)) {
			continue
		}
		if m.left != nil {
			ls := maps.Clone(m.labels)
			ls["__name__"] = string(m.left.watch.Metric)
			out = append(out, SeriesScore{ls, "explained", max(s.score.Max(), s.peerness)})
			continue
		}
		out = append(out, SeriesScore{m.labels, "spike", s.score.Spike}, SeriesScore{m.labels, "regime", s.score.Regime})
		if m.group != nil {
			out = append(out, SeriesScore{m.labels, "peers", s.peerness})
		}
	}
	for _, in := range b.wholes {
		if in == nil {
			continue
		}
		if s := b.wholeStates.At(in.id); s.joint.knows() && float64(now.UnixMilli()-s.joint.newest)/1000 <= missed*float64(s.joint.step) {
			ls := maps.Clone(in.labels)
			ls["__name__"] = in.model.name
			out = append(out, SeriesScore{ls, "together", s.score})
		}
	}
	return out
}
