package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
)

// A problem of a rule file, as -o json and yaml write it.
type ruleProblem struct {
	File      string `json:"file"`
	Line      int    `json:"line"` // of the file, from 1, as are columns
	Column    int    `json:"column"`
	EndLine   int    `json:"endLine"`
	EndColumn int    `json:"endColumn"`
	Group     string `json:"group"`
	Rule      string `json:"rule"`
	Expr      string `json:"expr"`
	Check     string `json:"check"`
	Severity  string `json:"severity"`
	Text      string `json:"text"`
	From      int    `json:"from"` // byte offsets in expr; both 0 is the whole rule
	To        int    `json:"to"`
}

func checkCommand(s *screen) *cobra.Command {
	var scrape, house string
	c := &cobra.Command{
		Use: "check FILE...", Short: "Say what is wrong with Prometheus rule files, anyone's", Args: cobra.MinimumNArgs(1),
		Long: "Check reads Prometheus rule files and says what is wrong with their rules without running them.\n" +
			"Where --server is given, what it has is asked of it; else the built-in catalog decides.\n" +
			"It exits with 3 where there is an error or a warning. -o sarif is for code hosts.",
	}
	c.Flags().StringVar(&scrape, "scrape-interval", "", "how far apart samples are (30s, unless a server says so)")
	c.Flags().StringVar(&house, "config", "", "a file of what this house asks of its rules besides: docs/rules.md")
	c.RunE = func(c *cobra.Command, args []string) error {
		checker := check.Checker{Catalog: catalog.Builtin()}
		if scrape != "" {
			d, err := model.ParseDuration(scrape)
			if err != nil {
				return usage(fmt.Errorf("--scrape-interval: %w", err))
			}
			checker.Scrape = time.Duration(d)
		}
		if house != "" {
			data, err := os.ReadFile(house)
			if err != nil {
				return err
			}
			if checker.House, err = check.ReadHouse(house, data); err != nil {
				return err
			}
			checker.External = checker.House.External
		}
		if c.Flags().Changed("server") {
			if err := s.ask(c.Context(), &checker); err != nil {
				return err
			}
		}
		found, bad := []ruleProblem{}, false
		for _, file := range args {
			problems, err := problemsOf(checker, file)
			if err != nil {
				return err
			}
			found = append(found, problems...)
		}
		for _, p := range found {
			bad = bad || p.Severity != string(check.Info)
		}
		if err := s.writeProblems(c.OutOrStdout(), found); err != nil {
			return err
		}
		if bad {
			return exit{exitFindings, nil}
		}
		return nil
	}
	return c
}

func (s *screen) writeProblems(w io.Writer, found []ruleProblem) error {
	if s.output == "sarif" {
		return writeSARIF(w, found)
	}
	return s.write(w, found, func(w io.Writer) { listProblems(w, found) })
}

func problemsOf(checker check.Checker, file string) ([]ruleProblem, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reports, err := checker.File(data)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", file, err)
	}
	var found []ruleProblem
	for _, r := range reports {
		for _, f := range r.Findings {
			p := ruleProblem{File: file, Group: r.Group, Rule: r.Rule, Expr: r.Expr, Check: f.Check, Severity: string(f.Severity), Text: f.Text, From: f.From, To: f.To}
			p.Line, p.Column = r.At(f.From)
			p.EndLine, p.EndColumn = r.At(f.To)
			found = append(found, p)
		}
	}
	return found, nil
}

// ask has the checker ask the service what it has: any with Prometheus' API.
func (s *screen) ask(ctx context.Context, checker *check.Checker) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	var names struct{ Data []string }
	if err := cl.get(ctx, "/api/v1/label/__name__/values", &names); err != nil {
		return err
	}
	has := map[string]bool{}
	for _, n := range names.Data {
		has[n] = true
	}
	var about struct {
		Data struct {
			Retention string `json:"storageRetention"`
		}
	}
	if err := cl.get(ctx, "/api/v1/status/runtimeinfo", &about); err == nil { // Mimir and others do not say
		if d, err := model.ParseDuration(about.Data.Retention); err == nil {
			checker.Retention = time.Duration(d)
		}
	}
	var running struct{ Data struct{ YAML string } }
	if err := cl.get(ctx, "/api/v1/status/config", &running); err == nil && checker.External == nil {
		checker.External = externalLabels(running.Data.YAML)
	}
	checker.Server = &check.Server{
		Has: func(metric string) bool { return has[metric] },
		Values: func(metric, label string) []string {
			var got struct{ Data []string }
			if cl.get(ctx, "/api/v1/label/"+url.PathEscape(label)+"/values?match[]="+url.QueryEscape(`{__name__="`+metric+`"}`), &got) != nil {
				return nil // what is not known is not held against a rule
			}
			return got.Data
		},
		Count: func(selector string) (int, bool) {
			var got struct {
				Data struct {
					Result []struct{ Value [2]any }
				}
			}
			if cl.get(ctx, "/api/v1/query?query="+url.QueryEscape("count("+selector+")"), &got) != nil {
				return 0, false
			}
			n := 0
			if len(got.Data.Result) > 0 {
				fmt.Sscan(fmt.Sprint(got.Data.Result[0].Value[1]), &n)
			}
			return n, true
		},
	}
	return nil
}

// externalLabels are what a Prometheus of this configuration adds to what leaves
// it; nil where the configuration is something else's.
func externalLabels(config string) map[string]string {
	var c struct {
		Global *struct {
			External map[string]string `yaml:"external_labels"`
		}
	}
	if err := yaml.Unmarshal([]byte(config), &c); err != nil || c.Global == nil {
		return nil
	}
	if c.Global.External == nil {
		return map[string]string{}
	}
	return c.Global.External
}

func listProblems(w io.Writer, found []ruleProblem) {
	if len(found) == 0 {
		fmt.Fprintln(w, "Nothing found.")
		return
	}
	for _, p := range found {
		fmt.Fprintf(w, "%s: %s/%s: %s: %s (%s)\n", p.File, p.Group, p.Rule, p.Severity, p.Text, p.Check)
		underline(w, p.Expr, p.From, p.To)
	}
}

// underline writes the line of expr that holds from, with carets below the
// part that is meant. The whole expression is not underlined.
func underline(w io.Writer, expr string, from, to int) {
	if to <= from || to > len(expr) || from == 0 && to == len(expr) {
		return
	}
	start := strings.LastIndexByte(expr[:from], '\n') + 1
	end := len(expr)
	if i := strings.IndexByte(expr[from:], '\n'); i >= 0 {
		end = from + i
	}
	blank := strings.Map(func(r rune) rune {
		if r == '\t' {
			return '\t'
		}
		return ' '
	}, expr[start:from])
	carets := strings.Repeat("^", max(1, len([]rune(expr[from:min(to, end)]))))
	fmt.Fprintf(w, "    %s\n    %s%s\n", expr[start:end], blank, carets)
}
