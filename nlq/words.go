package nlq

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

func (l Lookup) String() string { return Read(l, catalog.Builtin()) }
func (a Alert) String() string  { return Read(a, catalog.Builtin()) }
func (w Why) String() string    { return Read(w, catalog.Builtin()) }
func (w When) String() string   { return Read(w, catalog.Builtin()) }

// Read returns the meaning of i in canonical words, with the names that c has
// for things. The grammar understands these words as i again, but for a
// [Raw]'s, which are about its expression.
func Read(i Intent, c *catalog.Catalog) string {
	switch i := i.(type) {
	case Lookup:
		return readLookup(i, c)
	case Alert:
		return readAlert(i, c)
	case Why:
		return readWhy(i)
	case When:
		return readWhen(i, c)
	case Formula:
		return readFormula(i, c)
	case Changes:
		return readChanges(i)
	case Actions:
		return readActions(i)
	case Anomalies:
		return readAnomalies(i)
	case Explain:
		return readExplain(i)
	case Silence:
		return readSilence(i)
	case Cost:
		return readCost(i)
	case SLO:
		return readSLO(i, c)
	case Raw:
		return i.String()
	}
	panic("unreachable: intents are sealed")
}

func readAlert(a Alert, c *catalog.Catalog) string {
	var b strings.Builder
	fmt.Fprintf(&b, "alert when %s is %s", a.Measure.read("any", c), a.Compare.read(a.Measure.Unit(c)))
	switch {
	case a.For > 0:
		fmt.Fprintf(&b, " for %s", Period(a.For))
	case a.ForSaid:
		b.WriteString(" at once")
	}
	if a.Keep > 0 {
		fmt.Fprintf(&b, ", keep firing for %s", Period(a.Keep))
	}
	if a.Severity != "" {
		fmt.Fprintf(&b, ", severity %s", a.Severity)
	}
	return b.String()
}

func readLookup(l Lookup, c *catalog.Catalog) string {
	b := "show "
	switch {
	case l.Top > 0:
		b += fmt.Sprintf("the top %d by ", l.Top)
	case l.Top < 0:
		b += fmt.Sprintf("the bottom %d by ", -l.Top)
	}
	b += l.Measure.read("each", c)
	if l.Compare.Op != "" {
		b += " where it is " + l.Compare.read(l.Measure.Unit(c))
	}
	if l.Since > 0 {
		b += " since " + Period(l.Since) + " ago"
	}
	return b
}

func readWhen(w When, c *catalog.Catalog) string {
	verb := "fall to"
	if w.Rising {
		verb = "rise to"
	}
	limit := Amount(w.Limit, w.Measure.Unit(c))
	if w.Capacity != "" {
		limit = named(w.Capacity, c)
	}
	return fmt.Sprintf("when will %s %s %s", w.Measure.read("each", c), verb, limit)
}

func readWhy(w Why) string {
	switch {
	case w.Name == "" && w.Kind == "":
		return "what is wrong with the cluster"
	case w.Name == "":
		return "what is wrong with every " + w.Kind
	case w.Kind == "":
		return "what is wrong with " + quoted(w.Name)
	}
	return "what is wrong with " + w.Kind + " " + quoted(w.Name)
}

// aggWords are canonical; the grammar's lexicon has them too.
var aggWords = map[Aggregation]string{Mean: "average ", Maximum: "highest ", Minimum: "lowest ", Sum: "sum of ", Count: "number of "}

func (m Measure) read(every string, c *catalog.Catalog) string {
	b := aggWords[m.Agg] + named(m.Metric, c) + m.readOver()
	switch {
	case len(m.By) > 0:
		var by []string
		for _, l := range m.By {
			by = append(by, labelWord(l, m.Metric, c))
		}
		b += " per " + strings.Join(by, " and ")
	case m.Agg == Each:
		if p, _ := c.Derived(m.Metric); p.Pooled() {
			break // of all of them
		}
		if d, _ := c.Measure(m.Metric); d.Entity != "cluster" && d.Entity != "" {
			b += " of " + every + " " + entityWord(d.Entity)
		}
	}
	for _, w := range m.Where {
		b += " " + w.read(m.Metric, c)
	}
	if m.Only.Op != "" {
		each := m
		each.Agg = Each
		b += " counting those " + m.Only.read(each.Unit(c))
	}
	return b
}

