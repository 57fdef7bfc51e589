package investigate

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText writes what a model said for a terminal, below the engine's report:
// whose words they are comes first, and what was dropped is counted and shown.
func WriteText(w io.Writer, a Account) {
	fmt.Fprintf(w, "\nIn the words of the model %s, each sentence held to what it cites\n", a.Model)
	var cites []string
	for _, s := range a.Told {
		fmt.Fprintf(w, "  %s%s\n", s.Text, numbered(s.Cites, &cites))
	}
	for i, c := range cites {
		fmt.Fprintf(w, "    [%d] %s\n", i+1, c)
	}
	if len(a.Told) == 0 {
		fmt.Fprintln(w, "  (nothing)")
	}
	list(w, fmt.Sprintf("%d of the model's sentences dropped", len(a.Dropped)), a.Dropped, func(d Dropped) string { return fmt.Sprintf("%q: %s", d.Text, d.Why) })
	list(w, "Added to the causes by the engine, with what the model found", a.Added, supposed)
	list(w, "The model's guesses, which the engine does not bear out", a.Guesses, supposed)
	list(w, "The model looked at", a.Looked, func(s string) string { return s })
	list(w, "Mind", a.Caveats, func(s string) string { return s })
}

func supposed(s Supposed) string {
	text := fmt.Sprintf("%s of %s: %s", s.Cause, s.Subject, s.Why)
	if len(s.Cites) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(s.Cites, ", "))
	}
	return text
}

// numbered returns the numbers of cites among all, " [1] [2]", where new ones are added.
func numbered(cites []string, all *[]string) string {
	s := ""
	for _, c := range cites {
		i := slices.Index(*all, c)
		if i < 0 {
			i = len(*all)
			*all = append(*all, c)
		}
		s += fmt.Sprintf(" [%d]", i+1)
	}
	return s
}

func list[T any](w io.Writer, title string, all []T, text func(T) string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, x := range all {
		fmt.Fprintf(w, "  - %s\n", text(x))
	}
}
