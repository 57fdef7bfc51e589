package incident

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"vedette.dev/analyzer"
)

const (
	// mostEarlier is how many a report tells of, which is read by people.
	mostEarlier = 5
	// searched is how many incidents before one are compared with it: some months of
	// a cluster that has a few a day.
	searched = 500
)

// earlier returns those before in that are like it, the likest first: of the
// same cause, of the same subject, then near it and of its kind; of equals the
// newest. What shares neither cause nor subject is another matter, wherever it was.
func (b *Book) earlier(ctx context.Context, in analyzer.Incident) ([]analyzer.Earlier, error) {
	past, err := read(ctx, b.db, `WHERE opened < ? AND id != ? ORDER BY opened DESC, id DESC LIMIT ?`, in.Opened.UnixMilli(), in.ID, searched)
	if err != nil {
		return nil, fmt.Errorf("read incidents before %s: %w", in.ID, err)
	}
	type scored struct {
		analyzer.Earlier
		score int
	}
	var all []scored
	for _, p := range past {
		if score, alike := likeness(in, p); score >= like {
			all = append(all, scored{analyzer.Earlier{ID: p.ID, Title: p.Title, Cause: p.Cause, Subject: p.Subject, Opened: p.Opened, Closed: p.Closed, Ended: ended(p), Alike: alike}, score})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var out []analyzer.Earlier
	for _, s := range all[:min(len(all), mostEarlier)] {
		out = append(out, s.Earlier)
	}
	return out, nil
}

// like is the likeness from which two incidents are: that of one subject. Each
// likeness weighs more than all below it together.
const like = 8

// likeness says how like the earlier one is, and in what.
func likeness(in, was analyzer.Incident) (score int, alike []string) {
	same := func(is bool, weight int, words string) {
		if is {
			score += weight
			alike = append(alike, words)
		}
	}
	same(in.Cause != "" && in.Cause == was.Cause, 16, "the same cause")
	if in.Subject == was.Subject {
		same(true, like+4+2+1, "the same "+in.Subject.Kind)
		return score, alike
	}
	where := place(in.Subject)
	same(where == place(was.Subject), 4, "the same "+where.Kind)
	i := slices.IndexFunc(in.Touched, func(s analyzer.Subject) bool {
		return s != in.Subject && s != where && s.Kind != "pod" && slices.Contains(was.Touched, s)
	})
	if i >= 0 {
		same(true, 2, "it touched "+in.Touched[i].String()+" too")
	}
	same(in.Subject.Kind == was.Subject.Kind, 1, "a "+in.Subject.Kind+" as well")
	return score, alike
}

// ended says how an incident ended, in the words of its timeline.
func ended(in analyzer.Incident) string {
	if in.Open() {
		return "it goes on"
	}
	for _, m := range slices.Backward(in.Timeline) {
		if m.Kind == "closed" {
			return m.Text
		}
	}
	return "closed"
}

// touched lists all that in was seen on: its subject, what its cause hurts, and
// what its findings and its evidence are about.
func touched(in analyzer.Incident) []analyzer.Subject {
	all := []analyzer.Subject{in.Subject}
	add := func(s analyzer.Subject) {
		if !s.IsZero() && len(all) < maxAffected && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if in.Diagnosis != nil {
		for _, s := range in.Diagnosis.Affected {
			add(s)
		}
	}
	for _, f := range in.Findings {
		add(f.Subject)
	}
	for _, m := range in.Timeline {
		if m.Kind == "evidence" {
			add(m.Subject)
		}
	}
	return all
}
