package catalog

import (
	"slices"
	"strings"
)

// Names of gauges differ in one word where one says how much is used and the
// other how much there is, or how much is left. The words for there being so
// much are tried first.
var (
	usedWords  = []string{"used", "allocated", "usage", "open", "in_use"}
	wholeWords = []string{"total", "max", "maximum", "limit", "capacity", "size"}
	restWords  = []string{"free", "available", "avail", "idle", "remaining", "left"}
)

// ofPairs returns the share in use of what has no row of its own: of two gauges
// of the same things, one of which is called used and the other total or free.
func (c *Catalog) ofPairs() []Derived {
	own := map[ID]bool{}
	for _, d := range c.rows {
		for _, w := range strings.FieldsFunc(d.Expr, func(r rune) bool {
			return r != '_' && r != ':' && (r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a')
		}) {
			own[ID(w)] = true
		}
	}
	var ds []Derived
	for _, m := range c.metrics {
		if m.Type != Gauge || own[m.ID] || m.Unit == "%" || m.Unit == "1" {
			continue
		}
		used, other, rest, ok := c.partner(m)
		if !ok {
			continue
		}
		d := Derived{Metric: m, Expr: "100 * " + string(m.ID) + " / " + string(other)}
		if rest {
			d.Expr = "100 * " + string(m.ID) + " / (" + string(m.ID) + " + " + string(other) + ")"
		}
		d.ID, d.Unit, d.Min, d.Max, d.Bad, d.Help = m.ID+":percent", "%", "0", "100", "high", "Share in use: "+m.Help
		d.Words = nil
		for _, w := range m.Words {
			if bare, said := without(w, used); said {
				d.Words = append(d.Words, bare+" usage", bare+" full")
			}
		}
		if len(d.Words) > 0 {
			ds = append(ds, d)
		}
	}
	return ds
}

// partner returns what m, which is called used, is a share of, and the word that
// says so; rest: it is what is left, and both together are all.
func (c *Catalog) partner(m Metric) (used string, other ID, rest, ok bool) {
	name := "_" + string(m.ID) + "_"
	for _, used := range usedWords {
		if !strings.Contains(name, "_"+used+"_") {
			continue
		}
		for i, w := range append(slices.Clone(wholeWords), restWords...) {
			id := ID(strings.Trim(strings.Replace(name, "_"+used+"_", "_"+w+"_", 1), "_"))
			if o, there := c.Metric(id); there && o.Type == Gauge && o.Unit == m.Unit && slices.Equal(slices.Sorted(slices.Values(o.Labels)), slices.Sorted(slices.Values(m.Labels))) {
				return strings.ReplaceAll(used, "_", " "), id, i >= len(wholeWords), true
			}
		}
	}
	return "", "", false, false
}

// without returns phrase without word, and whether it had it.
func without(phrase, word string) (string, bool) {
	words := strings.Fields(phrase)
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
	if i < 0 || len(words) < 2 {
		return "", false
	}
	return strings.Join(slices.Delete(words, i, i+1), " "), true
}
