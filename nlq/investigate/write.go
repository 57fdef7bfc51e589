package investigate

import (
	"fmt"
	"io"
	"strings"

	"vedette.dev/analyzer/account"
)

// WriteText writes what a model said for a terminal, below the engine's report:
// whose words they are comes first, and what was dropped is counted and shown.
func WriteText(w io.Writer, a Account) {
	fmt.Fprintf(w, "\n%s\n", title(a))
	cites := account.Numbered(a.Told, func(text, numbers string) { fmt.Fprintf(w, "  %s%s\n", text, numbers) })
	for i, c := range cites {
		fmt.Fprintf(w, "    [%d] %s\n", i+1, c)
	}
	if len(a.Told) == 0 {
		fmt.Fprintln(w, "  (nothing)")
	}
	a.lists(func(title string, all []string) {
		fmt.Fprintf(w, "\n%s\n", title)
		for _, s := range all {
			fmt.Fprintf(w, "  - %s\n", s)
		}
	})
}

// WriteMarkdown writes the same as a part of a report in Markdown. Whatever the
// model or the cluster wrote is text there.
func WriteMarkdown(w io.Writer, a Account) {
	fmt.Fprintf(w, "\n## %s\n\n", inert(title(a)))
	cites := account.Numbered(a.Told, func(text, numbers string) { fmt.Fprintf(w, "%s%s\n", inert(text), inert(numbers)) })
	for i, c := range cites {
		fmt.Fprintf(w, "\n%d. `%s`", i+1, strings.ReplaceAll(c, "`", "'"))
	}
	if len(a.Told) == 0 {
		fmt.Fprint(w, "(nothing)")
	}
	fmt.Fprintln(w)
	a.lists(func(title string, all []string) {
		fmt.Fprintf(w, "\n### %s\n\n", inert(title))
		for _, s := range all {
			fmt.Fprintf(w, "- %s\n", inert(s))
		}
	})
}

// inert makes of s what Markdown takes for nothing but text.
func inert(s string) string {
	return markup.Replace(strings.Join(strings.Fields(s), " "))
}

var markup = strings.NewReplacer("<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "`", "'", "*", `\*`, "_", `\_`, "|", `\|`, "!", `\!`)

func title(a Account) string {
	return fmt.Sprintf("In the words of the model %s, each sentence held to what it cites", a.Model)
}

// lists calls do with each list that is not empty.
func (a Account) lists(do func(title string, all []string)) {
	var dropped, added, guesses []string
	for _, d := range a.Dropped {
		dropped = append(dropped, fmt.Sprintf("%q: %s", d.Text, d.Why))
	}
	for _, s := range a.Added {
		added = append(added, supposed(s))
	}
	for _, s := range a.Guesses {
		guesses = append(guesses, supposed(s))
	}
	for _, l := range []struct {
		title string
		all   []string
	}{
		{fmt.Sprintf("%d of the model's sentences dropped", len(dropped)), dropped},
		{"Added to the causes by the engine, with what the model found", added},
		{"The model's guesses, which the engine does not bear out", guesses},
		{"The model looked at", a.Looked},
		{"Mind", a.Caveats},
	} {
		if len(l.all) > 0 {
			do(l.title, l.all)
		}
	}
}

func supposed(s Supposed) string {
	text := fmt.Sprintf("%s of %s: %s", s.Cause, s.Subject, s.Why)
	if len(s.Cites) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(s.Cites, ", "))
	}
	return text
}
