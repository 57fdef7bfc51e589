package chat

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"vedette.dev/analyzer/account"
	"vedette.dev/analyzer/action"
	"vedette.dev/nlq"
	"vedette.dev/nlq/answer"
	"vedette.dev/nlq/investigate"
	"vedette.dev/rules/catalog"
)

// shown is how many rows and episodes a terminal shows.
const shown = 20

// Text writes an answer for a terminal.
func Text(w io.Writer, a answer.Answer) {
	if a.Readback != "" {
		fmt.Fprintf(w, "I understand: %s\n", a.Readback)
	}
	bullets(w, "assumed: ", a.Assumed)
	switch a.Kind {
	case answer.KindAlert:
		alertText(w, a)
	case answer.KindQuery:
		queryText(w, a)
	case answer.KindWhy:
		whyText(w, a.Why)
	case answer.KindWhen:
		fmt.Fprintf(w, "\n%s\n", a.When.Text)
		if a.When.Held != "" {
			fmt.Fprintf(w, "%s\n", a.When.Held)
		}
		fmt.Fprintf(w, "query: %s\n", a.Expr)
	case answer.KindChanges:
		changesText(w, a.Changes)
	case answer.KindCost:
		costText(w, a.Cost, a.Expr)
	case answer.KindExplain:
		fmt.Fprintf(w, "\n%s\n", a.Explain.Words)
		if x := a.Explain; x.Rule != "" {
			fmt.Fprintf(w, "rule %s of %s, owner %s", x.Rule, x.Group, x.Owner)
			if x.Asked != "" {
				fmt.Fprintf(w, ", asked for as: %s", x.Asked)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "query: %s\n", a.Expr)
	case answer.KindActions:
		actionsText(w, a.Actions)
	case answer.KindAnomalies:
		anomaliesText(w, a.Anomalies)
	case answer.KindSilence:
		silenceText(w, a.Silence)
	case answer.KindUnclear:
		unclearText(w, a.Unclear)
	}
	bullets(w, "note: ", a.Caveats)
}

func changesText(w io.Writer, c *answer.ChangesResult) {
	if c.Total == 0 {
		fmt.Fprintln(w, "\nNothing changed.")
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range c.Rows[:min(shown, len(c.Rows))] {
		fmt.Fprintf(t, "%s\t%s\t%s\t(%s)\n", r.At.Format(time.TimeOnly), r.Subject, r.What, r.Source)
	}
	t.Flush()
	if c.Total > shown {
		fmt.Fprintf(w, "and %d more\n", c.Total-shown)
	}
}

func costText(w io.Writer, c *answer.CostResult, expr string) {
	fmt.Fprintf(w, "\n%s\n", c.Text)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, r := range c.Rows[:min(shown, len(c.Rows))] {
		if i == 0 {
			fmt.Fprintf(t, "%s\tGPU hours\tidle\tUSD\n", c.By)
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.2f\n", r.Name, r.GPUHours, r.Idle, r.USD)
	}
	t.Flush()
	if len(c.Rows) > shown {
		fmt.Fprintf(w, "and %d more\n", len(c.Rows)-shown)
	}
	if expr != "" {
		fmt.Fprintf(w, "query: %s\n", expr)
	}
}

func actionsText(w io.Writer, r *answer.ActionsResult) {
	if len(r.Entries) == 0 {
		fmt.Fprintln(w, "\nThere are none.")
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range r.Entries[:min(shown, len(r.Entries))] {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", e.ID, e.State, e.Kind, e.Target, e.Reason)
	}
	t.Flush()
	if r.How != "" {
		fmt.Fprintln(w, r.How)
	}
}

func anomaliesText(w io.Writer, r *answer.AnomaliesResult) {
	if r.Total == 0 {
		fmt.Fprintf(w, "\nNothing is unusual now; %d anomalies of late are over.\n", r.Over)
	} else {
		fmt.Fprintln(w)
	}
	for _, x := range r.Entries[:min(shown, len(r.Entries))] {
		fmt.Fprintf(w, "%d  %s: %s, since %s, score %.2f\n", x.ID, x.Subject, x.Text, x.From.Format("2006-01-02 15:04Z"), x.Score)
		if x.Marked != nil {
			fmt.Fprintf(w, "  %s\n", x.Marked.Text)
		}
		bullets(w, "note: ", x.Caveats)
		fmt.Fprintf(w, "  query: %s\n", x.Query)
	}
	if r.Total > shown {
		fmt.Fprintf(w, "and %d more\n", r.Total-shown)
	}
	if r.How != "" {
		fmt.Fprintln(w, r.How)
	}
}

func silenceText(w io.Writer, r *answer.SilenceResult) {
	fmt.Fprintf(w, "\nAction %d, %s: %s %s\n", r.Entry.ID, r.Entry.State, r.Entry.Kind, r.Entry.Target)
	if r.Entry.State == action.Proposed {
		fmt.Fprint(w, "Not in effect yet. Once approved, ")
	}
	fmt.Fprintf(w, "%s.\n", r.Entry.Effect)
	for _, ls := range r.Firing {
		fmt.Fprintf(w, "  %s %s\n", ls["alertname"], labels(ls, "alertname"))
	}
	fmt.Fprintln(w, r.How)
}

func bullets(w io.Writer, before string, texts []string) {
	for _, t := range texts {
		fmt.Fprintf(w, "  %s%s\n", before, t)
	}
}

func alertText(w io.Writer, a answer.Answer) {
	d := a.Alert
	fmt.Fprintf(w, "\n%s\n", d.YAML)
	for _, p := range d.Problems {
		fmt.Fprintf(w, "  %s: %s (%s)\n", p.Severity, p.Text, p.Check)
	}
	if b := d.Backtest; b != nil {
		fmt.Fprintf(w, "Back-test: it %s.\n", b.Summary)
		episodes(w, b)
		for _, l := range b.Limits {
			fmt.Fprintf(w, "  with a limit of %v: %d times, %s in all\n", l.Value, l.Episodes, seconds(l.FiringFor))
		}
		bullets(w, "note: ", b.Caveats)
	}
	switch {
	case d.Published != nil:
		fmt.Fprintf(w, "Action %d: %s. %s\n", d.Published.ID, d.Published.State, d.Published.Result)
	case !slices.ContainsFunc(d.Problems, func(p answer.Problem) bool { return p.Severity == "error" }):
		fmt.Fprintln(w, "Not published. To publish it, ask again with --publish.")
	}
}

func episodes(w io.Writer, b *answer.Backtest) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range b.Episodes[:min(len(b.Episodes), shown)] {
		fmt.Fprintf(tw, "  %s\tfor %s\tpeak %.4g\t%s\n", e.From.Format("2006-01-02 15:04Z"), seconds(e.To.Sub(e.From).Seconds()), e.Peak, labels(e.Labels, "alertname"))
	}
	tw.Flush()
	if more := b.Total - shown; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

func queryText(w io.Writer, a answer.Answer) {
	q := a.Query
	fmt.Fprintln(w)
	if q.Total == 0 {
		fmt.Fprintln(w, "None.")
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range q.Rows[:min(len(q.Rows), shown)] {
		value := "no value"
		if r.Value != nil {
			value = fmt.Sprintf("%.4g", *r.Value)
			if whole := nlq.Amount(0, catalog.Unit(q.Unit)); strings.HasPrefix(whole, "0 ") {
				value += whole[1:]
			}
		}
		fmt.Fprintf(tw, "  %s\t%s\n", value, labels(r.Labels, "__name__"))
	}
	tw.Flush()
	if more := q.Total - shown; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	fmt.Fprintf(w, "query: %s\n", a.Expr)
}

func whyText(w io.Writer, y *answer.WhyResult) {
	fmt.Fprintln(w)
	account.WriteText(w, y.Report)
	if y.Model != nil {
		investigate.WriteText(w, *y.Model)
	}
	if len(y.Incidents) > 0 {
		fmt.Fprintf(w, "\nSee: vedette incidents show %s\n", strings.Join(y.Incidents, ", "))
	}
}

func unclearText(w io.Writer, u *answer.Unclear) {
	if u.Ask != "" {
		fmt.Fprintln(w, u.Ask)
	} else {
		fmt.Fprintln(w, "That was not understood.")
	}
	if len(u.Words) > 0 {
		fmt.Fprintf(w, "No meaning here: %s\n", strings.Join(u.Words, ", "))
	}
	if len(u.Nearest) > 0 {
		fmt.Fprintln(w, "Understood would be:")
		bullets(w, "", u.Nearest)
	}
}

// noise are labels that say nothing to a person at a terminal.
var noise = []string{"pci_bus_id", "DCGM_FI_DRIVER_VERSION", "device", "UUID"}

// labels writes a label set, the noise and what is left out not among it.
func labels(l map[string]string, out string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(l)) {
		if k == out || slices.Contains(noise, k) && l["gpu"] != "" || l[k] == "" {
			continue
		}
		parts = append(parts, k+"="+l[k])
	}
	return strings.Join(parts, " ")
}

// seconds writes a duration to a minute, or to a second where it is short.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second)).Round(time.Second)
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= time.Minute:
		return nlq.Period(d.Round(time.Minute))
	}
	return nlq.Period(d)
}
