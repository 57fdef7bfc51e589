package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
)

// A problem of a rule file, as -o json and yaml write it.
type ruleProblem struct {
	File     string `json:"file"`
	Group    string `json:"group"`
	Rule     string `json:"rule"`
	Expr     string `json:"expr"`
	Check    string `json:"check"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	From     int    `json:"from"` // byte offsets in expr; both 0 is the whole rule
	To       int    `json:"to"`
}

func checkCommand(s *screen) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE...", Short: "Say what is wrong with Prometheus rule files, anyone's", Args: cobra.MinimumNArgs(1),
		Long: "Check reads Prometheus rule files and says what is wrong with their rules without running them.\nIt exits with 3 where there is an error or a warning.",
		RunE: func(c *cobra.Command, args []string) error {
			found := []ruleProblem{}
			bad := false
			for _, file := range args {
				data, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				reports, err := check.File(data, catalog.Builtin())
				if err != nil {
					return fmt.Errorf("check %s: %w", file, err)
				}
				for _, r := range reports {
					for _, f := range r.Findings {
						bad = bad || f.Severity != check.Info
						found = append(found, ruleProblem{file, r.Group, r.Rule, r.Expr, f.Check, string(f.Severity), f.Text, f.From, f.To})
					}
				}
			}
			if err := s.write(c.OutOrStdout(), found, func(w io.Writer) { listProblems(w, found) }); err != nil {
				return err
			}
			if bad {
				return exit{exitFindings, nil}
			}
			return nil
		},
	}
}

func listProblems(w io.Writer, found []ruleProblem) {
	if len(found) == 0 {
		fmt.Fprintln(w, "Nothing found.")
		return
	}
	for _, p := range found {
		fmt.Fprintf(w, "%s: %s/%s: %s: %s (%s)\n", p.File, p.Group, p.Rule, p.Severity, p.Text, p.Check)
		underline(w, p.Expr, p.From, p.To)
	}
}

// underline writes the line of expr that holds from, with carets below the
// part that is meant. The whole expression is not underlined.
func underline(w io.Writer, expr string, from, to int) {
	if to <= from || to > len(expr) || from == 0 && to == len(expr) {
		return
	}
	start := strings.LastIndexByte(expr[:from], '\n') + 1
	end := len(expr)
	if i := strings.IndexByte(expr[from:], '\n'); i >= 0 {
		end = from + i
	}
	blank := strings.Map(func(r rune) rune {
		if r == '\t' {
			return '\t'
		}
		return ' '
	}, expr[start:from])
	carets := strings.Repeat("^", max(1, len([]rune(expr[from:min(to, end)]))))
	fmt.Fprintf(w, "    %s\n    %s%s\n", expr[start:end], blank, carets)
}
