package check

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// A RuleReport is what is wrong with one rule of a file. Rules in which
// nothing was found are reported too, without findings.
type RuleReport struct {
	Group    string
	Rule     string // the alert's or the recorded series' name
	Expr     string
	Findings []Finding
}

// File checks the rules of a Prometheus rule file. Recording rules are checked
// as expressions. The error says why a file cannot be read at all; its
// expressions need not parse for that.
func File(data []byte, c *catalog.Catalog) ([]RuleReport, error) {
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if groups == nil || len(groups.Groups) == 0 {
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		return nil, errors.New("holds no rule groups")
	}
	var out []RuleReport
	for _, g := range groups.Groups {
		seen := map[string]bool{}
		for _, r := range g.Rules {
			report := RuleReport{Group: g.Name, Rule: r.Record, Expr: r.Expr}
			if r.Alert == "" {
				report.Findings = Expr(r.Expr, c)
			} else {
				report.Rule = r.Alert
				report.Findings = rule(rules.Rule{Name: r.Alert, Expr: r.Expr, For: time.Duration(r.For),
					KeepFiring: time.Duration(r.KeepFiringFor), Labels: r.Labels, Annotations: r.Annotations}, c)
			}
			if key := report.Rule + "\n" + r.Expr; seen[key] {
				report.Findings = append(report.Findings, Finding{Check: "duplicate", Severity: Warning, Text: fmt.Sprintf("rule %s is there twice", report.Rule)})
			} else {
				seen[key] = true
			}
			out = append(out, report)
		}
	}
	return out, nil
}
