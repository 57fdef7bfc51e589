package grammar

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// lost asks about a name that the question says and the answer lacks: an answer
// over all things where one was named is a wrong one, however it came about.
// What conditions, states and second readings make of a question, f does not
// say: only what it says of names counts, and what intent selects and measures.
func (f *frame) lost(intent nlq.Intent) error {
	ms, measures := nlq.Measures(intent)
	if _, forecasts := intent.(nlq.When); forecasts || !measures {
		return nil
	}
	var kept strings.Builder
	for _, m := range ms {
		kept.WriteString(bare(string(m.Metric)+strings.Join(m.By, " ")) + " ")
		for _, w := range m.Where {
			kept.WriteString(bare(w.Value) + " ")
		}
	}
	for _, name := range f.allNames() {
		if !strings.Contains(kept.String(), bare(name)) {
			return f.settle(fmt.Sprintf("What is %s, of what should be measured?", name))
		}
	}
	for i, it := range f.items {
		if label, _, ok := f.labelAt(i + 1); ok && f.lexicon.sets["distinct"][it.low] && !distincts(intent) {
			return f.settle(fmt.Sprintf("Of what should each %s be counted once?", label))
		}
	}
	if i := f.secondState(); i >= 0 && !joins(intent) {
		return f.settle(fmt.Sprintf("How should %q be told?", f.items[i].raw+" "+at(f.items, i+1).raw+" …"))
	}
	if i := f.shareWanted(); i >= 0 && !f.sharesIn(intent) {
		return f.settle(fmt.Sprintf("%s what? No measure says what all of it comes to.", strings.ToUpper(f.items[i].raw[:1])+f.items[i].raw[1:]))
	}
	if i, given := f.comparative(); i >= 0 && !compares(intent, given, f.catalog) {
		return f.settle(fmt.Sprintf("What is it to be compared with: %s …?", f.items[i].raw))
	}
	return nil
}

// secondState returns the item that says that something else holds as well, although
// one would not think so, -1 where none does: ready but unschedulable. What is left
// out is no condition, nor what is only meant.
func (f *frame) secondState() int {
	for i, it := range f.items {
		next := at(f.items, i+1)
		if _, trend := next.has("trend"); it.low == "but not" && f.lexicon.sets["state of a twin"][next.low] && f.endsAt(i+2) || it.low == "and" && trend && i+2 == len(f.items) {
			return i // over 80% and growing
		}
		if _, join := it.has("join"); i == 0 || !join || !f.lexicon.sets["contrast"][it.low] {
			continue
		}
		_, not := next.has("not")
		_, only := next.has("only")
		if not || only || f.lexicon.sets["aside"][next.low] {
			continue
		}
		for k := i + 1; k < len(f.items); k++ {
			said := f.items[k]
			_, hold := said.has("hold")
			if hold || said.low == "," || said.number != nil {
				break
			}
			_, state := said.has("state")
			if v, cmp := said.has("compare"); state || cmp && len(v) > 2 || f.lexicon.sets["state of a twin"][said.low] {
				return i
			}
		}
	}
	return -1
}

// endsAt reports whether no words follow at item i, or only for how long it holds.
func (f *frame) endsAt(i int) bool {
	_, hold := at(f.items, i).has("hold")
	return i >= len(f.items) || hold || f.items[i].low == ","
}

// joins reports whether intent has two conditions.
func joins(intent nlq.Intent) bool {
	f, ok := intent.(nlq.Formula)
	return !ok && !isAlertOrLookup(intent) || ok && hasJoin(f.Term)
}

func isAlertOrLookup(intent nlq.Intent) bool {
	switch intent.(type) {
	case nlq.Alert, nlq.Lookup:
		return true
	}
	return false
}

// hasJoin reports whether t joins conditions.
func hasJoin(t nlq.Term) bool {
	switch t := t.(type) {
	case nlq.Binary:
		return t.Op == "and" || t.Op == "or" || t.Op == "unless" || t.Left != nil && hasJoin(t.Left) || t.Right != nil && hasJoin(t.Right)
	case nlq.Func:
		return t.Of != nil && hasJoin(t.Of)
	case nlq.Group:
		return hasJoin(t.Of)
	}
	return false
}

