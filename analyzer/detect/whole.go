package detect

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// A model is the metrics of a subject that are judged together: the rows of
// joint.csv of that name.
type model struct {
	name    string
	metrics []Watch
	while   []int // the number of the metric of which each goes by; -1: of none
}

// models returns the models of watches, in their order, and the watches that
// are of none.
func models(all []Watch) (ms []*model, rest []Watch) {
	for _, w := range all {
		if w.Model == "" {
			rest = append(rest, w)
			continue
		}
		i := slices.IndexFunc(ms, func(m *model) bool { return m.name == w.Model })
		if i < 0 {
			ms, i = append(ms, &model{name: w.Model}), len(ms)
		}
		ms[i].metrics = append(ms[i].metrics, w)
	}
	for _, m := range ms {
		for _, w := range m.metrics {
			m.while = append(m.while, slices.IndexFunc(m.metrics, func(x Watch) bool { return x.Metric == w.While }))
		}
	}
	return ms, rest
}

// names returns the metrics in the order of their numbers.
func (m *model) names() (names []string) {
	for _, w := range m.metrics {
		names = append(names, string(w.Metric))
	}
	return names
}

// A whole is one subject as one model has it.
type whole struct {
	model   *model
	subject analyzer.Subject
	labels  map[string]string // that name it, without the metric
	key     string
	id      uint32   // in the bank's wholes
	of      []uint32 // the series that it is made of
}

// A role is what a series is in a whole: the metric of that number.
type role struct {
	in     *whole
	metric int
}

// wholeStates is the name of their slab.
const wholeStates = "together"

// wholeState is what the bank remembers of one whole in numbers.
type wholeState struct {
	joint   joint
	episode episode
	score   float64            // the newest,
	odd     int32              // and the metric that the episode is about
	at      [mostJoint]float64 // the values when that was farthest off,
	goes    [mostJoint]float64 // and those that go with it; of itself, the one that the others speak for
	has     [mostJoint]bool    // a value, then
}

// roles returns what the series of these labels is in which wholes.
func (b *Bank) roles(labels map[string]string) (rs []role) {
	for _, m := range b.models {
		i := slices.IndexFunc(m.metrics, func(w Watch) bool { return string(w.Metric) == labels["__name__"] })
		if i < 0 {
			continue
		}
		if in := b.whole(m, labels); in != nil {
			rs = append(rs, role{in, i})
		}
	}
	return rs
}

// whole finds the whole that a series of these labels is part of, or makes
// one; nil where a label is missing.
func (b *Bank) whole(m *model, labels map[string]string) *whole {
	w := &m.metrics[0]
	subject, ok := w.subject(labels)
	if !ok {
		return nil
	}
	own := map[string]string{}
	for _, l := range slices.Concat(w.Labels, w.Keep) {
		if v := labels[l]; v != "" {
			own[l] = v
		}
	}
	key := m.name + "\xff" + keyOf(own)
	if old := b.byWhole[key]; old != nil {
		return old
	}
	in := &whole{model: m, subject: subject, labels: own, key: key, id: uint32(len(b.wholes))}
	if n := len(b.freeWholes); n > 0 {
		in.id = b.freeWholes[n-1]
		b.freeWholes = b.freeWholes[:n-1]
		b.wholes[in.id] = in
	} else {
		b.wholes = append(b.wholes, in)
	}
	*b.wholeStates.At(in.id) = wholeState{}
	b.byWhole[key] = in
	return in
}

// leave takes a series out of what it is part of.
func (b *Bank) leave(id uint32, m *member) {
	for _, r := range m.roles {
		in := r.in
		if in.of = slices.DeleteFunc(in.of, func(i uint32) bool { return i == id }); len(in.of) == 0 {
			delete(b.byWhole, in.key)
			b.wholes[in.id] = nil
			b.freeWholes = append(b.freeWholes, in.id)
		}
	}
}

// part shows a sample, of a counter its rate, to the wholes that it is part of.
func (b *Bank) part(m *member, ms int64, value float64) {
	for _, r := range m.roles {
		s := b.wholeStates.At(r.in.id)
		if s.joint.take(r.metric, ms, value) {
			b.together(r.in, s)
		}
	}
}

// together judges the row that was closed.
func (b *Bank) together(in *whole, s *wholeState) {
	var out [mostJoint]verdict
	trouble := s.episode.open && time.Duration(s.joint.told-s.episode.onset)*time.Millisecond < stays
	s.joint.judge(in.model, out[:], !trouble)
	ms, step := s.joint.told+jointRow, float64(s.joint.step)
	worst := -1
	for i, v := range out[:len(in.model.metrics)] {
		if v.judged && (worst < 0 || v.rare > out[worst].rare) {
			worst = i
		}
	}
	if worst < 0 {
		s.score = 0
		return
	}
	b.watched += step
	s.score = min(1, out[worst].rare/12)
	e := &s.episode
	if e.over(ms, step) {
		*e = episode{}
	}
	if e.run > 0 && (e.open || s.score == 0) { // one trouble, whatever else is drawn into it
		worst = int(s.odd)
	}
	v, d := out[worst], in.model.metrics[worst].Direction
	if !v.judged {
		return
	}
	s.odd = int32(worst)
	score := min(1, v.rare/12)
	if !e.open && b.known(in, ms) {
		score = 0
	}
	run, peak := e.run, e.peak
	e.observe(ms, score, Threshold(b.rate, step), v.left, 0, step, d)
	if run == 0 && e.run > 0 || e.peak != peak {
		in.show(s, worst, v)
	}
	if e.open && !e.told {
		b.tell(e, in.hushes(b, s, ms))
	}
}

