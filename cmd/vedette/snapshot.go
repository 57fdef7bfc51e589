package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func snapshotCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "snapshot", Short: "What the cluster looks like, as a file", Args: cobra.NoArgs}
	var path string
	take := &cobra.Command{
		Use: "take --output-file FILE.tar.gz", Short: "Take a snapshot of the running system, which vedette diagnose --snapshot reads", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !strings.HasSuffix(path, ".tar.gz") {
				return usage(fmt.Errorf("--output-file %q: name the file to write, ending in .tar.gz", path))
			}
			cl, err := s.client()
			if err != nil {
				return err
			}
			var packed string
			if err := cl.get(c.Context(), "/vedette/v1/snapshot", &packed); err != nil {
				return err
			}
			// For its owner alone: objects, logs and events may tell more than anyone should read.
			if err := os.WriteFile(path, []byte(packed), 0o600); err != nil {
				return fmt.Errorf("write the snapshot: %w", err)
			}
			return nil
		},
	}
	take.Flags().StringVar(&path, "output-file", "", "the file to write, a .tar.gz")
	c.AddCommand(take)
	return c
}
