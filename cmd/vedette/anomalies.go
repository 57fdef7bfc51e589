package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"vedette.dev/analyzer/anomaly"
)

func anomaliesCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "anomalies", Short: "What the detectors find unusual, and what people say of it", Args: cobra.NoArgs}
	list := &cobra.Command{
		Use: "list", Short: "List anomalies, those that go on first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := s.client()
			if err != nil {
				return err
			}
			var got struct {
				Anomalies []anomaly.Anomaly `json:"anomalies"`
			}
			if err := cl.get(c.Context(), "/vedette/v1/anomalies", &got); err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), got.Anomalies, func(w io.Writer) { listAnomalies(w, got.Anomalies, time.Now()) })
		},
	}
	c.AddCommand(list, dismissCommand(s), restoreCommand(s))
	return c
}

func dismissCommand(s *screen) *cobra.Command {
	var by, why, how string
	c := &cobra.Command{
		Use: "dismiss ID", Short: "Say that one is no anomaly: what is like it is not told any more", Args: cobra.ExactArgs(1),
		Long: "Say that one is no anomaly. It is told again when it is half as far again from what is usual, or once this is taken back: vedette anomalies restore ID.",
		RunE: func(c *cobra.Command, args []string) error {
			if by == "" || why == "" {
				return usage(fmt.Errorf("dismiss needs a name (--by) and a reason (--reason)"))
			}
			if d, err := model.ParseDuration(how); how != "" && (err != nil || d == 0) {
				return usage(fmt.Errorf("--for %q is not a duration: say 30m, 2h or 7d", how))
			}
			return s.mark(c, args[0], "dismiss", map[string]string{"by": by, "why": why, "for": how})
		},
	}
	c.Flags().StringVar(&by, "by", me(), "who says so")
	c.Flags().StringVar(&why, "reason", "", "why")
	c.Flags().StringVar(&how, "for", "", "for how long; nothing is until it is taken back")
	return c
}

func restoreCommand(s *screen) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use: "restore ID", Short: "Take back that one is no anomaly", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if by == "" {
				return usage(fmt.Errorf("restore needs a name (--by)"))
			}
			return s.mark(c, args[0], "restore", map[string]string{"by": by})
		},
	}
	c.Flags().StringVar(&by, "by", me(), "who says so")
	return c
}

// mark sends what somebody says of an anomaly and shows it as it is then.
func (s *screen) mark(c *cobra.Command, id, verb string, said map[string]string) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	var a anomaly.Anomaly
	if err := cl.post(c.Context(), "/vedette/v1/anomalies/"+url.PathEscape(id)+"/"+verb, said, &a); err != nil {
		return err
	}
	return s.write(c.OutOrStdout(), a, func(w io.Writer) {
		if verb == "restore" {
			fmt.Fprintf(w, "%s of %s is told as before.\n", a.Signal, a.Subject)
			return
		}
		fmt.Fprintf(w, "%s of %s: %s.\n", a.Signal, a.Subject, a.Marked.Text)
	})
}

func listAnomalies(w io.Writer, as []anomaly.Anomaly, now time.Time) {
	if len(as) == 0 {
		fmt.Fprintln(w, "No anomalies.")
		return
	}
	table(w, "ID\tSTATE\tSCORE\tFROM\tLASTED\tSUBJECT\tWHAT", func(row func(string, ...any)) {
		for _, a := range as {
			until := now
			if !a.Open() {
				until = a.To
			}
			row("%d\t%s\t%.2f\t%s\t%s\t%s\t%s", a.ID, stateOf(a), a.Score, clock(a.From, now), short(until.Sub(a.From)), a.Subject, a.Text)
			for _, c := range a.Caveats {
				row("\t\t\t\t\t\t  %s", c)
			}
			if a.Marked != nil {
				row("\t\t\t\t\t\t  %s", a.Marked.Text)
			}
			row("\t\t\t\t\t\t  %s", a.Query)
		}
	})
}

// stateOf says whether an anomaly goes on, and whether somebody said it is none.
func stateOf(a anomaly.Anomaly) string {
	switch {
	case a.Marked != nil && a.Marked.Withdrawn.IsZero():
		return "dismissed"
	case a.Open():
		return "open"
	}
	return "over"
}
