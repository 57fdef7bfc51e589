package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// standing is the confidence from which a cause is one: the report calls
// itself inconclusive below it.
const standing = 0.5

// maxTimeline bounds what one incident remembers moment by moment.
const maxTimeline = 200

// A claim is what belongs to one incident at one moment: a cause and what it
// explains, or findings that nothing explains.
type claim struct {
	key       string
	subject   analyzer.Subject
	diagnosis *analyzer.Diagnosis
	also      []*analyzer.Diagnosis // what follows from it, and would be a cause by itself
	findings  []analyzer.Finding
}

// shares reports whether one of fs is also a finding of c.
func (c claim) shares(fs []analyzer.Finding) bool {
	return slices.ContainsFunc(fs, func(f analyzer.Finding) bool {
		return slices.ContainsFunc(c.findings, func(g analyzer.Finding) bool { return f.Key() == g.Key() })
	})
}

// group gives every finding to the likeliest cause that explains it, else to an
// open incident whose cause does: a diagnosis is of a moment, and another pod of
// a job that waits may be noticed in one in which none waits. What is left is
// grouped by signal and place, so that one trouble of eight GPUs of a node is
// one incident.
func group(fs []analyzer.Finding, r analyzer.Report, open []analyzer.Incident, now time.Time) []claim {
	claims := diagnosed(r, open, now)
	explained := len(claims)
	for _, f := range fs {
		if i := at(claims[:explained], f, open, r); i >= 0 {
			claims[i].findings = append(claims[i].findings, f)
			continue
		}
		if f.Kind == analyzer.Anomaly && !standsAlone(f, now) {
			continue
		}
		where := place(f.Subject)
		key := "unexplained|" + f.Signal + "|" + where.String()
		if i := owner(f, open, r); i >= 0 {
			where, key = open[i].Subject, open[i].Key
		}
		i := slices.IndexFunc(claims, func(c claim) bool { return c.key == key })
		if i < 0 {
			i = len(claims)
			claims = append(claims, claim{key: key, subject: where})
		}
		claims[i].findings = append(claims[i].findings, f)
	}
	return claims
}

// standsAlone reports whether an anomaly is an incident although nothing explains it.
func standsAlone(f analyzer.Finding, now time.Time) bool {
	return (f.Severity == "warning" || f.Severity == "critical") && now.Sub(f.From) >= patience
}

// apart returns what is told, and what somebody marked as no anomaly.
func apart(fs []analyzer.Finding) (told, marked []analyzer.Finding) {
	for _, f := range fs {
		if f.Marked != nil {
			marked = append(marked, f)
			continue
		}
		told = append(told, f)
	}
	return told, marked
}

// dismiss ends what in has of marked findings, with the mark beside it, and
// reports whether there was any: what is no anomaly keeps no incident open.
func dismiss(in *analyzer.Incident, marked []analyzer.Finding, now time.Time) bool {
	any := false
	for i := range in.Findings {
		f := &in.Findings[i]
		k := slices.IndexFunc(marked, func(m analyzer.Finding) bool { return m.Key() == f.Key() })
		if k < 0 || f.Marked != nil || !f.To.IsZero() {
			continue
		}
		f.Marked, f.To, any = marked[k].Marked, now.UTC(), true
		note(in, analyzer.Moment{At: f.Marked.At, Subject: f.Subject, Kind: "marked", Text: f.Signal + " is " + f.Marked.Text})
	}
	return any
}

// explains reports whether d speaks of s: of itself, of what d lists as
// affected, of the node that d's GPU is in, or of a pod of an affected workload.
func explains(d analyzer.Diagnosis, s analyzer.Subject) bool {
	if s == d.Subject || slices.Contains(d.Affected, s) {
		return true
	}
	if node := d.Subject.Node(); node != "" && s == analyzer.Node(node) {
		return true
	}
	return s.Kind == "pod" && slices.ContainsFunc(append([]analyzer.Subject{d.Subject}, d.Affected...), func(a analyzer.Subject) bool {
		return a.Kind != "pod" && a.Namespace == s.Namespace && a.Namespace != "" && strings.HasPrefix(s.Name, a.Name+"-")
	})
}

// place is where something without a known cause is: the node of a GPU, the
// namespace of a pod, else the thing itself.
func place(s analyzer.Subject) analyzer.Subject {
	switch {
	case s.Node() != "":
		return analyzer.Node(s.Node())
	case s.Namespace != "":
		return analyzer.Subject{Kind: "namespace", Name: s.Namespace}
	}
	return s
}

