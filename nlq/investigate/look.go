package investigate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// The looks are all that a model can do. Each reads a snapshot: the one that the
// report is of, or one that goes further back. None of them can write, and there
// is nothing else that they could reach.
var looks = map[string]func(*session, *snapshot.Snapshot, want) ([]item, error){
	"objects":   (*session).objects,
	"events":    (*session).events,
	"logs":      (*session).logs,
	"series":    (*session).series,
	"incidents": nil, // the book's, which is no snapshot
}

// A want is what a look is for.
type want struct {
	of      analyzer.Subject
	kind    string // where of is only a kind
	holding string // in lower case
	metric  string
}

func (w want) holds(text string) bool { return strings.Contains(strings.ToLower(text), w.holding) }

// mostItems is how many items one look shows: more is a list to guess from.
const mostItems = 40

// look carries out a look and returns what the model is shown of it.
func (x *session) look(ctx context.Context, m move) string {
	if m.At == "" {
		return "Nothing was looked at: at says what to read."
	}
	w := want{holding: strings.ToLower(strings.TrimSpace(x.veil.Back(m.Holding, nil))), metric: m.Metric}
	said := x.veil.Back(m.Of, nil)
	var err error
	if w.of, err = analyzer.ParseSubject(said); said != "" && err != nil {
		if w.of, w.kind = (analyzer.Subject{}), said; m.At != "objects" || strings.ContainsAny(said, "/ ") {
			return fmt.Sprintf("Nothing was looked at: %v.", err)
		}
	}
	var items []item
	var notes []string
	if m.At == "incidents" {
		items, err = x.incidents(ctx, w)
	} else {
		s, note := x.back(ctx, m)
		if note != "" {
			notes = append(notes, note)
		}
		items, err = looks[m.At](x, s, w)
	}
	x.account.Looked = append(x.account.Looked, lookedAt(m.At, said, w, m.Hours, len(items)))
	if err != nil {
		notes = append(notes, err.Error())
	}
	return x.answer(items, notes)
}

// lookedAt is a look in words.
func lookedAt(at, of string, w want, hours, n int) string {
	s := at
	if of != "" {
		s += " of " + printable(of)
	}
	if w.metric != "" {
		s += " " + printable(w.metric)
	}
	if w.holding != "" {
		s += fmt.Sprintf(" holding %q", w.holding)
	}
	if hours > 0 {
		s += fmt.Sprintf(" over %d h", hours)
	}
	return fmt.Sprintf("%s: %d", s, n)
}

// back returns the snapshot of the last hours, or that of the report with a note
// why it is no longer one.
func (x *session) back(ctx context.Context, m move) (*snapshot.Snapshot, string) {
	switch {
	case m.Hours <= 0 && (m.At != "series" || x.Past == nil || len(x.Snapshot.Series(m.Metric)) > 0):
		return x.Snapshot, ""
	case x.Past == nil:
		return x.Snapshot, "This is a captured cluster: nothing is remembered beyond what was captured."
	}
	window := x.Snapshot.Window.To.Sub(x.Snapshot.Window.From)
	if m.Hours > 0 {
		window = time.Duration(min(m.Hours, mostHours)) * time.Hour
	}
	var more []string
	if m.Metric != "" {
		more = append(more, m.Metric)
	}
	s, err := x.Past.Since(ctx, x.Now, window, more...)
	if s == nil {
		return x.Snapshot, fmt.Sprintf("Only what was captured: %v.", err)
	}
	var notes []string
	if err != nil {
		notes = append(notes, fmt.Sprintf("Not all of it could be read: %v.", err))
	}
	for _, u := range s.Unseen {
		if !slices.Contains(x.Snapshot.Unseen, u) {
			notes = append(notes, "Not seen: "+u+".")
		}
	}
	return s, strings.Join(notes, "\n")
}

// mostHours is a day: longer is no incident any more.
const mostHours = 24

