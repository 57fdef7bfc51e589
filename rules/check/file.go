package check

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/syntax"
)

// A RuleReport is what is wrong with one rule of a file. Rules in which
// nothing was found are reported too, without findings.
type RuleReport struct {
	Group    string
	Rule     string // the alert's or the recorded series' name
	Expr     string
	Findings []Finding

	place place
}

// File checks the rules of a Prometheus rule file.
func File(data []byte, c *catalog.Catalog) ([]RuleReport, error) {
	return Checker{Catalog: c}.File(data)
}

// File checks the rules of a Prometheus rule file. Recording rules are checked
// as expressions. The error says why a file cannot be read at all; its
// expressions need not parse for that.
func (c Checker) File(data []byte) ([]RuleReport, error) {
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if groups == nil || len(groups.Groups) == 0 {
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		return nil, errors.New("holds no rule groups")
	}
	c.Recorded = maps.Clone(c.Recorded)
	if c.Recorded == nil {
		c.Recorded = map[string]string{}
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				c.Recorded[r.Record] = g.Name
			}
		}
	}
	where := places(data)
	var out []RuleReport
	seen := duplicates{}
	for _, g := range groups.Groups {
		for i, r := range g.Rules {
			r.Labels = together(g.Labels, r.Labels)
			report := RuleReport{Group: g.Name, Rule: r.Record, Expr: r.Expr}
			if len(out) < len(where) {
				report.place = where[len(out)]
			}
			if i == 0 {
				report.Findings = interval(time.Duration(g.Interval))
			}
			rule := rules.Rule{Name: r.Record, Expr: r.Expr, For: time.Duration(r.For),
				KeepFiring: time.Duration(r.KeepFiringFor), Labels: r.Labels, Annotations: r.Annotations}
			made := recording
			if r.Alert == "" {
				report.Findings = append(report.Findings, c.Expr(r.Expr)...)
				report.Findings = append(report.Findings, c.external(rule)...)
			} else {
				made, rule.Name, report.Rule = alerting, r.Alert, r.Alert
				report.Findings = append(report.Findings, c.rule(rule, time.Duration(g.Interval))...)
			}
			report.Findings = append(report.Findings, c.house(made, g.Name, rule)...)
			report.Findings = append(report.Findings, c.dependencies(g.Name, r.Expr)...)
			report.Findings = append(report.Findings, seen.add(g.Name, report.Rule, r.Expr, named(r))...)
			out = append(out, report)
		}
	}
	return out, nil
}

// together are the labels of a rule: its group's, unless it has its own.
func together(group, own map[string]string) map[string]string {
	out := maps.Clone(group)
	if out == nil {
		return own
	}
	maps.Copy(out, own)
	return out
}

// named are the labels of a rule, with the name of what it records: the same
// expression under two names is two series.
func named(r rulefmt.Rule) map[string]string {
	out := maps.Clone(r.Labels)
	if r.Record != "" {
		if out == nil {
			out = map[string]string{}
		}
		out["__name__"] = r.Record
	}
	return out
}

// dependencies finds rules that read what another group records: groups are
// evaluated each in its own time, so it may be that of the time before.
func (c Checker) dependencies(group, expr string) []Finding {
	e, err := syntax.Parse(expr)
	if err != nil {
		return nil
	}
	var fs []Finding
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if by := c.Recorded[v.Name]; by != "" && by != group {
			fs = append(fs, Finding{Check: "dependency", Severity: Info, From: int(v.PosRange.Start), To: int(v.PosRange.End),
				Text: fmt.Sprintf("%s is recorded by group %s, in its own time: this can read what it was an evaluation ago", v.Name, by)})
		}
		return nil
	})
	return fs
}
