package account

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// Markdown writes the report of an incident: its head, the account with
// numbered sources, the timeline, what was ruled out and what could not be seen.
func Markdown(in analyzer.Incident, account []analyzer.Sentence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Incident %s: %s\n\n", in.ID, inline(in.Title))
	head(&b, in)

	if len(account) > 0 {
		b.WriteString("\n## What happened\n\n")
	}
	cites := Numbered(account, func(text, numbers string) { fmt.Fprintf(&b, "%s%s\n", inline(text), numbers) })
	list(&b, "What to do", remedy(in))
	timeline(&b, in.Timeline)
	var rejected []string
	for _, r := range in.Rejected {
		rejected = append(rejected, ruledOut(r))
	}
	list(&b, "Ruled out", rejected)
	list(&b, "Not seen", in.Unseen)
	list(&b, "What it touched", subjects(in.Touched))
	list(&b, "Similar incidents before", before(in.Earlier))
	if len(cites) > 0 {
		b.WriteString("\n## Sources\n\n")
	}
	for i, c := range cites {
		fmt.Fprintf(&b, "%d. `%s`%s\n", i+1, strings.ReplaceAll(c, "`", "'"), reads(in, c))
	}
	return b.String()
}

// Numbered calls do with every sentence and the numbers of its sources, " [1] [2]",
// and returns the sources in the order of their numbers.
func Numbered(account []analyzer.Sentence, do func(text, numbers string)) (cites []string) {
	for _, s := range account {
		numbers := ""
		for _, c := range s.Cites {
			i := slices.Index(cites, c)
			if i < 0 {
				i = len(cites)
				cites = append(cites, c)
			}
			numbers += fmt.Sprintf(" [%d]", i+1)
		}
		do(s.Text, numbers)
	}
	return cites
}

func head(b *strings.Builder, in analyzer.Incident) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(inline(value), "|", `\|`))
		}
	}
	b.WriteString("| | |\n|---|---|\n")
	row("Subject", "`"+in.Subject.String()+"`")
	cause := "not known"
	if in.Cause != "" {
		cause = fmt.Sprintf("%s (confidence %.2f)", in.Cause, in.Confidence)
	}
	row("Cause", cause)
	row("Severity", in.Severity)
	row("Opened", clock(in.Opened))
	closed := "open"
	if !in.Open() {
		closed = clock(in.Closed)
	}
	row("Closed", closed)
	if d := in.Diagnosis; d != nil && len(d.Affected) > 0 {
		row("Affected", strings.Join(subjects(d.Affected), ", "))
	}
}

// subjects names the first of them, and says how many more there are.
func subjects(of []analyzer.Subject) []string {
	var all []string
	for _, s := range of[:min(len(of), maxListed)] {
		all = append(all, "`"+s.String()+"`")
	}
	if more := len(of) - maxListed; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return all
}

// before tells of earlier incidents: when, how long, how they ended, and in what
// they are alike.
func before(of []analyzer.Earlier) []string {
	var all []string
	for _, e := range of {
		lasted := "still open"
		if !e.Closed.IsZero() {
			lasted = fmt.Sprintf("lasted %s and ended so: %s", e.Closed.Sub(e.Opened).Round(time.Second), e.Ended)
		}
		all = append(all, fmt.Sprintf("%s, opened %s, %s. %s (%s)", e.ID, clock(e.Opened), lasted, e.Title, strings.Join(e.Alike, ", ")))
	}
	return all
}

// reads tells what a source says, as the incident noted it: a number of the
// history tells nobody anything.
func reads(in analyzer.Incident, source string) string {
	for _, m := range in.Timeline {
		if m.Source == source {
			return fmt.Sprintf(" (`%s`, %s: %s)", m.Subject, clock(m.At), inline(m.Text))
		}
	}
	if in.Diagnosis == nil {
		return ""
	}
	for _, e := range in.Diagnosis.Evidence {
		if e.Source == source {
			return " (" + inline(e.Text) + ")"
		}
	}
	return ""
}

func remedy(in analyzer.Incident) []string {
	if in.Diagnosis == nil {
		return nil
	}
	return in.Diagnosis.Remedy
}

func timeline(b *strings.Builder, all []analyzer.Moment) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n## Timeline\n\n| Time | Subject | What |\n|---|---|---|\n")
	for _, m := range all {
		fmt.Fprintf(b, "| %s | `%s` | %s |\n", clock(m.At), m.Subject, strings.ReplaceAll(inline(m.Text), "|", `\|`))
	}
}

func list(b *strings.Builder, title string, all []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, s := range all {
		b.WriteString("- " + inline(s) + "\n")
	}
}

// inline keeps what a cluster wrote from becoming markup of ours.
func inline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(s)
}
