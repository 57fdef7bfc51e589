package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer"
)

func incidentsCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "incidents", Short: "What is and was the matter", Args: cobra.NoArgs}
	list := &cobra.Command{
		Use: "list", Short: "List incidents, the open ones first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var got struct {
				Incidents []analyzer.Incident `json:"incidents"`
			}
			if err := cl.get(c.Context(), "/vedette/v1/incidents", &got); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), got.Incidents, func(w io.Writer) { listIncidents(w, got.Incidents, time.Now()) })
		},
	}
	var explain, look bool
	show := &cobra.Command{
		Use: "show ID", Short: "Show one incident as a report", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			path := "/vedette/v1/incidents/" + url.PathEscape(args[0])
			if s.output == "text" {
				var report string
				page := path + "/report.md"
				switch {
				case look:
					page += "?investigate=model"
				case explain:
					page += "?explain=model"
				}
				if err := cl.get(c.Context(), page, &report); err != nil {
					return err
				}
				fmt.Fprint(c.OutOrStdout(), report)
				return nil
			}
			var in analyzer.Incident
			if err := cl.get(c.Context(), path, &in); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), in, nil)
		},
	}
	show.Flags().BoolVar(&explain, "explain", false, "have the service's model tell it too, as text")
	show.Flags().BoolVar(&look, "investigate", false, "have it look first into what the service remembers of that time")
	c.AddCommand(list, show)
	return c
}

func listIncidents(w io.Writer, ins []analyzer.Incident, now time.Time) {
	if len(ins) == 0 {
		fmt.Fprintln(w, "No incidents.")
		return
	}
	table(w, "ID\tSTATE\tSEVERITY\tOPENED\tLASTED\tCAUSE\tTITLE", func(row func(string, ...any)) {
		for _, in := range ins {
			state, until := "open", now
			if !in.Open() {
				state, until = "closed", in.Closed
			}
			cause := "not known"
			if in.Cause != "" {
				cause = fmt.Sprintf("%s (%.2f)", in.Cause, in.Confidence)
			}
			row("%s\t%s\t%s\t%s\t%s\t%s\t%s", in.ID, state, in.Severity, clock(in.Opened, now), short(until.Sub(in.Opened)), cause, in.Title)
		}
	})
}
