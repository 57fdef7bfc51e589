package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"vedette.dev/nlq"
	"vedette.dev/nlq/batch"
	"vedette.dev/nlq/grammar"
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
		if err := batch.Answer(c.Context(), readers(words, 0), words, r, c.OutOrStdout()); err != nil {
			return fmt.Errorf("answer the questions of %s: %w", file, err)
		}
		return nil
	})
}

// readers is the engine that reads a file of requests and texts. What it is
// less sure of than least it asks back.
func readers(words *catalog.Catalog, least float64) nlq.Engine {
	strict, lenient := &grammar.Engine{Catalog: words}, &grammar.Engine{Catalog: words, Lenient: true}
	free := &prose.Engine{Catalog: words, Least: least}
	text := nlq.First(&prose.Compound{Of: free, Catalog: words}, free)
	return &prose.ByStyle{Request: lenient, Text: text, Either: nlq.First(strict, text)}
}