func (m Measure) readOver() string {
	switch m.Over {
	case Average:
		return " averaged over " + Period(m.Window)
	case Highest:
		return " at its highest over " + Period(m.Window)
	case Lowest:
		return " at its lowest over " + Period(m.Window)
	case Rate:
		return " rate over " + Period(m.Window)
	case Increase:
		return " increase over " + Period(m.Window)
	}
	if m.Window > 0 {
		return " measured over " + Period(m.Window)
	}
	return ""
}

func (w Matcher) read(id catalog.ID, c *catalog.Catalog) string {
	not := ""
	if w.Op == "!=" || w.Op == "!~" {
		not = "not "
	}
	value := quoted(w.Value)
	if strings.HasSuffix(w.Op, "~") {
		several := strings.Split(w.Value, "|")
		for i, v := range several {
			several[i] = quoted(glob(v))
		}
		value = strings.Join(several, " or ")
	}
	p, ok := placeOf(w.Label, id, c)
	if !ok {
		return not + "with label " + w.Label + " " + value
	}
	return not + p.Within + " " + p.Name + " " + value
}

// glob returns re as a pattern with asterisks.
func glob(re string) string {
	parts := strings.Split(re, ".*")
	for i, p := range parts {
		parts[i] = unquoteMeta.ReplaceAllString(p, "$1")
	}
	return strings.Join(parts, "*")
}

// Regexp returns the regular expression of a pattern with asterisks.
func Regexp(glob string) string {
	parts := strings.Split(glob, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return strings.Join(parts, ".*")
}

var (
	unquoteMeta = regexp.MustCompile(`\\(.)`)
	plainName   = regexp.MustCompile(`^(?:[A-Za-z0-9/*]|[A-Za-z0-9/*][A-Za-z0-9_./*-]*[A-Za-z0-9/*])$`)
)

func quoted(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

func named(id catalog.ID, c *catalog.Catalog) string {
	m, ok := c.Measure(id)
	if !ok || len(m.Words) == 0 {
		return string(id)
	}
	return m.Words[0] + " (" + string(id) + ")"
}

func labelWord(label string, id catalog.ID, c *catalog.Catalog) string {
	if p, ok := placeOf(label, id, c); ok {
		return p.Name
	}
	return "label " + label
}

func entityWord(e string) string {
	switch e {
	case "gpu", "cpu":
		return strings.ToUpper(e)
	}
	return e
}

// opWords are canonical; the grammar's lexicon has them too.
var opWords = map[string]string{">": "above", ">=": "at least", "<": "below", "<=": "at most", "==": "exactly", "!=": "other than"}

func (c Comparison) read(u catalog.Unit) string { return OpWord(c.Op) + " " + Amount(c.Limit, u) }

// unitWords are how the catalog's units are written for people; a unit that is
// not here is written as it is, and what is counted is not written at all.
var unitWords = map[catalog.Unit]string{"Cel": "°C", "MiBy": "MiB", "By": "bytes", "By/s": "bytes/s", "1": ""}

// OpWord returns a comparison's operator in words: "above".
func OpWord(op string) string { return opWords[op] }

// Amount returns v in unit u for people: "85 °C".
func Amount(v float64, u catalog.Unit) string {
	n := strconv.FormatFloat(v, 'f', -1, 64)
	w, ok := unitWords[u]
	if !ok && !strings.HasPrefix(string(u), "{") {
		w = string(u)
	}
	if w == "" {
		return n
	}
	return n + " " + w
}

// Unit returns what the values of m count, in the catalog's words.
func (m Measure) Unit(c *catalog.Catalog) catalog.Unit {
	d, _ := c.Measure(m.Metric)
	switch {
	case m.Agg == Count:
		return "{series}"
	case m.Over == Rate && d.Unit == "s":
		return "1"
	case m.Over == Rate:
		return d.Unit + "/s"
	}
	return d.Unit
}

// Period returns d in words: "90 minutes", "1 day".
func Period(d time.Duration) string {
	units := []struct {
		d    time.Duration
		word string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}, {time.Millisecond, "millisecond"}}
	for _, u := range units {
		if d >= u.d && d%u.d == 0 {
			if d == u.d {
				return "1 " + u.word
			}
			return strconv.FormatInt(int64(d/u.d), 10) + " " + u.word + "s"
		}
	}
	return "0 seconds"
}