// extend brings in up to date with c. It reports whether the cause became
// known or changed.
func extend(in *analyzer.Incident, c claim, r analyzer.Report, now time.Time) bool {
	in.Updated = now.UTC()
	in.Findings = merge(in, c.findings, now)
	in.Severity = severity(in.Findings)
	if c.diagnosis == nil {
		if in.Cause == "" {
			in.Subject, in.Title = c.subject, unexplained(c)
		}
		return false
	}
	d := enrich(*c.diagnosis, in.Diagnosis)
	news := in.Cause != d.Cause
	in.Subject = d.Subject
	in.Cause, in.Confidence, in.Title, in.Diagnosis = d.Cause, d.Confidence, d.Summary, &d
	in.Rejected, in.Unseen = about(d, r.Rejected), r.Unseen
	for _, e := range d.Evidence {
		if e.At.IsZero() {
			continue // an object's state has no moment
		}
		note(in, analyzer.Moment{At: e.At, Subject: whose(e, d), Kind: "evidence", Text: e.Text, Source: e.Source})
	}
	for _, a := range c.also {
		consequence(in, *a)
	}
	return news
}

// unexplained is the title of what has no cause. The name of an alert says what is
// wrong, that of a metric does not.
func unexplained(c claim) string {
	f := c.findings[0]
	if f.Kind == analyzer.Anomaly {
		return fmt.Sprintf("%s: %s, cause not known", c.subject, f.Text)
	}
	return fmt.Sprintf("%s on %s, cause not known", f.Signal, c.subject)
}

// about returns what was rejected of the things that d speaks of: the report is
// of the whole cluster, the incident is not.
func about(d analyzer.Diagnosis, all []analyzer.Rejected) []analyzer.Rejected {
	return slices.DeleteFunc(slices.Clone(all), func(r analyzer.Rejected) bool { return !explains(d, r.Subject) })
}

// merge adds what is found now to what was, and ends what is not found any more.
func merge(in *analyzer.Incident, found []analyzer.Finding, now time.Time) []analyzer.Finding {
	out := []analyzer.Finding{} // never null on the wire
	for _, was := range in.Findings {
		i := slices.IndexFunc(found, func(f analyzer.Finding) bool { return f.Key() == was.Key() })
		if i < 0 {
			if was.To.IsZero() {
				if was.To = was.Last; was.To.IsZero() {
					was.To = now.UTC()
				}
			}
			out = append(out, was)
			continue
		}
		is := found[i]
		if was.From.Before(is.From) {
			is.From = was.From
		}
		out = append(out, is)
	}
	for _, f := range found {
		if !slices.ContainsFunc(out, func(o analyzer.Finding) bool { return o.Key() == f.Key() }) {
			out = append(out, f)
			note(in, analyzer.Moment{At: f.From, Subject: f.Subject, Kind: "finding", Text: f.Text, Source: cmp.Or(f.Source, f.Query)})
		}
	}
	return out
}

// severities, the worst first. What carries none is a warning, and an anomaly
// that does is no incident by itself.
var severities = []string{"critical", "warning", "info"}

func severity(fs []analyzer.Finding) string {
	worst := len(severities) - 1
	alone := !slices.ContainsFunc(fs, func(f analyzer.Finding) bool { return f.Kind != analyzer.Anomaly })
	for _, f := range fs {
		i := slices.Index(severities, cmp.Or(f.Severity, "warning"))
		if f.Kind == analyzer.Anomaly && !alone || i < 0 {
			continue // an anomaly beside an alert makes it no worse
		}
		worst = min(worst, i)
	}
	if len(fs) == 0 {
		return "warning"
	}
	return severities[worst]
}

// holds reports whether c explains all that in is about and nothing explains, or
// what r says is no cause.
func (c claim) holds(in analyzer.Incident, r analyzer.Report) bool {
	return c.diagnosis != nil && (in.Cause == "" || explains(*c.diagnosis, in.Subject) && ruledOut(in, r)) && !slices.ContainsFunc(in.Findings, func(f analyzer.Finding) bool { return !explains(*c.diagnosis, f.Subject) })
}

// end closes in, and says why.
func end(in *analyzer.Incident, now time.Time, why string) {
	in.Closed = now.UTC()
	for i := range in.Findings {
		if in.Findings[i].To.IsZero() {
			in.Findings[i].To = in.Updated
		}
	}
	note(in, analyzer.Moment{At: now, Subject: in.Subject, Kind: "closed", Text: why})
}

// note adds a moment to the timeline, once, in time order. A timeline that is
// full keeps its beginning: how it started matters most.
func note(in *analyzer.Incident, m analyzer.Moment) {
	m.At = m.At.UTC()
	same := func(o analyzer.Moment) bool {
		return o.Kind == m.Kind && o.Source == m.Source && o.Text == m.Text && (o.At.Equal(m.At) || m.Kind == "evidence")
	}
	if slices.ContainsFunc(in.Timeline, same) || (len(in.Timeline) >= maxTimeline && m.Kind == "evidence") {
		return
	}
	in.Timeline = append(in.Timeline, m)
	slices.SortStableFunc(in.Timeline, func(a, b analyzer.Moment) int { return a.At.Compare(b.At) })
}
