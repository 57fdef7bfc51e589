package compile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// A burn is how fast a budget is used up: Factor times as fast as would use it
// up just in time, both over Long and, so that the alert ends soon after its
// cause, over Short.
type burn struct {
	factor      float64
	long, short time.Duration
}

// Burns of an objective over 30 days, and what is done of each: 2 % of the
// budget in an hour or 5 % in six wake somebody up, 10 % in a day or in three
// make a ticket. Source: Google, The Site Reliability Workbook, chapter 5,
// "Multiwindow, Multi-Burn-Rate Alerts".
var burns = []struct {
	name, severity string
	hold           time.Duration // two evaluations at least, so that no gap in the data fires it
	any            []burn
}{
	{"Fast", "critical", 2 * time.Minute, []burn{{14.4, time.Hour, 5 * time.Minute}, {6, 6 * time.Hour, 30 * time.Minute}}},
	{"Slow", "warning", 15 * time.Minute, []burn{{3, 24 * time.Hour, 2 * time.Hour}, {1, 3 * 24 * time.Hour, 6 * time.Hour}}},
}

// workbook is the period that the factors of burns are for.
const workbook = 30 * 24 * time.Hour

// SLO returns the group of rules that tell when the error budget of s is used
// up too fast. For other periods than 30 days the factors are such that the
// same share of the budget goes.
func SLO(s nlq.SLO, c *catalog.Catalog) (rules.Group, error) {
	if s.Objective <= 0 || s.Objective >= 1 || s.Period < 24*time.Hour {
		return rules.Group{}, fmt.Errorf("compile an objective of %g over %s: want a share below 1 over a day or more", s.Objective, s.Period)
	}
	var g rules.Group
	title := strings.TrimSuffix(string(s.Latency), "_seconds")
	if d, ok := c.Measure(s.Bad.Metric); ok {
		title = string(d.ID)
	}
	objective := strconv.FormatFloat(100*s.Objective, 'g', 8, 64) + "%"
	for _, b := range burns {
		var any nlq.Term
		for _, w := range b.any {
			limit := round(w.factor * float64(s.Period) / float64(workbook) * (1 - s.Objective))
			if limit >= 1 {
				continue // more than all requests cannot fail
			}
			over := func(d time.Duration) nlq.Term {
				return nlq.Binary{Op: ">", Left: badShare(s, d), Right: nlq.Number(limit)}
			}
			both := nlq.Term(nlq.Binary{Op: "and", Left: over(w.long), Right: over(w.short)})
			if any != nil {
				both = nlq.Binary{Op: "or", Left: any, Right: both}
			}
			any = both
		}
		if any == nil {
			continue
		}
		e, err := term(any, c)
		if err != nil {
			return rules.Group{}, err
		}
		e, _ = unscaled(e)
		expr, err := Print(e)
		if err != nil {
			return rules.Group{}, err
		}
		g.Rules = append(g.Rules, rules.Rule{Name: camel(strings.ReplaceAll(title, "_", " ")) + "BudgetBurns" + b.name, Expr: expr, For: b.hold,
			Labels: map[string]string{"severity": b.severity},
			Annotations: map[string]string{
				"summary":     fmt.Sprintf("Error budget of %s over %s burns %s", objective, nlq.Period(s.Period), strings.ToLower(b.name)),
				"description": "The share of bad requests is {{ $value | humanizePercentage }}, of which " + strconv.FormatFloat(100*round(1-s.Objective), 'g', 8, 64) + " % may be.",
			}})
	}
	if len(g.Rules) == 0 {
		return rules.Group{}, fmt.Errorf("compile an objective of %s over %s: no rate of errors would use up its budget too fast", objective, s.Period)
	}
	g.ID, g.Revision = id(g.Rules[0]), 1
	return g, nil
}

// badShare is the share of bad requests over d.
func badShare(s nlq.SLO, d time.Duration) nlq.Term {
	if s.Latency == "" {
		m := s.Bad
		m.Window = d
		return m
	}
	rate := func(part string, more ...nlq.Matcher) nlq.Term {
		return nlq.Group{Agg: nlq.Sum, Of: nlq.Measure{Metric: s.Latency + catalog.ID(part), Where: append(more, s.Where...), Over: nlq.Rate, Window: d}}
	}
	le := nlq.Matcher{Label: "le", Op: "=", Value: strconv.FormatFloat(s.Limit, 'f', -1, 64)}
	if s.Limit == float64(int(s.Limit)) { // Python's client library writes 10.0 where Go's writes 10
		le = nlq.Matcher{Label: "le", Op: "=~", Value: le.Value + `|` + le.Value + `\.0`}
	}
	return nlq.Binary{Op: "-", Left: nlq.Number(1), Right: nlq.Binary{Op: "/", Left: rate("_bucket", le), Right: rate("_count")}}
}
