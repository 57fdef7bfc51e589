package grammar

import (
	"context"
	"slices"
	"time"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// follow reads q as going on from what was said before it: "and for team-b?",
// "make it 10 minutes", "per node", "only above 90". It reports false where it
// does not.
func (e *Engine) follow(ctx context.Context, q nlq.Question) (nlq.Parse, bool) {
	var before nlq.Parse
	for last := len(q.Before) - 1; before.Intent == nil; last-- { // what was not understood is passed over
		if last < 0 {
			return nlq.Parse{}, false
		}
		before, _ = e.Parse(ctx, nlq.Question{Text: q.Before[last], Before: q.Before[:last], Now: q.Now})
	}
	if c, ok := before.Intent.(nlq.Cost); ok {
		return e.followCost(c, q.Text)
	}
	f := e.frame(q.Text)
	if m, ok := measured(before.Intent); ok {
		d, _ := f.catalog.Measure(m.Metric)
		f.implied = append(f.implied, d.Entity)
	}
	f.kind = lookup
	if a, ok := before.Intent.(nlq.Alert); ok || isAlert(before.Intent) {
		f.kind, f.severity = alert, a.Severity
	}
	for i := range f.items {
		if _, ok := f.items[i].has("continue"); ok {
			f.items[i].used = true
		}
	}
	if why, ok := before.Intent.(nlq.Why); ok {
		return f.followWhy(why)
	}
	f.takeSeverity()
	f.takeTimes()
	f.takeNames()
	f.takeGroups()
	f.takeComparisons()
	f.takeAggregation()
	if f.aggItem >= 0 {
		f.items[f.aggItem].used = true
	}
	f.takeLimit()
	metric := catalog.ID("")
	if len(f.wanting()) > 0 {
		m, err := f.measure()
		if err != nil {
			return nlq.Parse{}, false
		}
		metric = m.ID // which all that was left over names
	} else if len(f.leftover()) > 0 {
		return nlq.Parse{}, false
	}
	intent, ok := f.changed(before.Intent, metric)
	return nlq.Parse{Intent: intent, Assumed: f.assumed, Confidence: min(before.Confidence, f.confidence())}, ok
}

// measured returns the measure that an intent is mainly about.
func measured(i nlq.Intent) (nlq.Measure, bool) {
	switch i := i.(type) {
	case nlq.Lookup:
		return i.Measure, true
	case nlq.Alert:
		return i.Measure, true
	case nlq.When:
		return i.Measure, true
	case nlq.Formula:
		return nlq.Subject(i.Term)
	}
	return nlq.Measure{}, false
}

// continues reports whether f says itself that it goes on from something.
func (f *frame) continues() bool {
	if len(f.items) == 0 {
		return false
	}
	_, ok := f.items[0].has("continue")
	return ok
}

func isAlert(i nlq.Intent) bool {
	f, ok := i.(nlq.Formula)
	return ok && f.Alert
}

func (f *frame) followWhy(w nlq.Why) (nlq.Parse, bool) {
	f.kind = why
	p, err := f.parseWhy()
	if err != nil {
		return nlq.Parse{}, false
	}
	n := p.Intent.(nlq.Why)
	if n.Name == "" {
		return nlq.Parse{}, false
	}
	if n.Kind == "" {
		n.Kind = w.Kind
	}
	p.Intent = n
	return p, true
}

// takeLimit reads a number that nothing took as the new limit: make it 90%.
func (f *frame) takeLimit() {
	for i := range f.items {
		n, ok := f.amount(i)
		if _, time := n.duration(); ok && !time && len(f.compares) == 0 {
			f.items[i].used = true
			f.compares = []compare{{limit: n}}
		}
	}
}

// changed returns the intent with what f says of it, and whether that is a
// change that such an intent knows.
func (f *frame) changed(i nlq.Intent, metric catalog.ID) (nlq.Intent, bool) {
	switch i := i.(type) {
	case nlq.Lookup:
		i.Measure = f.altered(i.Measure, metric)
		if f.top != 0 {
			i.Top = f.top
		}
		if f.window > 0 && i.Measure.Window == 0 {
			i.Since = f.window
		}
		i.Compare = f.relimited(i.Compare, i.Measure)
		return i, true
	case nlq.Alert:
		i.Measure = f.altered(i.Measure, metric)
		i.Compare = f.relimited(i.Compare, i.Measure)
		i.For, i.ForSaid, i.Severity = f.held(i.For), i.ForSaid || f.holdSaid, f.severity
		return i, i.Compare.Op != ""
	case nlq.When:
		i.Measure = f.altered(i.Measure, metric)
		return i, metric == ""
	case nlq.Formula:
		if metric != "" || len(f.by) > 0 {
			return i, false // of several measures: which?
		}
		i.Term = nlq.Map(i.Term, func(m nlq.Measure) nlq.Measure { return f.altered(m, "") })
		if b, ok := i.Term.(nlq.Binary); ok && len(f.compares) > 0 {
			n, number := b.Right.(nlq.Number)
			if !number {
				return i, false
			}
			m, _ := nlq.Subject(b.Left)
			c := f.relimited(nlq.Comparison{Op: b.Op, Limit: float64(n)}, m)
			b.Op, b.Right = c.Op, nlq.Number(c.Limit)
			i.Term = b
		} else if len(f.compares) > 0 {
			return i, false
		}
		i.For, i.ForSaid = f.held(i.For), i.ForSaid || f.holdSaid
		if f.severity != "" {
			i.Severity = f.severity
		}
		return i, true
	}
	return i, false
}

func (f *frame) held(before time.Duration) time.Duration {
	if f.holdSaid {
		return f.hold
	}
	return before
}

// relimited is c with the limit that was said, in the unit of m.
func (f *frame) relimited(c nlq.Comparison, m nlq.Measure) nlq.Comparison {
	if len(f.compares) == 0 {
		return c
	}
	said := f.compares[0]
	if said.op != "" {
		c.Op = said.op
	}
	c.Limit = f.convert(said.limit, m.Unit(f.catalog))
	return c
}

// altered is ms of another metric, where one was said, of the places that were
// said instead of those before, and put together by the places that were said.
func (f *frame) altered(ms nlq.Measure, metric catalog.ID) nlq.Measure {
	if metric != "" {
		ms.Metric = metric
	}
	m, _ := f.catalog.Measure(ms.Metric)
	said := nlq.Measure{}
	f.where(&said, m)
	ms.Where = slices.DeleteFunc(slices.Clone(ms.Where), func(w nlq.Matcher) bool {
		return slices.ContainsFunc(said.Where, func(n nlq.Matcher) bool { return n.Label == w.Label })
	})
	for _, w := range said.Where {
		if f.catalog.Takes(ms.Metric, w.Label) {
			ms.Where = append(ms.Where, w)
		}
	}
	if f.agg != nlq.Each {
		ms.Agg = f.agg
	}
	if by := f.kept(m, f.by); len(by) > 0 {
		ms.By = by
		if ms.Agg == nlq.Each {
			ms.Agg = f.natural(m)
			f.assume(0.05, "the %s of what each %s has", aggName[ms.Agg], f.by[0])
		}
	}
	if f.window > 0 && ms.Over != nlq.AsIs {
		ms.Window = f.window
	}
	return ms
}
