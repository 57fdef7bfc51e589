package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/account"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/topology"
	"vedette.dev/nlq"
)

// lookedAt is how many incidents are searched for the subject asked about.
const lookedAt = 200

func (d *Desk) why(ctx context.Context, a *Answer, w nlq.Why, now time.Time) error {
	s, err := d.Camera.Take(ctx, now)
	if err != nil {
		a.Caveats = append(a.Caveats, err.Error()) // what could be had is still an answer
	}
	var focus analyzer.Subject
	if w.Name != "" {
		focus, err = topology.Resolve(s, w.Kind, w.Name)
	}
	var many *topology.AmbiguousError
	switch {
	case errors.As(err, &many):
		var nearest []string
		for _, c := range many.Choices {
			nearest = append(nearest, "what is wrong with "+askable(c))
		}
		a.unclear(fmt.Sprintf("Several things are called %s. Which one do you mean?", w.Name), nearest)
		return nil
	case errors.Is(err, topology.ErrUnknownFocus):
		a.unclear(fmt.Sprintf("Nothing seen in the last half hour is called %s.", w.Name), []string{"what is wrong with the cluster"})
		a.Unclear.Words = []string{w.Name}
		return nil
	case err != nil && s == nil:
		return err
	}

	a.Kind = KindWhy
	r := diagnose.Diagnose(s, focus)
	a.Why = &WhyResult{Account: []analyzer.Sentence{}, Incidents: []string{}}
	if d.Tell != nil {
		r, a.Why.Model = d.Tell(ctx, r, s, now)
	}
	a.Why.Report = r
	if !focus.IsZero() {
		a.Why.Focus = &focus
	}
	if len(r.Diagnoses) > 0 {
		told, err := account.Plain{}.Explain(ctx, analyzer.Incident{Diagnosis: &r.Diagnoses[0], Rejected: r.Rejected, Unseen: r.Unseen})
		if err != nil {
			return err
		}
		a.Why.Account = orEmpty(told)
	}
	ins, err := d.Book.List(ctx, lookedAt)
	if err != nil {
		return err
	}
	for _, in := range ins {
		if in.Open() && (focus.IsZero() || concerns(in, focus)) {
			a.Why.Incidents = append(a.Why.Incidents, in.ID)
		}
	}
	return nil
}

// askable writes a subject as the grammar reads it.
func askable(s analyzer.Subject) string {
	if s.Namespace == "" {
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

// concerns reports whether the incident is about s, or hurts it.
func concerns(in analyzer.Incident, s analyzer.Subject) bool {
	if in.Subject == s || s.Kind == "node" && in.Subject.Node() == s.Name {
		return true
	}
	if in.Diagnosis != nil && slices.Contains(in.Diagnosis.Affected, s) {
		return true
	}
	return slices.ContainsFunc(in.Findings, func(f analyzer.Finding) bool { return f.Subject == s })
}
