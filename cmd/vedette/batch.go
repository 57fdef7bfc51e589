package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vedette.dev/nlq/batch"
	"vedette.dev/nlq/prose"
	"vedette.dev/rules/catalog"
)

// askBatch answers a file of questions. It needs no service.
func askBatch(c *cobra.Command, args []string, file, metadata string) error {
	if len(args) > 0 {
		return usage(errors.New("--batch takes its questions from the file: none beside it"))
	}
	words := catalog.Builtin().Without("Vedette") // whose cluster it is nobody says
	if metadata != "" {
		f, err := os.Open(metadata)
		if err != nil {
			return err
		}
		defer f.Close()
		if words, err = words.ReadMetadata(metadata, f); err != nil {
			return err
		}
	}
	return withInput(c, file, func(r io.Reader) error {
		if err := batch.Answer(c.Context(), prose.Readers(words), words, r, c.OutOrStdout()); err != nil {
			return fmt.Errorf("answer the questions of %s: %w", file, err)
		}
		return nil
	})
}
