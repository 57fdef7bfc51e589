package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/history"
	"vedette.dev/nlq"
)

const (
	// maxChanges bounds what is listed; Total has them all.
	maxChanges = 200
	// maxActions is how many entries of the ledger are looked through.
	maxActions = 200
)

// changes lists what changed, of objects and by actions.
func (d *Desk) changes(ctx context.Context, a *Answer, c nlq.Changes, now time.Time) error {
	a.Kind, a.Changes = KindChanges, &ChangesResult{From: now.Add(-c.Since).UTC(), To: now.UTC(), Rows: []Change{}}
	all, err := d.Past.Changes(ctx, a.Changes.From, a.Changes.To)
	if err != nil {
		return err
	}
	entries, err := d.Ledger.Entries(ctx, maxActions)
	if err != nil {
		return err
	}
	for _, ch := range all {
		if within(c.About, ch.Subject) {
			a.Changes.Rows = append(a.Changes.Rows, Change{ch.At.UTC(), ch.Subject.String(), ch.What, ch.Source})
		}
	}
	for _, e := range entries {
		if e.State == action.Done && !e.Finished.Before(a.Changes.From) && !e.Finished.After(a.Changes.To) && (c.About.Name == "" || strings.Contains(e.Target, c.About.Name)) {
			a.Changes.Rows = append(a.Changes.Rows, Change{e.Finished.UTC(), e.Target, fmt.Sprintf("%s: %s", e.Kind, cmp.Or(e.Result, e.Effect)), fmt.Sprintf("action#%d", e.ID)})
		}
	}
	slices.SortStableFunc(a.Changes.Rows, func(x, y Change) int { return y.At.Compare(x.At) })
	a.Changes.Total = len(a.Changes.Rows)
	a.Changes.Rows = a.Changes.Rows[:min(maxChanges, len(a.Changes.Rows))]
	if len(all) == history.Most {
		a.Caveats = append(a.Caveats, fmt.Sprintf("there was more than %d changes: the oldest are left out", history.Most))
	}
	return nil
}

// within reports whether s is what w names, or within it.
func within(w nlq.Why, s analyzer.Subject) bool {
	ns, name, inNamespace := strings.Cut(w.Name, "/")
	if !inNamespace {
		ns, name = "", w.Name
	}
	switch {
	case w.Name == "":
		return w.Kind == "" || s.Kind == w.Kind
	case w.Kind == "namespace":
		return s.Namespace == w.Name || s.Kind == "namespace" && s.Name == w.Name
	case ns != "" && s.Namespace != ns:
		return false
	}
	return strings.HasPrefix(s.Name, strings.TrimSuffix(name, "*")) && (w.Kind == "" || s.Kind == w.Kind || s.Node() == name)
}

// actions lists what the ledger holds.
func (d *Desk) actions(ctx context.Context, a *Answer, i nlq.Actions) error {
	all, err := d.Ledger.Entries(ctx, maxActions)
	if err != nil {
		return err
	}
	a.Kind, a.Actions = KindActions, &ActionsResult{Entries: []action.Entry{}}
	for _, e := range all {
		if !i.Pending || e.State == action.Proposed {
			a.Actions.Entries = append(a.Actions.Entries, e)
		}
		if e.State == action.Proposed {
			a.Actions.How = "Nothing is decided by words here: vedette actions approve ID, or the button on the page."
		}
	}
	return nil
}
