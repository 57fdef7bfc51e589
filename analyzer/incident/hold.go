package incident

import (
	"cmp"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/rules/fault"
)

// What one incident holds at most. A report lists twenty of each and is taken
// again every few seconds, so that a job which is restarted again and again
// would add to it for ever; the beginning matters most.
const (
	maxEvidence = 50
	maxAffected = 200
)

// inView is how far back every live diagnosis sees: what is younger has not left it.
const inView = 30 * time.Minute

// waiting are the causes of one thing, that a pod waits for a place: which of
// them holds is arithmetic over the free nodes, and changes when a pod elsewhere
// ends. A workload has one incident for all of them.
var waiting = []fault.CauseID{
	"gpu-capacity-exhausted", "gpu-fragmented", "gpu-mig-profile-mismatch", "gpu-taint-untolerated", "efa-missing",
	"cpu-capacity-insufficient", "memory-capacity-insufficient", "ephemeral-storage-capacity-insufficient",
	"node-cordoned", "node-taint-untolerated", "node-selector-unmatched", "node-affinity-unmatched",
	"pod-anti-affinity-conflict", "topology-spread-unsatisfiable", "host-port-conflict",
}

// enrich returns d with what was known of its subject before. A diagnosis sees
// the time of its window only: what has left it was so all the same, so the
// affected and the evidence are added up, the first sign is the earliest, and an
// account that has lost its beginning gives way to the one that had it.
func enrich(d analyzer.Diagnosis, was *analyzer.Diagnosis) analyzer.Diagnosis {
	if was == nil || was.Subject != d.Subject {
		return d
	}
	rich, more := d, *was
	if was.Cause == d.Cause {
		if faded(d, *was) {
			rich, more = *was, d
		}
		rich.Evidence = union(rich.Evidence, more.Evidence, maxEvidence, func(e analyzer.Evidence) string { return e.Source })
	}
	rich.Affected = union(rich.Affected, more.Affected, maxAffected, func(s analyzer.Subject) analyzer.Subject { return s })
	if f := more.FirstSymptom; f != nil && (rich.FirstSymptom == nil || f.At.Before(rich.FirstSymptom.At)) {
		rich.FirstSymptom = f
	}
	return rich
}

// faded reports whether d has lost the beginning that was had in view.
func faded(d, was analyzer.Diagnosis) bool {
	return was.FirstSymptom != nil && (d.FirstSymptom == nil || d.FirstSymptom.At.After(was.FirstSymptom.At))
}

func union[T any, K comparable](first, more []T, most int, key func(T) K) []T {
	all := slices.Clone(first)
	for _, x := range more {
		if len(all) < most && !slices.ContainsFunc(all, func(o T) bool { return key(o) == key(x) }) {
			all = append(all, x)
		}
	}
	return all
}

// diagnosed makes a claim of every cause that stands. Those that wait for a
// place are one for each subject, and what an open incident explains already is
// a consequence of it.
func diagnosed(r analyzer.Report, open []analyzer.Incident, now time.Time) []claim {
	var claims []claim
	for i := range r.Diagnoses {
		if d := &r.Diagnoses[i]; d.Confidence >= standing {
			claims = append(claims, claim{key: keyOf(*d), subject: d.Subject, diagnosis: d})
		}
	}
	isOpen := func(key string) bool {
		return slices.ContainsFunc(open, func(in analyzer.Incident) bool { return in.Key == key })
	}
	var all []claim
	for _, c := range claims {
		twin := func(o claim) bool { return o.key != c.key && o.waitsAs(c.diagnosis.Cause, c.subject) }
		if slices.ContainsFunc(all, twin) || !isOpen(c.key) && slices.ContainsFunc(claims, func(o claim) bool { return twin(o) && isOpen(o.key) }) {
			continue
		}
		all = append(all, c)
	}
	for _, in := range open {
		if in.Diagnosis == nil {
			continue
		}
		if f := in.Diagnosis.FirstSymptom; f != nil && now.Sub(f.At) < inView || slices.ContainsFunc(all, func(c claim) bool { return c.key == in.Key && !faded(*c.diagnosis, *in.Diagnosis) }) {
			continue // all of it is in view, and what is a diagnosis beside it is another matter
		}
		follows := func(c claim) bool { return c.key != in.Key && !isOpen(c.key) && accounts(in, *c.diagnosis) }
		var also []*analyzer.Diagnosis
		for _, c := range all {
			if follows(c) {
				also = append(also, c.diagnosis)
			}
		}
		if len(also) == 0 {
			continue
		}
		all = slices.DeleteFunc(all, follows)
		i := slices.IndexFunc(all, func(c claim) bool { return c.key == in.Key })
		if i < 0 {
			i = len(all)
			all = append(all, claim{key: in.Key, subject: in.Subject, diagnosis: in.Diagnosis})
		}
		all[i].also = also
	}
	return all
}

func keyOf(d analyzer.Diagnosis) string { return string(d.Cause) + "|" + d.Subject.String() }

