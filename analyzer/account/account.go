// Package account writes what was concluded up for people: a report or an
// incident as sentences, as text for a terminal and as Markdown. It concludes
// nothing itself, and a sentence without a source is not said.
package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/rules/fault"
)

// Plain writes an incident up in plain sentences, without a model.
type Plain struct{}

var _ analyzer.Explainer = Plain{}

// maxCites bounds the sources behind one sentence.
const maxCites = 3

// maxListed bounds what is listed as affected.
const maxListed = 20

// Explain tells what is so, when it began, what came of it, how sure that is
// and what to do, from the incident's diagnosis; without one it tells what was
// found. What rests on no source is left out. It never fails.
func (Plain) Explain(_ context.Context, in analyzer.Incident) ([]analyzer.Sentence, error) {
	if in.Diagnosis == nil {
		return found(in), nil
	}
	d := in.Diagnosis
	var all []analyzer.Sentence
	say := func(text string, cites ...string) {
		if cites = sources(cites); len(cites) > 0 {
			all = append(all, analyzer.Sentence{Text: text, Cites: cites})
		}
	}
	say(upper(d.Summary), heads(d.Evidence)...)
	if f := d.FirstSymptom; f != nil {
		say(fmt.Sprintf("The first sign was at %s on %s: %s.", clock(f.At), f.Subject, strings.TrimSuffix(f.Text, ".")), cite(d.Evidence, f.Text, f.At)...)
	}
	for _, l := range told(d) {
		text := fmt.Sprintf("%s: %s.", l.Subject, strings.TrimSuffix(l.What, "."))
		if !l.At.IsZero() {
			text = fmt.Sprintf("At %s, %s", clock(l.At), text)
		}
		say(text, cite(d.Evidence, l.What, l.At)...)
	}
	say(fmt.Sprintf("The confidence is %.2f%s.", d.Confidence, because(d)), append(against(d.Evidence), heads(d.Evidence)...)...)
	for _, r := range in.Rejected {
		say(fmt.Sprintf("It is not %s of %s: %s.", r.Cause, r.Subject, strings.TrimSuffix(r.Why, ".")), r.Cites...)
	}
	if len(d.Remedy) > 0 {
		say("What to do: "+strings.Join(d.Remedy, " "), fault.Causes()[d.Cause].Source)
	}
	return all, nil
}

// found tells of an incident that nothing explains yet.
func found(in analyzer.Incident) []analyzer.Sentence {
	var all []analyzer.Sentence
	for _, f := range in.Findings {
		source := f.Source
		if source == "" {
			source = f.Query
		}
		if source == "" {
			continue
		}
		all = append(all, analyzer.Sentence{Text: fmt.Sprintf("Since %s, %s: %s.", clock(f.From), f.Subject, strings.TrimSuffix(f.Text, ".")), Cites: []string{source}})
	}
	return all
}

// told returns the links that say more than the summary and the first symptom.
func told(d *analyzer.Diagnosis) []analyzer.Link {
	var all []analyzer.Link
	for _, l := range d.Chain[min(1, len(d.Chain)):] {
		if f := d.FirstSymptom; f != nil && f.Text == l.What && f.Subject == l.Subject {
			continue
		}
		all = append(all, l)
	}
	return all
}

func because(d *analyzer.Diagnosis) string {
	if len(d.Caveats) == 0 {
		return ""
	}
	return "; " + strings.Join(d.Caveats, "; ")
}

// heads returns the first sources: those of the roots.
func heads(es []analyzer.Evidence) []string {
	var all []string
	for _, e := range es[:min(len(es), maxCites)] {
		all = append(all, e.Source)
	}
	return all
}

// against returns the sources of what speaks against it, which make the
// confidence what it is.
func against(es []analyzer.Evidence) []string {
	var all []string
	for _, e := range es {
		if strings.HasPrefix(e.Text, "against it: ") {
			all = append(all, e.Source)
		}
	}
	return all
}

// ruledOut writes a rejection with what it rests on, for where no sentence does.
func ruledOut(r analyzer.Rejected) string {
	rests := "no source"
	if len(r.Cites) > 0 {
		rests = strings.Join(r.Cites, ", ")
	}
	return fmt.Sprintf("%s of %s: %s (%s)", r.Cause, r.Subject, r.Why, rests)
}

// cite finds the evidence of a text that may go on after it.
func cite(es []analyzer.Evidence, text string, at time.Time) []string {
	var all []string
	for _, e := range es {
		if strings.HasPrefix(text, e.Text) && (e.At.IsZero() || e.At.Equal(at)) {
			all = append(all, e.Source)
		}
	}
	return all
}

func sources(cites []string) []string {
	var all []string
	for _, c := range cites {
		if c != "" && !slices.Contains(all, c) && len(all) < maxCites {
			all = append(all, c)
		}
	}
	return all
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
