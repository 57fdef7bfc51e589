package investigate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/nlq/talk"
	"vedette.dev/rules/fault"
)

// search has the model look and suppose until it is done, or has no step, no
// time, no room or no token left. A quarter of the tokens is kept for telling.
func (x *session) search(ctx context.Context) {
	if x.Snapshot == nil {
		x.doubt("only the report is at hand: there is nothing to look into")
		return
	}
	open := x.opening(searchPrompt())
	var since []talk.Turn // each step and what it showed
	last := ""
	keep, steps := x.left/4, orDefault(x.Steps, defaultSteps)
	for step := range steps {
		draft := func(room int) []talk.Turn { return slices.Concat(open(room), since) }
		text, err := x.ask(ctx, moveForm, draft, keep)
		var no talk.Refused
		if err != nil && !errors.As(err, &no) {
			return
		}
		var m move
		if err == nil {
			m, err = talk.Decode[move](text)
		}
		if err == nil && m.Act != "done" { // then nothing is made of the rest, which weak models fill in all the same
			err = talk.Idle(m, "act", m.Act, moveUses)
		}
		if text == last {
			x.doubt("the search ended where the model did the same again")
			return
		}
		last = text
		answer := ""
		switch {
		case err != nil:
			answer = fmt.Sprintf("That form cannot be used: %v. Fill in the whole form again.", err)
		case m.Act == "done":
			return
		case m.Act == "look":
			answer = x.look(ctx, m)
		case m.Act == "suppose":
			answer = x.suppose(m)
		}
		answer += fmt.Sprintf("\n(%d steps are left.)", steps-step-1)
		since = append(since, talk.Turn{By: talk.Machine, Text: shown(text)}, talk.Turn{By: talk.Asker, Text: x.veil.Hide(answer)})
		if room := x.Line.Room(); talk.Length(open(room))+talk.Length(since) > room {
			x.doubt("the search ended where the talk was as long as a model remembers")
			return
		}
	}
	x.doubt("the search ended after %d steps", steps)
}

func searchPrompt() string {
	return render("search.tmpl", map[string]string{"Causes": strings.Join(causes(), " "), "Schema": moveForm.Schema()})
}

func causes() []string {
	var all []string
	for id := range fault.Causes() {
		all = append(all, string(id))
	}
	slices.Sort(all)
	return all
}

// suppose has the engine judge what the model supposes, and returns what the
// model is told of it.
func (x *session) suppose(m move) string {
	s := Supposed{Cause: fault.CauseID(m.Cause), Cites: []string{}}
	var err error
	if _, ok := fault.Causes()[s.Cause]; !ok {
		return fmt.Sprintf("There is no cause %q.", talk.Short(m.Cause))
	}
	if s.Subject, err = analyzer.ParseSubject(printable(x.veil.Back(m.Of, nil))); err != nil {
		return fmt.Sprintf("Nothing was judged: %v.", err)
	}
	if slices.ContainsFunc(x.Report.Diagnoses, func(d analyzer.Diagnosis) bool {
		return d.Cause == s.Cause && d.Subject == s.Subject && d.Confidence >= sure
	}) {
		return "That is in the report already."
	}
	var cited []*item
	for _, id := range m.Cites {
		i := x.file.items[id]
		if i == nil {
			return fmt.Sprintf("Nothing was judged: there is no item %q.", talk.Short(id))
		}
		cited = append(cited, i)
		s.Cites = append(s.Cites, i.source)
	}
	r, why := x.judge(s, cited)
	if why != "" {
		s.Why = why
		x.account.Guesses = append(slices.DeleteFunc(x.account.Guesses, s.again), s) // of one supposed twice the last
		return "The program does not find that: " + why + "."
	}
	s.Why = "its rules find it with what was found"
	x.account.Added = append(x.account.Added, s)
	x.account.Guesses = slices.DeleteFunc(x.account.Guesses, s.again)
	x.Report = r
	x.file.open(r)
	return "The program finds that too. Its report is now this.\n" + x.file.listing(r, mostReport)
}

// again reports whether o supposes the same.
func (s Supposed) again(o Supposed) bool { return s.Cause == o.Cause && s.Subject == o.Subject }

