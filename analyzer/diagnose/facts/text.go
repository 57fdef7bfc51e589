package facts

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/knowledge"
	"vedette.dev/analyzer/snapshot"
)

// readTexts reads facts out of events, logs and kernel lines by patterns.
func (w *World) readTexts() {
	for _, e := range w.s.Events {
		said := e.Reason + ": " + e.Message
		if found := knowledge.All().In(knowledge.Event).Match(said); found != nil {
			subject := e.About()
			w.addTexts(found, said, subject, Fact{Fact: analyzer.Fact{At: e.Onset(), Standing: w.eventStands(subject, e), Source: e.Source}, Kind: EventKind, Until: e.Latest()})
		}
	}
	for _, node := range slices.Sorted(maps.Keys(w.s.Kernel)) {
		booted := bootedAt(w.s.Kernel[node])
		w.readNodeLog(node, w.s.Kernel[node], knowledge.Kernel, KernelKind, func(l snapshot.Line) bool { return !l.At.Before(booted) })
	}
	for _, u := range w.s.Units {
		last := u.Lines[max(len(u.Lines)-lastWords, 0):]
		w.readNodeLog(u.Node, u.Lines, knowledge.Journal, JournalKind, func(l snapshot.Line) bool {
			return slices.ContainsFunc(last, func(x snapshot.Line) bool { return x.Source == l.Source })
		})
	}
	w.readLoops()
	for _, l := range w.s.Logs {
		w.readLog(l)
	}
}

// readLoops makes a state of units that end as soon as they start, whatever
// they say as they do.
func (w *World) readLoops() {
	for _, f := range w.Called("unit-kubelet-down", "unit-runtime-down") {
		if f.Kind == JournalKind && len(f.Also)+1 >= manyRestarts && w.now.Sub(latest(f)) <= fresh {
			f.Standing = true
		}
	}
}

// lastWords is how many lines at the end of a unit's journal tell how the unit
// is: systemd's own remark on an end takes up to four.
const lastWords = 5

// readNodeLog reads a log of a node; lasts says of a line whether nothing since
// can have undone what it tells.
func (w *World) readNodeLog(node string, lines []snapshot.Line, in knowledge.Place, k Kind, lasts func(snapshot.Line) bool) {
	shelf := knowledge.All().In(in)
	for _, l := range lines {
		if found := shelf.Match(l.Text); found != nil {
			w.addTexts(found, l.Text, analyzer.Node(node), Fact{Fact: analyzer.Fact{At: l.At, Standing: w.now.Sub(l.At) <= time.Hour, Source: l.Source}, Kind: k, Lasts: lasts(l)})
		}
	}
}

// readLog reads a container's log: the lines that match a pattern, and its last words.
func (w *World) readLog(l snapshot.Log) {
	subject := analyzer.Pod(l.Namespace, l.Pod)
	p := w.pods[subject]
	stands := p != nil && !p.gone && !p.ready()
	shelf := knowledge.All().In(knowledge.Log)
	for _, line := range l.Lines {
		if found := shelf.Match(line.Text); found != nil {
			w.addTexts(found, line.Text, subject, Fact{Fact: analyzer.Fact{At: line.At, Standing: stands, Source: line.Source}, Kind: LogKind})
		}
	}
	if p == nil || !endedWith(p, l) {
		return
	}
	for i := len(l.Lines) - 1; i >= 0; i-- {
		if line := l.Lines[i]; strings.TrimSpace(line.Text) != "" {
			w.add(Fact{Fact: analyzer.Fact{Subject: subject, Name: "last-words", At: line.At, Standing: stands,
				Text: "its last words: " + clip(line.Text), Source: line.Source}, Kind: LogKind})
			return
		}
	}
}

// endedWith reports whether l is the log of an instance that ended with an error.
func endedWith(p *pod, l snapshot.Log) bool {
	bad := func(t *corev1.ContainerStateTerminated) bool { return t != nil && t.ExitCode != 0 }
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if cs.Name != l.Container {
			continue
		}
		if l.Previous {
			return bad(cs.LastTerminationState.Terminated)
		}
		return bad(cs.State.Terminated) || cs.State.Waiting != nil && bad(cs.LastTerminationState.Terminated)
	}
	return false
}

// readStatus reads facts out of what the kubelet says of a pod.
func (w *World) readStatus(said string, of *Fact) {
	w.addTexts(knowledge.All().In(knowledge.Status).Match(said), said, of.Subject, *of)
}

