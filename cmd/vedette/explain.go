package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
	"vedette.dev/rules/explain"
)

// An explanation of an expression, as -o json and yaml write it.
type explanation struct {
	Expr     string        `json:"expr"`
	Words    string        `json:"words"`
	Cost     check.Cost    `json:"cost"`
	Labels   []check.Label `json:"labels"`
	Findings []ruleProblem `json:"findings"`
}

func explainCommand(s *screen) *cobra.Command {
	return &cobra.Command{
		Use: "explain EXPR", Short: "Say in plain words what a PromQL expression means, anyone's", Args: cobra.ExactArgs(1),
		Long: "Explain says what an expression returns or when it holds, and which labels its result has and why. It needs no service; one that is named with --server says what it costs there.",
		RunE: func(c *cobra.Command, args []string) error {
			said, err := explain.Expr(args[0], catalog.Builtin())
			if err != nil {
				return err
			}
			checker := check.Checker{Catalog: catalog.Builtin()}
			if c.Flags().Changed("server") {
				if err := s.ask(c.Context(), &checker); err != nil {
					return err
				}
			}
			cost, _ := checker.Cost(args[0])
			e := explanation{Cost: cost, Expr: args[0], Words: said, Labels: check.Labels(args[0], catalog.Builtin()), Findings: []ruleProblem{}}
			for _, f := range checker.Expr(args[0]) {
				e.Findings = append(e.Findings, ruleProblem{Expr: args[0], Check: f.Check, Severity: string(f.Severity), Text: f.Text, From: f.From, To: f.To})
			}
			return s.write(c.OutOrStdout(), e, func(w io.Writer) {
				fmt.Fprintln(w, e.Words)
				listLabels(w, e.Labels)
				if e.Cost.Counted {
					fmt.Fprintf(w, "cost: %d samples of %d series an evaluation\n", e.Cost.Samples, e.Cost.Series)
				} else {
					fmt.Fprintf(w, "cost: some %d samples of %d series an evaluation, in a cluster of 100 nodes\n", e.Cost.Samples, e.Cost.Series)
				}
				for _, p := range e.Findings {
					fmt.Fprintf(w, "%s: %s (%s)\n", p.Severity, p.Text, p.Check)
					underline(w, p.Expr, p.From, p.To)
				}
			})
		},
	}
}

// listLabels says what is known of the labels of a result. What scraping may
// add is the same everywhere, and left out.
func listLabels(w io.Writer, ls []check.Label) {
	for _, l := range ls {
		switch {
		case l.Name == "":
			fmt.Fprintf(w, "any other label is %s: %s\n", l.Is, l.Why)
		case !l.Scraped:
			fmt.Fprintf(w, "label %s is %s: %s\n", l.Name, l.Is, l.Why)
		}
	}
}