// judge has the engine judge the snapshot with what was found. It returns its
// report where that holds the cause, and otherwise why the cause is none.
func (x *session) judge(s Supposed, cited []*item) (analyzer.Report, string) {
	known := map[string]bool{}
	for _, d := range x.Report.Diagnoses {
		for _, e := range d.Evidence {
			known[e.Source] = true
		}
	}
	found := &snapshot.Snapshot{Kernel: map[string][]snapshot.Line{}}
	fresh := map[string]bool{}
	pods := topology.New(x.Snapshot).Pods(s.Subject)
	for _, i := range cited {
		if i.id[0] != 'F' || known[i.source] {
			continue
		}
		fresh[i.source] = true
		i.place.put(found, s.Subject.Node(), pods)
	}
	if len(fresh) == 0 {
		return x.Report, "nothing is cited for it that the report does not rest on already"
	}
	with := x.Snapshot.With(found).Recall(s.Subject)
	if !topology.Has(with, s.Subject) {
		return x.Report, fmt.Sprintf("nothing is called %s", s.Subject)
	}
	var focus analyzer.Subject
	if x.Report.Focus != nil {
		focus = *x.Report.Focus
	}
	r := diagnose.Diagnose(with, focus)
	at := slices.IndexFunc(r.Diagnoses, func(d analyzer.Diagnosis) bool { return d.Cause == s.Cause && same(with, d.Subject, s.Subject) })
	if at < 0 {
		return x.Report, whyNot(r, s)
	}
	d := &r.Diagnoses[at]
	if d.Confidence < sure {
		return x.Report, fmt.Sprintf("its rules are not sure enough of it, at a confidence of %.2f", d.Confidence)
	}
	rests := func(new bool) bool {
		return slices.ContainsFunc(d.Evidence, func(e analyzer.Evidence) bool { return fresh[e.Source] == new })
	}
	switch {
	case !rests(true):
		return x.Report, "its rules do not take what is cited for a sign of it"
	case !rests(false):
		return x.Report, "nothing that the program saw by itself follows from it"
	}
	for _, i := range cited {
		if by := i.place.author(); !by.IsZero() && !same(with, by, s.Subject) && slices.Contains(d.Affected, by) {
			return x.Report, fmt.Sprintf("%s was written by %s, which it would excuse", i.source, by)
		}
	}
	for _, a := range append(slices.Clone(x.account.Added), s) {
		x.caution(with, &r, a)
	}
	for _, u := range x.Report.Unseen { // what was found of a log does not make it captured
		if !slices.Contains(r.Unseen, u) {
			r.Unseen = append(r.Unseen, u)
		}
	}
	slices.Sort(r.Unseen)
	x.Snapshot = with
	return r, ""
}

// caution says of a cause that was added whose word it is that it rests on.
func (x *session) caution(in *snapshot.Snapshot, r *analyzer.Report, a Supposed) {
	for i := range r.Diagnoses {
		if d := &r.Diagnoses[i]; d.Cause == a.Cause && same(in, d.Subject, a.Subject) {
			d.Caveats = append(d.Caveats, fmt.Sprintf("the model %s pointed at what it rests on: %s", x.Line.Name, strings.Join(a.Cites, ", ")))
		}
	}
}

// sure is the confidence from which the engine counts a cause as found.
const sure = 0.5

// whyNot is what the engine says to a cause that it did not find.
func whyNot(r analyzer.Report, s Supposed) string {
	for _, x := range r.Rejected {
		if x.Cause == s.Cause && x.Subject == s.Subject {
			return x.Why
		}
	}
	return "none of its rules leads from what it saw and what is cited to that cause of that subject"
}

// same reports whether two subjects are one for a report: a pod may be named by
// its workload.
func same(s *snapshot.Snapshot, a, b analyzer.Subject) bool {
	if a == b {
		return true
	}
	g := topology.New(s)
	return a == g.Workload(b) || b == g.Workload(a)
}

// author returns the pod that wrote a line; zero where none did.
func (p place) author() analyzer.Subject {
	if p.line == nil || p.log.Pod == "" {
		return analyzer.Subject{}
	}
	return analyzer.Pod(p.log.Namespace, p.log.Pod)
}

// put puts what was found where the engine reads it. A line in which another
// program names the supposed node, or one of the supposed pods, is read as if it
// stood in their own log: whose it is, is the model's to say; what it means is not.
func (p place) put(into *snapshot.Snapshot, node string, pods []analyzer.Subject) {
	switch {
	case p.event != nil:
		into.Events = append(into.Events, *p.event)
	case p.revision != nil:
		into.History = append(into.History, *p.revision)
	case p.series != nil:
		into.Metrics = append(into.Metrics, *p.series)
	case p.line == nil:
	case p.node != "":
		into.Kernel[p.node] = append(into.Kernel[p.node], *p.line)
	default:
		p.putLine(into, node, pods)
	}
}

func (p place) putLine(into *snapshot.Snapshot, node string, pods []analyzer.Subject) {
	own, line := p.log, []snapshot.Line{*p.line}
	own.Lines = line
	into.Logs = append(into.Logs, own)
	names := func(name string) bool {
		return name != "" && holdsWord(strings.ToLower(p.line.Text), strings.ToLower(name))
	}
	if names(node) {
		into.Kernel[node] = append(into.Kernel[node], line...)
	}
	for _, pod := range pods {
		if pod != p.author() && names(pod.Name) {
			into.Logs = append(into.Logs, snapshot.Log{Namespace: pod.Namespace, Pod: pod.Name, Lines: line})
		}
	}
}
