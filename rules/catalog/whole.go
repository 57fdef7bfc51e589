package catalog

import (
	"slices"
	"strings"
)

// wholesCalled are the words that names of metrics have for what a whole or a bound
// is called in a question. What is not listed goes by itself.
var wholesCalled = map[string][]string{
	"maximum":   {"max", "maximum", "limit"},
	"max":       {"max", "maximum", "limit"},
	"ceiling":   {"max", "maximum", "limit"},
	"minimum":   {"min", "minimum"},
	"min":       {"min", "minimum"},
	"limit":     {"limit", "limits", "max", "maximum", "quota"},
	"quota":     {"quota", "limit"},
	"capacity":  {"capacity", "total", "max", "size", "limit"},
	"total":     {"total", "capacity", "max", "size"},
	"speed":     {"speed", "rate"},
	"rate":      {"rate", "speed"},
	"bandwidth": {"rate", "speed"},
}

// Whole returns the gauge that says how much there is, or may be, of what id counts,
// as words call it: the nominal quota of a queue, the interval of a rule group. It
// reports false where none of the same family does, or several do as well.
func (c *Catalog) Whole(id ID, words []string) (whole Metric, ok bool) {
	m, ok := c.Metric(id)
	if !ok || len(words) == 0 {
		return Metric{}, false
	}
	if _, other, rest, ok := c.partner(m); ok && !rest && (called(string(other), words) || len(words) == 1 && slices.Contains(wholeWords, words[0])) {
		return c.Metric(other)
	}
	own := strings.FieldsFunc(strings.ToLower(string(id)), joint)
	for _, w := range m.Words {
		own = append(own, strings.Fields(strings.ToLower(w))...)
	}
	closest := 0
	ok = false
	of := string(id[:strings.IndexFunc(string(id)+"_", joint)])
	for i := range c.metrics {
		o := &c.metrics[i]
		if !strings.HasPrefix(string(o.ID), of) || o.Type != Gauge || o.ID == id || !bounds(o.Unit, m) || o.Exporter != m.Exporter ||
			!called(string(o.ID), words) || countsUsed(o.ID) {
			continue
		}
		parts := strings.FieldsFunc(strings.ToLower(string(o.ID)), joint)
		if len(own) == 0 || parts[0] != own[0] || slices.ContainsFunc(o.Labels, func(l string) bool { return !m.Has(l) }) {
			continue // the quota of a pool is not that of all
		}
		near := -len(parts)
		for _, w := range parts {
			if slices.Contains(own, w) {
				near += 100 // whatever else it has in its name
			}
		}
		switch {
		case !ok || near > closest:
			whole, closest, ok = *o, near, true
		case near == closest:
			return Metric{}, false
		}
	}
	return whole, ok
}

// Rest reports whether the name of id says that it counts what is left.
func (c *Catalog) Rest(id ID) bool {
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(string(id)), joint), func(w string) bool {
		return w == "memavailable" || w == "memfree" || w == "swapfree" || slices.Contains(restWords, w)
	})
}

// Full returns the gauge that says how much there is of what id says is used: that of
// which a row says the share, else that of a pair. It reports false where none does.
func (c *Catalog) Full(id ID) (Metric, bool) {
	m, ok := c.Metric(id)
	if !ok {
		return m, false
	}
	for i := range c.rows {
		d := &c.rows[i]
		if d.Bad != "high" || !strings.Contains(d.Expr, string(id)) {
			continue
		}
		if of, by, ok := d.Gauges(); ok && of == id {
			return c.Metric(by)
		}
	}
	if _, other, rest, ok := c.partner(m); ok && !rest {
		return c.Metric(other)
	}
	if !c.Used(id) {
		return Metric{}, false
	}
	for _, w := range []string{"quota", "capacity", "limit"} {
		whole, ok := c.Whole(id, []string{w})
		if ok && slices.Equal(slices.Sorted(slices.Values(whole.Labels)), slices.Sorted(slices.Values(m.Labels))) {
			return whole, true
		}
	}
	return Metric{}, false
}

// countsUsed reports whether the name of id says outright that it counts what is used.
func countsUsed(id ID) bool {
	return strings.Contains(string(id), "_used") || strings.Contains(string(id), "_usage") || strings.Contains(string(id), "_current")
}

// InUse returns the gauge that says how much is used of what id says how much there
// is, the shortest name where there are several. It reports false where there is none.
func (c *Catalog) InUse(id ID) (used Metric, ok bool) {
	of := string(id[:strings.IndexFunc(string(id)+"_", joint)])
	for _, m := range c.metrics {
		if !strings.HasPrefix(string(m.ID), of) || m.Type != Gauge || ok && len(m.ID) >= len(used.ID) {
			continue
		}
		if _, other, rest, paired := c.partner(m); paired && !rest && other == id {
			used, ok = m, true
		}
	}
	return used, ok
}

// Used reports whether the name of id says that it counts what is in use.
func (c *Catalog) Used(id ID) bool {
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(string(id)), joint), func(w string) bool {
		return w == "current" || slices.Contains(usedWords, w)
	})
}

// bounds reports whether what counts in u can say how much there is of m: of what
// flows, how much can flow in a second.
func bounds(u Unit, m Metric) bool { return u == m.Unit || m.Type == Counter && u == m.Unit+"/s" }

// called reports whether the name of a metric says all of words.
func called(name string, words []string) bool {
	parts := strings.FieldsFunc(strings.ToLower(name), joint)
	return !slices.ContainsFunc(words, func(w string) bool {
		as, ok := wholesCalled[w]
		if !ok {
			as = []string{w}
		}
		return !slices.ContainsFunc(as, func(a string) bool { return slices.Contains(parts, a) })
	})
}

func joint(r rune) bool { return r == '_' || r == ':' }
