package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"vedette.dev/analyzer/cost"
)

// reportFormats are what -o may be of a report; text is Markdown, which reads as text.
var reportFormats = []string{"text", "markdown", "html", "csv", "json", "yaml"}

func reportCommand(s *screen) *cobra.Command {
	c := &cobra.Command{Use: "report", Short: "Write reports of what was seen", Args: cobra.NoArgs}
	c.AddCommand(costCommand(s), estimateCommand(s))
	return c
}

func costCommand(s *screen) *cobra.Command {
	var window, at, file string
	c := &cobra.Command{
		Use: "cost", Short: "Say what the GPUs cost and who had the use of them", Args: cobra.NoArgs,
		Long: "Say what the GPUs of a window cost, who had the use of them, and what lay idle.\n-o is " + strings.Join(reportFormats, ", ") + ".",
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(reportFormats, s.output) {
				return usage(fmt.Errorf("-o %q is not %s", s.output, strings.Join(reportFormats, ", ")))
			}
			if d, err := model.ParseDuration(window); err != nil || time.Duration(d) < time.Hour {
				return usage(fmt.Errorf("--window %q is not a duration of an hour or more, such as 7d", window))
			}
			if _, err := time.Parse(time.RFC3339, at); at != "" && err != nil {
				return usage(fmt.Errorf("--time %q is not as in 2026-11-01T00:00:00Z", at))
			}
			cl, err := s.client()
			if err != nil {
				return err
			}
			format := s.output
			switch format {
			case "text":
				format = "markdown"
			case "yaml":
				format = "json"
			}
			var report string
			if err := cl.get(c.Context(), "/vedette/v1/cost?"+query("window", window, "time", at, "format", format), &report); err != nil {
				return err
			}
			if s.output == "yaml" {
				doc, err := yaml.JSONToYAML([]byte(report))
				if err != nil {
					return err
				}
				report = string(doc)
			}
			if file == "" {
				_, err = io.WriteString(c.OutOrStdout(), report)
				return err
			}
			if err := os.WriteFile(file, []byte(report), 0o644); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&window, "window", "7d", "how far back it goes")
	f.StringVar(&at, "time", "", "where the window ends, as in 2026-11-01T00:00:00Z (default: now)")
	f.StringVar(&file, "output-file", "", "the file to write to (default: standard output)")
	return c
}

// query writes the parameters of a request that are said.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}

func estimateCommand(s *screen) *cobra.Command {
	return &cobra.Command{
		Use: "estimate", Short: "Compare the sample cost table with list prices", Args: cobra.NoArgs,
		Long: "Work the sample cost table out by the prices it was made with and by list prices, and say why the two differ. Needs no service.",
		RunE: func(c *cobra.Command, _ []string) error {
			spec, book := cost.Sample()
			cmp := cost.Compare(spec, book, cost.Listed())
			return s.write(c.OutOrStdout(), cmp, func(w io.Writer) {
				table(w, "ITEM\tQUANTITY\tQUOTED\tLISTED", func(row func(string, ...any)) {
					for _, l := range cmp.Lines {
						row("%s\t%g %s\t%.2f\t%.2f", l.Called, l.Quantity, l.Item, l.Quoted, l.Listed)
					}
					row("total\t\t%.2f\t%.2f", cmp.Quoted, cmp.Listed)
					for _, i := range cmp.WhatIf {
						row("with %s\t%.0f %% off %s\t%.2f\t%.2f", i.Called, 100*i.Off, i.Item, i.Quoted, i.Listed)
					}
				})
				for _, why := range cmp.Why {
					fmt.Fprintln(w, "-", why)
				}
			})
		},
	}
}