// known reports whether one of the series of a whole is unusual by itself: then
// that is told, and not again that it does not go with the others.
func (b *Bank) known(in *whole, ms int64) bool {
	for _, id := range in.of {
		if b.states.At(id).unusual(ms) {
			return true
		}
		for _, e := range b.members[id].by {
			if b.states.At(e.id).unusual(ms) {
				return true
			}
		}
	}
	return false
}

// unusual reports whether an episode of the series lasts at ms.
func (s *memory) unusual(ms int64) bool {
	step := Level{}.Step(&s.of.Of)
	return s.level.open && !s.level.over(ms, step) || s.apart.open && !s.apart.over(ms, step)
}

// show keeps what a finding says: the last row, and what goes with metric odd.
func (in *whole) show(s *wholeState, odd int, v verdict) {
	for i := range s.at {
		a := &s.joint.aspects[i]
		s.has[i] = i < len(in.model.metrics) && s.joint.counts(in.model, i)
		s.at[i], s.goes[i] = a.now, s.joint.goes(odd, i)
	}
	s.goes[odd] = v.spoken
}

func (in *whole) hushes(b *Bank, s *wholeState, ms int64) *analyzer.Mark {
	if len(b.limits) == 0 {
		return nil
	}
	off := in.model.metrics[s.odd].Direction.off(s.episode.peak, 0)
	return hushes(b.limits[selector(in.query(s))], analyzer.Together, off, ms, ms)
}

// disagreeing returns the metrics that are not as they go with the odd one, the
// farthest off first.
func (in *whole) disagreeing(s *wholeState) (is []int) {
	off := func(i int) float64 { return math.Abs(s.at[i]-s.goes[i]) / in.model.metrics[i].MinEffect }
	for i := range in.model.metrics {
		if i != int(s.odd) && s.has[i] && off(i) >= 1 {
			is = append(is, i)
		}
	}
	slices.SortStableFunc(is, func(i, j int) int { return cmp.Compare(off(j), off(i)) })
	return is
}

// query returns the PromQL that shows the odd metric and all that it is judged by.
func (in *whole) query(s *wholeState) string {
	var terms []string
	for i, w := range in.model.metrics {
		if s.has[i] {
			ls := maps.Clone(in.labels)
			ls["__name__"] = string(w.Metric)
			// Without a label of its own a metric is the same series as the one before.
			terms = append(terms, fmt.Sprintf("label_replace(%s, \"metric\", %q, \"\", \"\")", w.query(ls), w.Metric))
		}
	}
	return strings.Join(terms, " or ")
}

// finding is what is told of a whole while its episode lasts.
func (in *whole) finding(b *Bank, s *wholeState, ms int64) analyzer.Finding {
	w, e := in.model.metrics[s.odd], s.episode
	f := analyzer.Finding{
		Kind: analyzer.Anomaly, Subject: in.subject, Signal: string(w.Metric), From: time.UnixMilli(e.onset).UTC(), Last: time.UnixMilli(e.hot).UTC(),
		Severity: "info", Score: math.Round(e.score*1000) / 1000, Query: in.query(s),
	}
	f.Ways = []analyzer.Way{{Channel: analyzer.Together, Series: f.Query, Off: w.Direction.off(e.peak, 0), Least: w.MinEffect, Unit: w.units()}}
	f.Marked = in.hushes(b, s, ms)
	f.Text = fmt.Sprintf("%s is %s%s where the other metrics speak for %s", w.Metric, w.unit(s.at[s.odd]), per(w), w.unit(s.goes[s.odd]))
	sep := "; with it go "
	for _, i := range in.disagreeing(s) {
		x := in.model.metrics[i]
		f.Text += fmt.Sprintf("%s%s %s%s, not %s", sep, x.Metric, x.unit(s.goes[i]), per(x), x.unit(s.at[i]))
		sep = ", "
	}
	if age := time.Duration(s.joint.newest-s.joint.first) * time.Millisecond; age < profileAge*time.Second {
		f.Caveats = append(f.Caveats, fmt.Sprintf("only %s of history: other work may look like this", age.Round(time.Minute)))
	}
	if time.Duration(ms-e.onset)*time.Millisecond >= stays {
		f.Caveats = append(f.Caveats, fmt.Sprintf("it has been so for %s or more and may be the new usual", stays))
	}
	return f
}

// jointly adds what wholes are unusual to what was found. Where a metric of one is found by
// itself too, they are one trouble, and what began first speaks.
func (b *Bank) jointly(found map[string]analyzer.Finding, ms int64) {
	for _, in := range b.wholes {
		if in == nil {
			continue
		}
		s := b.wholeStates.At(in.id)
		if !s.episode.open || s.episode.over(ms, float64(s.joint.step)) {
			continue
		}
		f := in.finding(b, s, ms)
		for _, w := range in.model.metrics {
			alone, ok := found[analyzer.Finding{Kind: f.Kind, Subject: f.Subject, Signal: string(w.Metric)}.Key()]
			switch {
			case !ok || alone.Signal == f.Signal:
			case alone.From.Before(f.From):
				f.Signal, f.Score = alone.Signal, 0
			default:
				delete(found, alone.Key())
				alone.Signal, alone.Score = f.Signal, 0
				keep(found, alone)
			}
		}
		keep(found, f)
	}
}