// answer is what the model is shown of what was found, within the bytes of one
// answer: the newest, which come last.
func (x *session) answer(items []item, notes []string) string {
	room, first := orDefault(x.Answer, defaultAnswer), len(items)
	for first > 0 && len(items)-first < mostItems {
		if room -= len(x.file.line(&items[first-1])) + len(`F123`); room < 0 {
			break
		}
		first--
	}
	var lines []string
	for _, i := range items[first:] {
		lines = append(lines, x.file.line(x.file.put("F", i)))
	}
	if first > 0 {
		notes = append(notes, fmt.Sprintf("%d more, older or earlier in order, are not shown: ask for less.", first))
	}
	if len(lines) == 0 && len(notes) == 0 {
		notes = append(notes, "There is nothing of that.")
	}
	return strings.Join(append(lines, strings.Join(notes, "\n")), "\n")
}

// objects finds an object and what became of it; the names of a kind; or kinds.
func (x *session) objects(s *snapshot.Snapshot, w want) ([]item, error) {
	var all []item
	for _, resource := range slices.Sorted(maps.Keys(s.Objects)) {
		os := s.Objects[resource]
		if w.of.IsZero() && w.kind == "" {
			all = append(all, item{source: "objects/" + resource + ".json", text: fmt.Sprintf("%d %s", len(os), resource)})
			continue
		}
		var names []string
		for _, o := range os {
			if !bytes.Contains(o.Raw, []byte(w.of.Name)) { // not each of a large cluster is decoded
				continue
			}
			m, ok := metaOf(o.Raw)
			switch {
			case !ok:
			case w.of.IsZero() && strings.EqualFold(m.subject().Kind, w.kind):
				names = append(names, strings.TrimPrefix(m.Metadata.Namespace+"/"+m.Metadata.Name, "/"))
			case m.subject() == w.of:
				all = append(all, item{source: o.Source, about: w.of.String(), text: withoutNoise(o.Redacted())})
			}
		}
		names = slices.DeleteFunc(names, func(n string) bool { return !w.holds(n) })
		if len(names) > 0 {
			all = append(all, item{source: "objects/" + resource + ".json", text: fmt.Sprintf("%d %s: %s", len(names), resource, strings.Join(names, ", "))})
		}
	}
	if w.of.IsZero() {
		return all, nil
	}
	for i, r := range s.History {
		if !bytes.Contains(r.Raw, []byte(w.of.Name)) {
			continue
		}
		if m, ok := metaOf(r.Raw); ok && m.subject() == w.of {
			all = append(all, item{source: r.Source, at: r.At, about: w.of.String(), text: r.Type + ": " + withoutNoise(snapshot.Object{Raw: r.Raw}.Redacted()),
				place: place{revision: &s.History[i]}})
		}
	}
	return all, nil
}

// A meta is the part of an object that says what it is.
type meta struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
}

func metaOf(raw json.RawMessage) (m meta, ok bool) {
	return m, json.Unmarshal(raw, &m) == nil && m.Metadata.Name != ""
}

func (m meta) subject() analyzer.Subject {
	kind := strings.ToLower(m.Kind)
	if kind == "persistentvolumeclaim" {
		kind = "pvc"
	}
	return analyzer.Subject{Kind: kind, Namespace: m.Metadata.Namespace, Name: m.Metadata.Name}
}

// withoutNoise leaves out of an object what tells nothing of what is wrong: who
// owns which field. Its state comes before what was wanted of it.
func withoutNoise(raw json.RawMessage) string {
	var o map[string]any
	if json.Unmarshal(raw, &o) != nil {
		return string(raw)
	}
	if m, ok := o["metadata"].(map[string]any); ok {
		delete(m, "managedFields")
		delete(m, "uid")
		delete(m, "resourceVersion")
	}
	var parts []string
	for _, key := range []string{"status", "spec", "data", "metadata"} {
		if v, ok := o[key]; ok {
			if m, values := v.(map[string]any); values && key == "data" {
				v = slices.Sorted(maps.Keys(m)) // of a ConfigMap: what people keep there is theirs
			}
			b, err := json.Marshal(v)
			if err != nil {
				continue // it was JSON before
			}
			parts = append(parts, key+": "+string(b))
		}
	}
	return strings.Join(parts, " ")
}

func (x *session) events(s *snapshot.Snapshot, w want) ([]item, error) {
	var all []item
	for i := range s.Events {
		e := &s.Events[i]
		text := e.Reason + ": " + e.Message
		if (!w.of.IsZero() && e.About() != w.of) || !w.holds(text) {
			continue
		}
		if n := e.Times(); n > 1 {
			text += fmt.Sprintf(" (%d times)", n)
		}
		all = append(all, item{source: e.Source, at: e.Latest(), about: e.About().String(), text: text, place: place{event: e}})
	}
	return all, nil
}

