package main

import (
	"fmt"
	"io"
	"net/url"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer/action"
)

func actionsCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "actions", Short: "What would change the world, and what did", Args: cobra.NoArgs}
	list := &cobra.Command{
		Use: "list", Short: "List actions, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var got struct {
				Actions []action.Entry `json:"actions"`
			}
			if err := cl.get(c.Context(), "/vedette/v1/actions", &got); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), got.Actions, func(w io.Writer) { listActions(w, got.Actions, time.Now()) })
		},
	}
	c.AddCommand(list, decisionCommand(s, "approve", "Approve an action; it is carried out at once"),
		decisionCommand(s, "deny", "Deny an action, with a reason"))
	return c
}

func decisionCommand(s *screen, verb, short string) *cobra.Command {
	var by, why string
	c := &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if by == "" || verb == "deny" && why == "" {
				return usage(fmt.Errorf("%s needs a name (--by) and, to deny, a reason (--reason)", verb))
			}
			cl, err := s.client()
			if err != nil {
				return err
			}
			var e action.Entry
			if err := cl.post(c.Context(), "/vedette/v1/actions/"+url.PathEscape(args[0])+"/"+verb,
				map[string]string{"by": by, "why": why}, &e); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), e, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s is %s. %s\n", e.Kind, e.Target, e.State, e.Result)
			})
		},
	}
	c.Flags().StringVar(&by, "by", me(), "who decides")
	c.Flags().StringVar(&why, "reason", "", "why")
	return c
}

// me is the name under which the user decides unless they give another.
func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func listActions(w io.Writer, es []action.Entry, now time.Time) {
	if len(es) == 0 {
		fmt.Fprintln(w, "No actions.")
		return
	}
	table(w, "ID\tSTATE\tKIND\tTARGET\tPROPOSED\tREASON", func(row func(string, ...any)) {
		for _, e := range es {
			row("%d\t%s\t%s\t%s\t%s\t%s", e.ID, e.State, e.Kind, e.Target, clock(e.Proposed, now), e.Reason)
		}
	})
}
