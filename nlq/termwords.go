package nlq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

func (f Formula) String() string { return Read(f, catalog.Builtin()) }

func readFormula(f Formula, c *catalog.Catalog) string {
	if !f.Alert {
		return "show " + readTerm(f.Term, c)
	}
	b := "alert when " + readTerm(f.Term, c)
	switch {
	case f.For > 0:
		b += " for " + Period(f.For)
	case f.ForSaid:
		b += " at once"
	}
	if f.Keep > 0 {
		b += ", keep firing for " + Period(f.Keep)
	}
	if f.Severity != "" {
		b += ", severity " + f.Severity
	}
	return b
}

// arithmetic are the words between two terms that are put together; what has
// no words here is compared or joined.
var arithmetic = map[string]string{"+": "plus", "-": "minus", "*": "times", "/": "divided by", "%": "modulo"}

func readTerm(t Term, c *catalog.Catalog) string {
	switch t := t.(type) {
	case Measure:
		return t.readPlain(c)
	case Number:
		return strconv.FormatFloat(float64(t), 'g', -1, 64)
	case Now:
		return "the time now"
	case Func:
		return t.read(c)
	case Group:
		return t.read(c)
	case Renamed:
		return readTerm(t.Of, c)
	case Binary:
		return t.read(c)
	}
	panic("unreachable: terms are sealed")
}

func (m Measure) readPlain(c *catalog.Catalog) string {
	b := aggWords[m.Agg] + named(m.Metric, c) + m.readOver() + byWords(m.By)
	for _, w := range m.Where {
		b += " with " + w.Label + " " + w.Op + " " + quoted(w.Value)
	}
	return b
}

func byWords(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return " per " + strings.Join(by, " and ")
}

func (g Group) read(c *catalog.Catalog) string {
	of := " (" + readTerm(g.Of, c) + ")" + byWords(g.By)
	switch g.Agg {
	case Quantile:
		return fmt.Sprintf("the %gth percentile of", 100*g.Param) + of
	case Deviation:
		return "standard deviation of" + of
	case Largest, Smallest:
		return fmt.Sprintf("the %s %g of", map[Aggregation]string{Largest: "top", Smallest: "bottom"}[g.Agg], g.Param) + of
	}
	return strings.TrimSpace(aggWords[g.Agg]) + of
}

func (f Func) read(c *catalog.Catalog) string {
	if f.Of == nil {
		return strings.ReplaceAll(f.Name, "_", " ") + " (UTC)"
	}
	of := readTerm(f.Of, c)
	switch f.Name {
	case Ago:
		return of + " " + Period(f.Window) + " ago"
	case "histogram_quantile":
		return fmt.Sprintf("the %gth percentile of (%s)", 100*f.Param, of)
	case "predict_linear":
		return fmt.Sprintf("%s in %s by its trend over %s", of, Period(time.Duration(f.Param)*time.Second), Period(f.Window))
	case "absent":
		return "there is no " + of
	case "abs":
		return "the size of " + of
	}
	if f.Window > 0 {
		return fmt.Sprintf("%s of %s over %s", f.Name, of, Period(f.Window))
	}
	return f.Name + " of " + of
}

func (b Binary) read(c *catalog.Catalog) string {
	l, r := readTerm(b.Left, c), readTerm(b.Right, c)
	if w, ok := arithmetic[b.Op]; ok {
		return "(" + l + " " + w + " " + r + ")"
	}
	if w, ok := opWords[b.Op]; ok {
		return l + " is " + w + " " + r
	}
	return l + " " + b.Op + " " + r
}
