package account

import (
	"context"
	"fmt"
	"io"
	"slices"

	"vedette.dev/analyzer"
)

// WriteText writes a report for a terminal: the verdict, each diagnosis as
// sentences with numbered sources, what was rejected and what was not seen.
func WriteText(w io.Writer, r analyzer.Report) {
	on := "the cluster"
	if r.Focus != nil {
		on = r.Focus.String()
	}
	switch r.Verdict {
	case analyzer.Healthy:
		fmt.Fprintf(w, "Nothing is wrong with %s that the snapshot can show.\n", on)
	case analyzer.Inconclusive:
		if slices.Contains(r.Unseen, analyzer.NoPods) && len(r.Diagnoses) == 0 {
			fmt.Fprintf(w, "Whether something is wrong with %s cannot be told: its pods were not captured.\n", on)
			break
		}
		fmt.Fprintf(w, "Something is wrong with %s, and nothing explains it well enough.\n", on)
	}
	for i, d := range r.Diagnoses {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s  confidence %.2f\n", d.Cause, d.Subject, d.Confidence)
		told, _ := Plain{}.Explain(context.Background(), analyzer.Incident{Diagnosis: &d}) // never fails
		writeAccount(w, told)
	}
	lines(w, "Ruled out", r.Rejected, ruledOut)
	lines(w, "Not seen", r.Unseen, func(x string) string { return x })
}

// writeAccount writes sentences, each with the numbers of its sources, and the
// sources below.
func writeAccount(w io.Writer, told []analyzer.Sentence) {
	cites := Numbered(told, func(text, numbers string) { fmt.Fprintf(w, "  %s%s\n", text, numbers) })
	for i, c := range cites {
		fmt.Fprintf(w, "    [%d] %s\n", i+1, c)
	}
}

func lines[T any](w io.Writer, title string, all []T, text func(T) string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, x := range all {
		fmt.Fprintf(w, "  - %s\n", text(x))
	}
}