// shareWanted returns the item that asks for a share of something, -1 where none does.
func (f *frame) shareWanted() int {
	return slices.IndexFunc(f.items, func(it item) bool {
		kind, _ := it.has("kind")
		op, _ := it.has("operator")
		return (kind == "share" || op == "/") && slices.ContainsFunc(strings.Fields(it.low), func(w string) bool { return f.lexicon.sets["share"][w] })
	})
}

// sharesIn reports whether intent divides something, or is of what is a share by itself.
func (f *frame) sharesIn(intent nlq.Intent) bool {
	ms, _ := nlq.Measures(intent)
	formula, composed := intent.(nlq.Formula)
	return composed && divides(formula.Term) || slices.ContainsFunc(ms, func(m nlq.Measure) bool {
		of, _ := f.catalog.Measure(m.Metric)
		return f.dimension(of.Unit) == "ratio" || of.Unit == "{bool}"
	})
}

// divides reports whether something in t is divided by another.
func divides(t nlq.Term) bool {
	switch t := t.(type) {
	case nlq.Binary:
		_, number := t.Right.(nlq.Number)
		return t.Op == "/" && !number || t.Left != nil && divides(t.Left) || t.Right != nil && divides(t.Right)
	case nlq.Func:
		return t.Of != nil && divides(t.Of)
	case nlq.Group:
		return divides(t.Of)
	case nlq.Renamed:
		return divides(t.Of)
	}
	return false
}

// distincts reports whether intent counts values.
func distincts(intent nlq.Intent) bool {
	f, ok := intent.(nlq.Formula)
	g, count := compared(f.Term).(nlq.Group)
	if !ok || !count {
		return false
	}
	of, again := g.Of.(nlq.Group)
	return again && g.Agg == nlq.Count && of.Agg == nlq.Count
}

// comparative returns the item behind which something is compared with that is
// said, and whether that is a number. It returns -1 where nothing is.
func (f *frame) comparative() (than int, given bool) {
	for i, it := range f.items {
		op, cmp := it.has("compare")
		if cmp && strings.HasSuffix(it.low, " than") && (op[0] == '<' || op[0] == '>') {
			_, given := f.limitOf(i)
			return i, given
		}
		if it.low == "than" && slices.ContainsFunc(f.items[max(0, i-4):i], func(it item) bool { return it.low == "more" || it.low == "fewer" || it.low == "less" }) {
			_, given := f.limitOf(i)
			return i, given
		}
	}
	return -1, false
}

// compares reports whether intent compares anything: with a number, or where none
// is given, with another measure.
func compares(intent nlq.Intent, given bool, c *catalog.Catalog) bool {
	switch i := intent.(type) {
	case nlq.Lookup:
		return i.Compare.Op != "" || i.Measure.Only.Op != "" || i.Top != 0
	case nlq.Alert:
		_, derived := c.Derived(i.Measure.Metric)
		return given || derived || i.Compare.Limit != 0
	}
	return true
}

// allNames returns the names that f says, whatever is measured.
func (f *frame) allNames() (names []string) {
	g := *f
	g.items, g.filters, g.assumed = slices.Clone(f.items), nil, nil
	g.takeRoute()
	g.takeSeverity()
	g.takeCodes()
	g.takeUnit()
	g.takeTimes()
	g.takeNames()
	for _, fl := range g.filters {
		if fl.place != "xid" { // a code is a limit
			names = append(names, strings.Split(fl.value, "|")...)
		}
	}
	for i, it := range g.items {
		if name, _ := g.name(i); g.isName(i) && (numbered.MatchString(name) || strings.Contains(name, "*")) && !f.lexicon.stop[it.low] && !stepShape.MatchString(name) {
			names = append(names, name)
		} else if i > 0 && g.unknown(i) && g.does(i) && g.isKind(strings.Join(g.items[i-1].norms, " ")) && g.onlyNames(i-1, i) {
			names = append(names, name)
		}
	}
	return names
}

// does reports whether what item i says has, uses or is something: only names do.
func (f *frame) does(i int) bool {
	next := at(f.items, i+1).low
	return !pastTense.MatchString(f.items[i].low) && (f.items[i].lead || f.acts(i+1) || next == "is" || next == "was")
}

// numbered is what only a name looks like: letters, and behind them a number.
var numbered = regexp.MustCompile(`^[A-Za-z][^/]*[0-9]`)

// bare is s without all that patterns and ways of writing put around and into a name.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