// addTexts adds a fact for every text that was found in what subject said. It
// is like its model but for what the text says of it.
func (w *World) addTexts(found []knowledge.Found, said string, subject analyzer.Subject, model Fact) {
	for _, t := range found {
		f := model
		f.Detail, f.Also = t.Details, nil
		for k, v := range model.Detail {
			if _, ok := f.Detail[k]; !ok {
				f.Detail[k] = v
			}
		}
		f.Name, f.Text, f.Subject, f.Weight = t.Fact, clip(said), w.Blame(t.On, subject), t.Weight
		if f.Subject != subject {
			f.Seen = []analyzer.Subject{subject}
		}
		switch {
		case t.Lasting && f.Kind == JournalKind:
			f.Standing = model.Lasts // the unit said other things since
		case t.Lasting:
			f.Standing = f.Standing || model.Lasts
		}
		if p := w.pods[subject]; f.Kind == LogKind && t.Weight > 0 && p != nil && !p.gone && w.now.Sub(f.At) <= restartMemory {
			f.Standing = true // a program may be ready and of no use
		}
		if ms, err := strconv.ParseInt(f.Detail["ms"], 10, 64); err == nil && !f.At.IsZero() && ms < maxOnsetMs {
			f.At = f.At.Add(-time.Duration(ms) * time.Millisecond) // it says how long it had waited
		}
		w.addOnce(f)
	}
}

// maxOnsetMs bounds how far back a line may move its own onset: a day.
const maxOnsetMs = 24 * 60 * 60 * 1000

// addOnce adds f, or counts it as one more sighting of a fact that is there.
func (w *World) addOnce(f Fact) {
	key := sighting{f.Name, f.Subject, f.Kind}
	o := w.once[key]
	if o == nil {
		w.once[key] = w.add(f)
		return
	}
	o.Also = append(o.Also, analyzer.Evidence{Source: f.Source, At: f.At.UTC(), Text: f.Text})
	o.Standing = o.Standing || f.Standing
	for _, s := range f.Seen {
		if !slices.Contains(o.Seen, s) {
			o.Seen = append(o.Seen, s)
		}
	}
	for _, at := range []time.Time{f.At, f.Until} {
		if at.After(o.Until) {
			o.Until = at
		}
	}
	if !f.At.IsZero() && f.At.Before(o.At) {
		o.At = f.At.UTC()
	}
}

// A sighting is what makes two facts one: the same happening to the same
// subject, seen in the same kind of place.
type sighting struct {
	name    string
	subject analyzer.Subject
	kind    Kind
}

// Blame turns the subject of a text into the one that its pattern names.
func (w *World) Blame(on string, s analyzer.Subject) analyzer.Subject {
	switch on {
	case "node":
		if s.Kind == "node" {
			return s
		}
		if n := w.NodeOf(s); n != "" {
			return analyzer.Node(n)
		}
	case "workload":
		return w.Workload(s)
	case "namespace":
		if s.Namespace != "" {
			return analyzer.Subject{Kind: "namespace", Name: s.Namespace}
		}
	case "database":
		return w.database(s)
	case "cluster":
		return analyzer.Cluster(w.s.Cluster.Name)
	}
	return s
}

// eventStands reports whether what an event tells of is still so: it was seen
// of late, or again and again, and its object does not look well since.
func (w *World) eventStands(s analyzer.Subject, e snapshot.Event) bool {
	if e.Type == corev1.EventTypeNormal && e.Reason != "Killing" && e.Reason != "BackOff" {
		return false
	}
	if p := w.pods[s]; p != nil {
		return !p.gone && (!p.ready() || w.now.Sub(e.Latest()) <= fresh && e.Times() >= manyRestarts)
	}
	if s.Kind == "pod" {
		return false // it is gone
	}
	if top := w.Workload(s); w.known(top) && top.Kind != "job" {
		return len(w.short(top)) > 0 || w.controllers[top].stuck // a controller that has its pods got over what it said
	}
	return w.now.Sub(e.Latest()) <= restartMemory
}

// evidenceOf cites an event.
func evidenceOf(e snapshot.Event) analyzer.Evidence {
	return analyzer.Evidence{Source: e.Source, At: e.Onset(), Text: clip(e.Reason + ": " + e.Message)}
}

// maxText bounds a quoted line.
const maxText = 300

func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}