// logs finds lines of containers, kernels and units.
func (x *session) logs(s *snapshot.Snapshot, w want) ([]item, error) {
	if w.of.IsZero() && w.holding == "" {
		return nil, errors.New("logs of all that there is are too many: say what they hold, or of what they are")
	}
	var all []item
	add := func(about analyzer.Subject, lines []snapshot.Line, at func(*snapshot.Line) place) {
		if !w.of.IsZero() && w.of != about || !slices.ContainsFunc(lines, func(l snapshot.Line) bool { return w.holds(l.Text) }) {
			return
		}
		clean := snapshot.RedactedLines(lines)
		for i, l := range clean {
			if w.holds(l.Text) {
				all = append(all, item{source: l.Source, at: l.At, about: about.String(), text: l.Text, place: at(&lines[i])})
			}
		}
	}
	for _, l := range s.Logs {
		of := l
		of.Lines = nil
		add(analyzer.Pod(l.Namespace, l.Pod), l.Lines, func(line *snapshot.Line) place { return place{line: line, log: of} })
	}
	for _, node := range slices.Sorted(maps.Keys(s.Kernel)) {
		add(analyzer.Node(node), s.Kernel[node], func(line *snapshot.Line) place { return place{line: line, node: node} })
	}
	for _, u := range s.Units {
		add(analyzer.Node(u.Node), u.Lines, func(*snapshot.Line) place { return place{} })
	}
	slices.SortStableFunc(all, func(a, b item) int { return a.at.Compare(b.at) })
	return all, nil
}

// series finds readings of a metric, each series in one line.
func (x *session) series(s *snapshot.Snapshot, w want) ([]item, error) {
	if w.metric == "" {
		return nil, errors.New("series are asked for by the name of a metric")
	}
	var all []item
	for i := range s.Metrics {
		m := &s.Metrics[i]
		selector := snapshot.Selector(m.Labels)
		if m.Name() != w.metric || !w.holds(selector) || !ofSeries(w.of, m.Labels) {
			continue
		}
		all = append(all, item{source: m.Source, at: m.Last().At, about: analyzer.SubjectOf(m.Labels).String(), text: selector + ": " + course(m.Samples), place: place{series: m}})
	}
	return all, nil
}

// ofSeries reports whether a series is about of, or names it in a label.
func ofSeries(of analyzer.Subject, labels map[string]string) bool {
	if of.IsZero() || analyzer.SubjectOf(labels) == of {
		return true
	}
	_, id, _ := strings.Cut(of.Name, "/")
	for _, v := range labels {
		if v == of.Name || of.Kind == "gpu" && v == id {
			return of.Namespace == "" || labels["namespace"] == of.Namespace
		}
	}
	return false
}

// course says how readings went: where they began and ended, and how far they came.
func course(ps []snapshot.Sample) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range ps {
		low, high = min(low, p.Value), max(high, p.Value)
	}
	first, last := ps[0], ps[len(ps)-1]
	return fmt.Sprintf("%g at %s, %g at %s; lowest %g, highest %g", first.Value, clock(first.At), last.Value, clock(last.At), low, high)
}

// mostIncidents is how many incidents are searched.
const mostIncidents = 200

// incidents finds earlier ones of the subject, or whose title or cause holds the
// text: what was the matter, and what ended it.
func (x *session) incidents(ctx context.Context, w want) ([]item, error) {
	if x.Book == nil {
		return nil, errors.New("no book of incidents is at hand")
	}
	ins, err := x.Book.List(ctx, mostIncidents)
	var all []item
	for _, in := range slices.Backward(ins) { // the newest first
		text := fmt.Sprintf("%s: %s, cause %s, opened %s", in.ID, in.Title, orUnknown(string(in.Cause)), clock(in.Opened))
		if !in.Open() {
			text += ", closed " + clock(in.Closed)
		}
		if !w.of.IsZero() && in.Subject != w.of || !w.holds(text) {
			continue
		}
		all = append(all, item{source: "incident#" + in.ID, at: in.Opened, about: in.Subject.String(), text: text})
	}
	return all, err
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}
