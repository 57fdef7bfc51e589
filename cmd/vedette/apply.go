package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/api"
)

func diffCommand(s *screen) *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE...", Short: "Say how rule files differ from what stands, everywhere they are published", Args: cobra.MinimumNArgs(1),
		Long: "Diff compares the groups of Prometheus rule files with what stands under their names, here and at every target.\nIt exits with 3 where they differ.",
		RunE: func(c *cobra.Command, args []string) error {
			got, err := s.apply(c, args, api.Application{DryRun: true})
			if err != nil {
				return err
			}
			if err := s.write(c.OutOrStdout(), got, func(w io.Writer) { listApplied(w, got) }); err != nil {
				return err
			}
			if differs(got) {
				return exit{exitFindings, nil}
			}
			return nil
		},
	}
}

func applyCommand(s *screen) *cobra.Command {
	var said api.Application
	c := &cobra.Command{
		Use: "apply FILE...", Short: "Make the groups of rule files stand, with an owner and a revision", Args: cobra.MinimumNArgs(1),
		Long: "Apply publishes the groups of Prometheus rule files that differ from what stands. Groups that are not in the files are left alone;\n" +
			"rules undo GROUP takes one back.",
		RunE: func(c *cobra.Command, args []string) error {
			got, err := s.apply(c, args, said)
			if err != nil {
				return err
			}
			if err := s.write(c.OutOrStdout(), got, func(w io.Writer) { listApplied(w, got) }); err != nil {
				return err
			}
			for _, g := range got {
				if g.Action != nil && g.Action.State == action.Failed {
					return fmt.Errorf("apply group %s: %s", g.ID, g.Action.Result)
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&said.By, "by", me(), "who owns the groups")
	c.Flags().BoolVar(&said.DryRun, "dry-run", false, "only say what would change")
	c.Flags().BoolVar(&said.TakeOver, "take-over", false, "also change groups that somebody else owns")
	return c
}

// apply sends each file and returns what came of their groups.
func (s *screen) apply(c *cobra.Command, paths []string, said api.Application) ([]api.Applied, error) {
	cl, err := s.client()
	if err != nil {
		return nil, err
	}
	out := []api.Applied{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		said.File, said.Rules = path, string(data)
		var got struct {
			Groups []api.Applied `json:"groups"`
		}
		if err := cl.post(c.Context(), "/vedette/v1/rules/apply", said, &got); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, got.Groups...)
	}
	return out, nil
}

func differs(gs []api.Applied) bool {
	for _, g := range gs {
		for _, ch := range g.Changes {
			if len(ch.Lines) > 0 {
				return true
			}
		}
	}
	return false
}

func listApplied(w io.Writer, gs []api.Applied) {
	for _, g := range gs {
		same := true
		for _, ch := range g.Changes {
			if len(ch.Lines) == 0 {
				continue
			}
			same = false
			fmt.Fprintf(w, "group %s, %s:\n", g.ID, ch.Where)
			for _, l := range ch.Lines {
				fmt.Fprintln(w, "  "+l)
			}
		}
		if same {
			fmt.Fprintf(w, "group %s stands as it is.\n", g.ID)
		}
		for _, d := range g.Duplicates {
			fmt.Fprintf(w, "group %s: %s.\n", g.ID, d)
		}
		if g.Action != nil {
			fmt.Fprintf(w, "group %s: %s.\n", g.ID, g.Action.Result)
		}
	}
}
