package check

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
	"vedette.dev/rules/syntax"
)

const (
	// usualEvery is how often Prometheus evaluates rules unless told otherwise.
	usualEvery = time.Minute
	// stale is after how long without a sample a series is gone.
	stale = 5 * time.Minute
)

// hold looks at how long a condition has to hold, for what it is.
func (c Checker) hold(r rules.Rule, e parser.Expr, every time.Duration) []Finding {
	if every == 0 {
		every = usualEvery
	}
	scrape := c.Scrape
	if scrape == 0 {
		scrape = usualScrape
	}
	var fs []Finding
	if call := absence(e); call != nil && r.For < 2*scrape {
		p := call.PositionRange()
		fs = append(fs, Finding{Check: "absent", Severity: Warning, From: int(p.Start), To: int(p.End),
			Text: fmt.Sprintf("%s() is true as soon as a restart or a missed scrape leaves a hole: give it a duration of at least %s", call.Func.Name, model.Duration(2*scrape))})
	}
	switch {
	case r.For == 0:
		fs = append(fs, Finding{Check: "for", Severity: Info, Text: "there is no duration: the alert fires at the first evaluation that finds it true"})
	case r.For < every:
		fs = append(fs, Finding{Check: "for", Severity: Info,
			Text: fmt.Sprintf("the duration of %s is shorter than the %s between two evaluations: it means %[2]s", model.Duration(r.For), model.Duration(every))})
	}
	return fs
}

// absence returns the call of absent that e is true by.
func absence(e parser.Expr) *parser.Call {
	switch e := syntax.Bare(e).(type) {
	case *parser.Call:
		if e.Func.Name == "absent" {
			return e
		}
	case *parser.BinaryExpr:
		if e.Op == parser.LOR {
			if c := absence(e.LHS); c != nil {
				return c
			}
			return absence(e.RHS)
		}
		if e.Op.IsComparisonOperator() {
			return absence(e.LHS)
		}
	}
	return nil
}

// interval finds groups that are evaluated so rarely that what they record is
// gone before it is made anew.
func interval(every time.Duration) []Finding {
	if every <= stale {
		return nil
	}
	return []Finding{{Check: "interval", Severity: Warning,
		Text: fmt.Sprintf("the group is evaluated every %s: its series and alerts are gone %s after each time", model.Duration(every), model.Duration(stale))}}
}
