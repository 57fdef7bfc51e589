package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/account"
	"vedette.dev/analyzer/detect"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/forecast"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/nlq/investigate"
)

// The verbs of this file need no service: they work on files.

func diagnoseCommand(s *screen) *cobra.Command {
	var path, focus string
	var model witness
	c := &cobra.Command{
		Use: "diagnose --snapshot PATH", Short: "Say why, from a captured cluster", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" {
				return usage(fmt.Errorf("--snapshot names the snapshot: a directory, .tar.gz or .tar.zst"))
			}
			snap, err := snapshot.Read(path)
			if err != nil {
				return err
			}
			var on analyzer.Subject
			if focus != "" {
				if on, err = analyzer.ParseSubject(focus); err != nil {
					return usage(err)
				}
				if !topology.Has(snap, on) {
					return usage(fmt.Errorf("the snapshot holds nothing called %s", on))
				}
			}
			r, err := model.hear(c.Context(), diagnose.Diagnose(snap, on), snap)
			if err != nil {
				return err
			}
			return s.write(c.OutOrStdout(), r, func(w io.Writer) {
				account.WriteText(w, r.Report)
				if r.Model != nil {
					investigate.WriteText(w, *r.Model)
				}
			})
		},
	}
	c.Flags().StringVar(&path, "snapshot", "", "the snapshot: a directory, .tar.gz or .tar.zst")
	c.Flags().StringVar(&focus, "focus", "", "what to explain: kind/namespace/name, or kind/name")
	model.flags(c)
	return c
}

func detectCommand() *cobra.Command {
	var rate float64
	var format string
	c := &cobra.Command{
		Use: "detect FILE.csv", Short: "Score a series for anomalies, row by row (- is stdin; .gz is read)", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "csv" {
				return usage(fmt.Errorf("-o %q is not csv", format))
			}
			if !(rate > 0) || math.IsInf(rate, 1) {
				return usage(fmt.Errorf("--rate %g: give a number of alerts above 0", rate))
			}
			return withInput(c, args[0], func(r io.Reader) error { return detect.CSV(r, c.OutOrStdout(), rate) })
		},
	}
	c.Flags().Float64Var(&rate, "rate", detect.DefaultRate, "alerts by chance that 1,000 series may raise in a day")
	c.Flags().StringVarP(&format, "output", "o", "csv", "format: csv")
	return c
}

func forecastCommand() *cobra.Command {
	var horizon int
	var season, format string
	c := &cobra.Command{
		Use: "forecast FILE.csv --horizon N", Short: "Say where a series is going (- is stdin; .gz is read)", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if horizon <= 0 {
				return usage(fmt.Errorf("--horizon %d: give a number of steps above 0", horizon))
			}
			if _, err := forecast.ParseSeason(season); err != nil {
				return usage(fmt.Errorf("--season: %w", err))
			}
			if format != "json" {
				return usage(fmt.Errorf("-o %q is not json", format))
			}
			return withInput(c, args[0], func(r io.Reader) error { return forecast.CSV(r, horizon, season, c.OutOrStdout()) })
		},
	}
	c.Flags().IntVar(&horizon, "horizon", 0, "how many steps ahead")
	c.Flags().StringVar(&season, "season", "auto", "length of the season, or auto")
	c.Flags().StringVarP(&format, "output", "o", "json", "format: json")
	return c
}

// withInput opens the file called path for do: stdin for "-", unpacked for ".gz".
func withInput(c *cobra.Command, path string, do func(io.Reader) error) error {
	in := c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		defer z.Close()
		in = z
	}
	if err := do(in); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
