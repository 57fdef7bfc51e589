package main

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/api"
)

func rulesCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "rules", Short: "The published alerting rules", Args: cobra.NoArgs}
	list := &cobra.Command{
		Use: "list", Short: "List the rule groups that stand", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var got struct {
				Groups []api.RuleGroup `json:"groups"`
			}
			if err := cl.get(c.Context(), "/vedette/v1/rules", &got); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), got.Groups, func(w io.Writer) { listRules(w, got.Groups) })
		},
	}
	var by string
	undo := &cobra.Command{
		Use: "undo GROUP", Short: "Let the revision before stand again", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var e action.Entry
			if err := cl.post(c.Context(), "/vedette/v1/rules/"+url.PathEscape(args[0])+"/undo", map[string]string{"by": by}, &e); err != nil {
				return err
			}
			if e.State == action.Failed {
				return fmt.Errorf("undo %s: %s", args[0], e.Result)
			}
			return s.write(c.OutOrStdout(), e, func(w io.Writer) { fmt.Fprintln(w, e.Result) })
		},
	}
	undo.Flags().StringVar(&by, "by", me(), "who undoes it")
	c.AddCommand(list, undo, diffCommand(s), applyCommand(s), checkCommand(s), explainCommand(s))
	return c
}

func listRules(w io.Writer, gs []api.RuleGroup) {
	table(w, "GROUP\tREVISION\tOWNER\tRULE\tSTATE\tFOR\tEXPR", func(row func(string, ...any)) {
		for _, g := range gs {
			for _, r := range g.Rules {
				row("%s\t%d\t%s\t%s\t%s\t%s\t%s", g.ID, g.Revision, g.Owner, r.Name, r.State, r.For, r.Expr)
			}
		}
	})
}