// waitsAs reports whether c and cause are both of what s waits for.
func (c claim) waitsAs(cause fault.CauseID, s analyzer.Subject) bool {
	return c.diagnosis != nil && c.subject == s && slices.Contains(waiting, c.diagnosis.Cause) && slices.Contains(waiting, cause)
}

// accounts reports whether in tells why d is so: what d is about is hurt by the
// cause of in, and its first sign is one that in has noted, or from the time in
// which in noted its own. What begins later has its own reason.
func accounts(in analyzer.Incident, d analyzer.Diagnosis) bool {
	if !slices.Contains(in.Diagnosis.Affected, d.Subject) || d.FirstSymptom == nil {
		return false
	}
	var last time.Time
	for _, m := range in.Timeline {
		if m.Kind == "evidence" && m.At.After(last) {
			last = m.At
		}
	}
	for _, e := range d.Evidence {
		if e.Text == d.FirstSymptom.Text && slices.ContainsFunc(in.Timeline, func(m analyzer.Moment) bool { return m.Source == e.Source }) {
			return true
		}
	}
	first := in.Diagnosis.FirstSymptom
	return first != nil && !d.FirstSymptom.At.Before(first.At) && !d.FirstSymptom.At.After(last)
}

// consequence notes that what d says follows from the cause of in.
func consequence(in *analyzer.Incident, d analyzer.Diagnosis) {
	in.Diagnosis.Affected = union(in.Diagnosis.Affected, d.Affected, maxAffected, func(s analyzer.Subject) analyzer.Subject { return s })
	m := analyzer.Moment{At: d.FirstSymptom.At, Subject: d.Subject, Kind: "evidence", Text: "follows from it: " + d.Summary}
	if len(d.Evidence) > 0 {
		m.Source = d.Evidence[0].Source
	}
	if !slices.ContainsFunc(in.Timeline, func(o analyzer.Moment) bool {
		return o.Kind == m.Kind && o.Source == m.Source && o.Subject == m.Subject
	}) {
		note(in, m)
	}
}

// recaused returns the open incident of the same subject that waits for a place
// for another reason, under its new cause.
func (c claim) recaused(open []analyzer.Incident, now time.Time) (analyzer.Incident, bool) {
	i := slices.IndexFunc(open, func(in analyzer.Incident) bool { return c.waitsAs(in.Cause, in.Subject) })
	if i < 0 {
		return analyzer.Incident{}, false
	}
	in := open[i]
	in.Key = c.key
	note(&in, analyzer.Moment{At: now, Subject: c.subject, Kind: "cause", Text: "the cause is " + string(c.diagnosis.Cause) + " now, and was " + string(in.Cause)})
	return in, true
}

// at returns the place of the claim that f belongs to, or -1: that which is about
// its subject, before one that lists it among what it hurts. What an open
// incident is about is its, though another cause touches it too.
func at(claims []claim, f analyzer.Finding, open []analyzer.Incident, r analyzer.Report) int {
	if i := slices.IndexFunc(claims, func(c claim) bool { return isOf(f.Subject, c.subject) }); i >= 0 {
		return i
	}
	if f.Kind != analyzer.Anomaly && slices.ContainsFunc(open, func(in analyzer.Incident) bool { return isAbout(in, f, r) }) {
		return -1
	}
	return slices.IndexFunc(claims, func(c claim) bool {
		return explains(*c.diagnosis, f.Subject) || slices.ContainsFunc(c.also, func(d *analyzer.Diagnosis) bool { return explains(*d, f.Subject) })
	})
}

// owner returns the open incident that f belongs to where no cause of now does.
func owner(f analyzer.Finding, open []analyzer.Incident, r analyzer.Report) int {
	if i := slices.IndexFunc(open, func(in analyzer.Incident) bool { return isAbout(in, f, r) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(open, func(in analyzer.Incident) bool { return in.Diagnosis != nil && explains(*in.Diagnosis, f.Subject) })
}

// isAbout reports whether in has a cause, which still is one, and f is of its subject.
func isAbout(in analyzer.Incident, f analyzer.Finding, r analyzer.Report) bool {
	return in.Diagnosis != nil && isOf(f.Subject, in.Subject) && !ruledOut(in, r)
}

// isOf reports whether s is top or one of its pods.
func isOf(s, top analyzer.Subject) bool {
	return s == top || s.Kind == "pod" && explains(analyzer.Diagnosis{Subject: top}, s)
}

// ruledOut reports whether r says that the cause of in is none.
func ruledOut(in analyzer.Incident, r analyzer.Report) bool {
	return slices.ContainsFunc(r.Rejected, func(x analyzer.Rejected) bool { return x.Cause == in.Cause && x.Subject == in.Subject })
}

// whose names what e is about.
func whose(e analyzer.Evidence, d analyzer.Diagnosis) analyzer.Subject {
	return cmp.Or(e.Subject, d.Subject)
}
